"""The OpenAPI document of the imitated API: every route that there is, with what it takes and what it answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from fastapi.routing import APIRoute

from airflow_provider_klingvideo.sandbox import vendor
from airflow_provider_klingvideo.sandbox.account.answers import CODES
from airflow_provider_klingvideo.sandbox.openapi.legacy import LEGACY_BODIES
from airflow_provider_klingvideo.sandbox.openapi.new import NEW_BODIES, TASKS_BODY
from airflow_provider_klingvideo.sandbox.openapi.parts import IMAGE, Body, Schema, array, record, text, whole
from airflow_provider_klingvideo.sandbox.openapi.solutions import LIST_BODIES, SOLUTION_BODIES

BODIES: dict[str, Body] = {**NEW_BODIES, "/tasks": TASKS_BODY, **LEGACY_BODIES, **SOLUTION_BODIES, **LIST_BODIES}

_TIME = {"type": "integer", "description": "Unix milliseconds"}
_UNITS = text(about="units, a decimal number")
_MONEY = text(about="money, a decimal number")
_BILL = record(
    {
        "charge_type": text(about="unit or cash"),
        "amount": text(about="units or money, a decimal number"),
        "package_type": text(about="of units: whose pack"),
        "cash_type": text(),
        "currency": text(about="of money: USD or CNY"),
        "list_price": text(about="of money: before the discount"),
    },
    "amount",
)
_NEW_TASK = record(
    {
        "id": text(),
        "status": text(about="submitted, processing, succeeded or failed"),
        "message": text(about="why it failed"),
        "create_time": _TIME,
        "update_time": _TIME,
        "external_id": text(),
        "outputs": array(record({"type": text(about="video, image, audio, voice, element, ...")}, "type")),
        "billing": array(_BILL),
    },
    "status",
    "create_time",
    "update_time",
)
_CREATED = record(
    {
        "task_id": text(),
        "task_status": text(),
        "task_info": record({"external_task_id": text()}),
        "created_at": _TIME,
        "updated_at": _TIME,
    },
    "task_id",
    "task_status",
)
_LEGACY_TASK = record(
    {
        **_CREATED["properties"],
        "task_status": text(about="submitted, processing, succeed or failed"),
        "task_status_msg": text(about="why it failed"),
        "task_result": record(
            {name: array({"type": "object"}) for name in ("videos", "images", "audios", "voices", "elements")}
        ),
        "watermark_info": record({"enabled": {"type": "boolean"}}),
        "final_unit_deduction": _UNITS,
        "final_balance_deduction": record({"quota": _MONEY, "list_price": _MONEY}),
    },
    "task_id",
    "task_status",
)
_PAGE = record(
    {
        "count": {"type": "integer"},
        "has_more": {"type": "boolean"},
        "next_cursor": text(),
        "result": array(_NEW_TASK),
    },
    "count",
    "has_more",
)
_DATA: dict[str, Schema] = {
    "NewTask": _NEW_TASK,
    "NewTasks": array(_NEW_TASK),
    "NewPage": _PAGE,
    "LegacyCreated": _CREATED,
    "LegacyTask": _LEGACY_TASK,
    "LegacyTasks": array(_LEGACY_TASK),
    "Other": {"type": "object"},
}
_IDS = ("task_ids", "external_task_ids")
_QUERIES: dict[str, list[tuple[str, Schema]]] = {
    "ids": [(name, text(about="separated by commas; either these or the other ones, at most 20")) for name in _IDS],
    "pages": [("pageNum", whole(1, 1000, 1)), ("pageSize", whole(1, 500, 30))],
    "costs": [(name, _TIME) for name in ("start_time", "end_time")],
}
# GET routes whose summary, parameters and data do not follow from a create on the same path.
_READS: dict[str, tuple[str, str, str]] = {
    "/tasks": ("Tasks of both generations by id", "ids", "NewTasks"),
    "/solutions": ("Tasks of this family by id", "ids", "NewTasks"),
    "/account/costs": ("Resource packs", "costs", "Other"),
    "/v1/general/presets-voices": ("Voices that everybody has", "pages", "LegacyTasks"),
    "/v1/general/advanced-presets-elements": ("Elements that everybody has", "pages", "LegacyTasks"),
}
_ERRORS = {400: "a parameter is wrong", 401: "who asks is not known", 404: "not here", 429: "not now, or no units left"}
# The groups in which operations are shown.
_TAGS = (
    *("text-to-video", "image-to-video", "omni-video", "motion-control", "tasks"),
    *("legacy videos", "legacy images", "legacy audio", "legacy general"),
    *("solutions", "account"),
)
_GONE = "/v1/videos/multi-image2video"
_CREATED_DATA = {"/solutions": "NewPage", "/tasks": "NewPage"}


def document(base_url: str) -> dict[str, Any]:
    """The document of the sandbox at an address; pictures in its examples lie there, too."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method in sorted(_operations()):
        paths.setdefault(path, {})[method] = _operation(path, method)
    whole_document = {
        "openapi": "3.1.0",
        "info": {
            "title": "SANDBOX of the Kling API",
            "version": "1",
            "description": "An imitation: nothing here costs money, nothing is made by Kling AI. "
            "Keys that an endpoint does not have are ignored, as at Kling.",
        },
        "servers": [{"url": base_url}],
        "security": [{"key": []}],
        "tags": [{"name": tag} for tag in _TAGS],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key; on /v1 and /account also a signed token of access key and secret key.",
                }
            },
            "schemas": {name: _envelope(data) for name, data in _DATA.items()} | {"Error": _error()},
        },
    }
    samples = json.dumps(whole_document).replace(IMAGE, f"{base_url}/sandbox/samples/portrait.png")
    return dict(json.loads(samples))


def _operations() -> Iterable[tuple[str, str]]:
    """Path and method of everything that the sandbox imitates; models are paths of their own."""
    for route in vendor.router.routes:
        if not isinstance(route, APIRoute):
            continue
        paths = [path for path in NEW_BODIES if route.path_regex.fullmatch(path)] or [route.path]
        for path in paths if "{model}" in route.path else [route.path]:
            yield from ((path, method.lower()) for method in route.methods)


def _operation(path: str, method: str) -> dict[str, Any]:
    body = BODIES.get(path) if method == "post" else None
    summary, parameters, data = _described(path, method, body)
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{method}{path}").strip("_"),
        "tags": [_tag(path)],
        "summary": summary,
        "parameters": parameters,
        "responses": {str(status): _failure(words) for status, words in _ERRORS.items()},
    }
    if path.startswith(_GONE):
        return operation | {"deprecated": True}
    operation["responses"]["200"] = {
        "description": "done",
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{data}"}}},
    }
    if body:
        content = {"schema": body.schema, "example": dict(body.example)}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    if body and body.needs:
        operation["description"] = f"The example needs {body.needs}."
    return operation


def _described(path: str, method: str, body: Body | None) -> tuple[str, list[dict[str, Any]], str]:
    """Summary, parameters and the name of the data of an operation."""
    if method == "post":
        return body.summary if body else "No longer available", [], _posted(path)
    if path in _READS:
        summary, query, data = _READS[path]
        return summary, _query(query), data
    if path.startswith(_GONE):
        return "No longer available", _in_path(path), "Other"
    if path.endswith("}"):
        return "One task by id or external id", _in_path(path), "LegacyTask"
    return "A page of the tasks of this path", _query("pages"), "LegacyTasks"


def _posted(path: str) -> str:
    if path in vendor.LEGACY_READERS:
        return "LegacyCreated"
    made = path in NEW_BODIES or path in SOLUTION_BODIES
    return "NewTask" if made else _CREATED_DATA.get(path, "Other")


def _in_path(path: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": text()} for name in re.findall(r"{(\w+)}", path)]


def _query(name: str) -> list[dict[str, Any]]:
    required = name == "costs"
    return [{"name": key, "in": "query", "required": required, "schema": schema} for key, schema in _QUERIES[name]]


def _tag(path: str) -> str:
    """The group in which an operation is shown."""
    words = path.strip("/").split("/")
    return f"legacy {words[1]}" if words[0] == "v1" else words[0]


def _envelope(data: Schema) -> Schema:
    return record(
        {"code": {"const": 0}, "message": text(), "request_id": text(), "data": data},
        "code",
        "message",
        "request_id",
        "data",
    )


def _error() -> Schema:
    codes = "; ".join(f"{code} {words}" for code, (_, words) in CODES.items() if code)
    code = {"type": "integer", "description": codes}
    return record({"code": code, "message": text(), "request_id": text()}, "code", "message", "request_id")


def _failure(words: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": words, "content": content}
