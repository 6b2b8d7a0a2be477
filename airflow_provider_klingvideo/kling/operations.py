"""Every call of the vendor's API as data, without I/O: the synchronous and the asynchronous client send the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from airflow_provider_klingvideo.kling.capabilities import Capability, Generation, registry
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.requests import (
    IMAGE_TO_VIDEO,
    TEXT_TO_VIDEO,
    GenerationRequest,
    ImageToVideoRequest,
)
from airflow_provider_klingvideo.kling.tasks import ResourcePack, Task, parse_packs, parse_task, parse_tasks

T = TypeVar("T")

REGIONS = {
    "singapore": "https://api-singapore.klingai.com",
    "beijing": "https://api-beijing.klingai.com",
}
"""Address by region (kling-api section 2.1): Singapore serves everybody outside of mainland China."""

# kling-api section 6.4.
MAX_IDS_PER_QUERY = 20
# kling-api sections 6.5 and 7.1.
LARGEST_PAGE = 500
LAST_LEGACY_PAGE = 1000

NEW_PATHS = {TEXT_TO_VIDEO: "/text-to-video", IMAGE_TO_VIDEO: "/image-to-video"}
LEGACY_PATHS = {TEXT_TO_VIDEO: "/v1/videos/text2video", IMAGE_TO_VIDEO: "/v1/videos/image2video"}
# What the vendor answers to an id that it does not know: the legacy paths the first or, as documented, the second one;
# the new generation leaves the task out (kling-api sections 1 and 17).
UNKNOWN_TASK, UNKNOWN_RESOURCE = 1201, 1203
MODES = {"720p": "std", "1080p": "pro", "4k": "4k"}


def base_url_for(region: str) -> str:
    """Return the address of a region, one of :data:`REGIONS`."""
    return REGIONS[region]


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One call.

    :param method: HTTP method.
    :param path: path below the base URL.
    :param parse: makes the result of the answer's ``data``; raises ValueError when it makes no sense.
    :param query: query parameters.
    :param json: body.
    :param is_create: whether it may cost money, so that it is never sent twice without asking.
    :param empty_codes: business codes which say that there is nothing, and are no error here.
    """

    method: str
    path: str
    parse: Callable[[Any], T]
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    is_create: bool = False
    empty_codes: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Page:
    """A page of a listing; ``cursor`` leads to the next one, None ends it."""

    tasks: list[Task]
    cursor: str | None


def create(request: GenerationRequest, generation: Generation, external_task_id: str) -> Operation[Task]:
    """Order a video. Only what the path knows is sent, and never a model left to the vendor's default.

    :raises InvalidRequestError: when the task could not be found again by its external id.
    """
    _check_external_id(external_task_id)
    capability = registry().find(request.kind, request.model, generation)
    build, path = {
        Generation.NEW: (_new_body, f"{NEW_PATHS[request.kind]}/{quote(request.model, safe='')}"),
        Generation.LEGACY: (_legacy_body, LEGACY_PATHS[request.kind]),
    }[generation]
    body = build(request, capability, external_task_id)
    return Operation("POST", path, _one_task, json=body, is_create=True)


def get_tasks(task_ids: Sequence[str]) -> Operation[list[Task]]:
    """Ask for up to 20 tasks of either generation by their ids; unknown ones are left out of the answer."""
    return _query({"task_ids": ",".join(task_ids)})


def find_by_external_id(external_task_id: str) -> Operation[list[Task]]:
    """Ask for the task with our id.

    :raises InvalidRequestError: for an id by which no task can be found.
    """
    _check_external_id(external_task_id)
    return _query({"external_task_ids": external_task_id})


def get_legacy_task(kind: str, any_id: str) -> Operation[list[Task]]:
    """Ask a legacy path for a task by the vendor's id or ours.

    :raises InvalidRequestError: for an id by which no task can be found.
    """
    _check_external_id(any_id)
    path = f"{LEGACY_PATHS[kind]}/{quote(any_id, safe='')}"
    return Operation("GET", path, parse_tasks, empty_codes=frozenset({UNKNOWN_TASK, UNKNOWN_RESOURCE}))


def list_tasks(statuses: Sequence[str], cursor: str | None) -> Operation[Page]:
    """List the tasks of the last 30 days, a page at a time."""
    filters = [{"key": "status", "values": list(statuses)}] if statuses else []
    body: dict[str, Any] = {"limit": LARGEST_PAGE, "filters": filters}
    return Operation("POST", "/tasks", _page, json={**body, "cursor": cursor} if cursor else body)


def list_legacy_tasks(kind: str, statuses: Sequence[str], cursor: str | None) -> Operation[Page]:
    """List the tasks of a legacy path, which takes no filter: the others are dropped from the page."""
    number = int(cursor or 1)
    query = {"pageNum": number, "pageSize": LARGEST_PAGE}
    return Operation("GET", LEGACY_PATHS[kind], partial(_legacy_page, statuses, number), query=query)


def account_costs(start_ms: int, end_ms: int, pack: str | None) -> Operation[list[ResourcePack]]:
    """Ask for the account's packs, or one by its name; the vendor allows one such call a second."""
    query = {"start_time": start_ms, "end_time": end_ms, **({"resource_pack_name": pack} if pack else {})}
    return Operation("GET", "/account/costs", parse_packs, query=query)


def _check_external_id(external_task_id: str) -> None:
    """An empty id protects from no duplicate, and a comma separates ids (kling-api sections 5.1 and 6.4)."""
    if not external_task_id.strip() or "," in external_task_id:
        raise InvalidRequestError(
            f"No task can be found by the external id {external_task_id!r}",
            advice="Choose one that is not blank and has no comma",
        )


def _query(query: Mapping[str, str]) -> Operation[list[Task]]:
    return Operation("GET", "/tasks", parse_tasks, query=query, empty_codes=frozenset({UNKNOWN_RESOURCE}))


def _one_task(data: Any) -> Task:
    task = parse_task(data)
    if task is None:
        raise ValueError("the answer names no task")
    return task


def _page(data: Any) -> Page:
    page = data if isinstance(data, Mapping) else {}
    cursor = page.get("next_cursor") if page.get("has_more") else None
    return Page(parse_tasks(page), cursor if cursor and isinstance(cursor, str) else None)


def _legacy_page(statuses: Sequence[str], number: int, data: Any) -> Page:
    """A page that is not full is the last one (kling-api section 7.1)."""
    tasks = [task for task in parse_tasks(data) if not statuses or task.status in statuses]
    has_more = isinstance(data, list) and len(data) >= LARGEST_PAGE and number < LAST_LEGACY_PAGE
    return Page(tasks, str(number + 1) if has_more else None)


def _new_body(request: GenerationRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"resolution": request.resolution, "duration": request.duration}
    if not isinstance(request, ImageToVideoRequest):
        settings["aspect_ratio"] = request.aspect_ratio
    if request.audio != "default" and (can is None or len(can.audio) > 1):
        settings["audio"] = request.audio
    if request.multi_shot is not None and (can is None or can.multi_shot):
        settings["multi_shot"] = request.multi_shot
    options: dict[str, Any] = {"external_task_id": external_task_id}
    if request.callback_url:
        options["callback_url"] = request.callback_url
    if request.watermark:
        options["watermark_info"] = {"enabled": True}
    return {**_new_input(request), "settings": settings, "options": options}


def _new_input(request: GenerationRequest) -> dict[str, Any]:
    if not isinstance(request, ImageToVideoRequest):
        return {"prompt": request.prompt}
    contents = [{"type": "prompt", "text": request.prompt}] if request.prompt.strip() else []
    contents.append({"type": "first_frame", "url": request.first_frame})
    if request.last_frame:
        contents.append({"type": "last_frame", "url": request.last_frame})
    return {"contents": contents}


def _legacy_body(request: GenerationRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model_name": can.vendor_name if can else request.model,
        "mode": MODES.get(request.resolution, request.resolution),
        "duration": str(request.duration),
        "external_task_id": external_task_id,
        "prompt": request.prompt or None,
        "negative_prompt": request.negative_prompt,
        "cfg_scale": request.cfg_scale,
        "callback_url": request.callback_url,
        "sound": {"native": "on", "off": "off"}.get(request.audio) if can is None or len(can.audio) > 1 else None,
        "watermark_info": {"enabled": True} if request.watermark else None,
        **({"multi_shot": True, "shot_type": "intelligence"} if request.multi_shot else {}),
        **_legacy_input(request),
    }
    return {name: value for name, value in body.items() if value is not None}


def _legacy_input(request: GenerationRequest) -> dict[str, Any]:
    if isinstance(request, ImageToVideoRequest):
        return {"image": request.first_frame, "image_tail": request.last_frame}
    return {"aspect_ratio": request.aspect_ratio}
