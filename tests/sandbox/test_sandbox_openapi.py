"""The OpenAPI document describes the sandbox as it is, and its page needs nothing from elsewhere."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from airflow_provider_klingvideo.sandbox import SandboxServer
from airflow_provider_klingvideo.sandbox.openapi.document import BODIES, document
from airflow_provider_klingvideo.sandbox.openapi.parts import Body

SELF_CONTAINED = {path: body for path, body in BODIES.items() if not body.needs}
DELETED: Any = object()
# What a path looks at only where another field says so; the tests of the products go through it.
CONDITIONAL = {"shot_type", "multi_prompt", "element_video_list", "text", "voice_language", "voice_speed"}


def test_every_request_body_is_described() -> None:
    operations = document("http://sandbox.invalid")["paths"]
    posts = {path for path, methods in operations.items() if "post" in methods}
    assert posts - {"/v1/videos/multi-image2video"} == set(BODIES)
    for path, body in BODIES.items():
        jsonschema.Draft202012Validator.check_schema(body.schema)
        jsonschema.validate(body.example, body.schema)
        assert body.summary, path


def test_references_lead_somewhere() -> None:
    whole = document("http://sandbox.invalid")
    for reference in set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(whole))):
        jsonschema.Draft202012Validator.check_schema(whole["components"]["schemas"][reference])
    tags = {tag["name"] for tag in whole["tags"]}
    assert {operation["tags"][0] for methods in whole["paths"].values() for operation in methods.values()} == tags
    names = [operation["operationId"] for methods in whole["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_it_is_served_with_the_address_of_the_sandbox(sandbox: SandboxServer) -> None:
    served = httpx.get(f"{sandbox.url}/sandbox/openapi.json", trust_env=False).json()
    assert served == document(sandbox.url)
    body = served["paths"]["/v1/general/ai-multi-shot"]["post"]["requestBody"]["content"]["application/json"]
    picture = httpx.get(body["example"]["element_frontal_image"], trust_env=False)
    assert picture.headers["content-type"] == "image/png"


@pytest.mark.parametrize("page", ["/sandbox", "/sandbox/docs"])
def test_pages_need_nothing_from_elsewhere(sandbox: SandboxServer, page: str) -> None:
    served = httpx.get(f"{sandbox.url}{page}", trust_env=False)
    assert served.headers["content-type"].startswith("text/html")
    assert set(re.findall(r"https?://[^\"'\s]+", served.text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?!data:)", served.text)


@pytest.mark.parametrize("path", SELF_CONTAINED)
def test_examples_are_accepted(client: httpx.Client, path: str) -> None:
    answer = client.post(path, json=BODIES[path].example)
    assert answer.status_code == 200, answer.text
    schemas = document("http://sandbox.invalid")["components"]["schemas"]
    operation = document("http://sandbox.invalid")["paths"][path]["post"]["responses"]["200"]
    reference = operation["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    jsonschema.validate(answer.json(), schemas[reference])


def required_fields(schema: dict[str, Any], example: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where required fields are, in objects that are not in arrays."""
    for name, inner in schema.get("properties", {}).items():
        if name in schema.get("required", []):
            yield (*where, name)
        if name in example:
            yield from required_fields(inner, example[name], (*where, name))


def limited_fields(schema: dict[str, Any], where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Where fields with limits are, and a value that breaks one of these."""
    for name, inner in schema.get("properties", {}).items():
        here = (*where, name)
        if "enum" in inner:
            yield here, 99 if isinstance(inner["enum"][0], int | float) else "no such word"
        if "maxLength" in inner:
            yield here, "x" * (inner["maxLength"] + 1)
        if inner.get("type") in ("integer", "number"):
            yield from ((here, inner[key] + step) for key, step in (("minimum", -1), ("maximum", 1)) if key in inner)
        if inner.get("type") == "boolean":
            yield here, "yes"
        if inner.get("type") == "array":
            yield here, "no array"
        if inner.get("type") == "object":
            yield here, "no object"
        yield from limited_fields(inner, here)


def changed(body: Body, where: tuple[str, ...], value: Any) -> dict[str, Any]:
    whole = copy.deepcopy(dict(body.example))
    holder = whole
    for name in where[:-1]:
        holder = holder.setdefault(name, {})
    if value is DELETED:
        del holder[where[-1]]
    else:
        holder[where[-1]] = value
    return whole


def content_items(path: str) -> Iterator[tuple[str, str, str, int]]:
    """The texts in items of ``contents`` that have a limit: path, type, field, limit."""
    items = BODIES[path].schema["properties"].get("contents", {}).get("items", {}).get("anyOf", [])
    for item in items:
        for name, field in item["properties"].items():
            if "maxLength" in field:
                yield path, item["properties"]["type"]["const"], name, field["maxLength"]


def path_looks_at(path: str, where: tuple[str, ...]) -> bool:
    return path == "/v1/audio/tts" or not CONDITIONAL & set(where)


@pytest.mark.parametrize("path", BODIES)
def test_what_breaks_the_schema_is_refused(client: httpx.Client, path: str) -> None:
    body = BODIES[path]
    broken = [(where, DELETED) for where in required_fields(body.schema, body.example)]
    broken += [(where, value) for where, value in limited_fields(body.schema) if path_looks_at(path, where)]
    for where, value in broken:
        answer = client.post(path, json=changed(body, where, value))
        assert (answer.status_code, answer.json()["code"]) == (400, 1201), (where, value, answer.text)


@pytest.mark.parametrize(
    ("path", "kind", "field", "limit"), [row for path in SELF_CONTAINED for row in content_items(path)]
)
def test_long_texts_of_contents_are_refused(client: httpx.Client, path: str, kind: str, field: str, limit: int) -> None:
    def sent(length: int) -> httpx.Response:
        whole = copy.deepcopy(dict(BODIES[path].example))
        found = [item for item in whole["contents"] if item["type"] == kind]
        if not found:
            found = [{"type": kind} | dict.fromkeys(("text", "source", "target"), "x")]
            whole["contents"] += found
        found[0][field] = "x" * length
        return client.post(path, json=whole)

    refused = sent(limit + 1)
    assert (refused.status_code, refused.json()["code"]) == (400, 1201), refused.text
    longest = sent(limit)
    assert "limit" not in longest.json()["message"]
    assert "no longer than" not in longest.json()["message"]
