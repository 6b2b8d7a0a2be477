"""Every call of Kling's API as data, without I/O: the synchronous and the asynchronous client send the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, registry
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.products import PRODUCTS
from airflow_provider_klingvideo.kling.products.base import GenerationRequest
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.tasks import Task, parse_task, parse_tasks

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

QUERY_PATHS = {ApiFamily.NEW: "/tasks", ApiFamily.LEGACY: "/tasks", ApiFamily.SOLUTIONS: "/solutions"}
"""Where an API key asks for a task, by the API family that made it (kling-api sections 6.4 and 8)."""

# What Kling answers to an id that it does not know: the legacy paths the first or, as documented, the second one;
# the new family leaves the task out (kling-api sections 1 and 17).
UNKNOWN_TASK, UNKNOWN_RESOURCE = 1201, 1203


def base_url_for(region: str) -> str:
    """Return the address of a region, one of :data:`REGIONS`."""
    return REGIONS[region]


@dataclass(frozen=True)
class Page:
    """A page of a listing; ``cursor`` leads to the next one, None ends it."""

    tasks: list[Task]
    cursor: str | None


def create(request: GenerationRequest, family: ApiFamily, external_task_id: str) -> Operation[Task]:
    """Order what a request asks for. Only what the path knows is sent.

    :raises InvalidRequestError: when the API family does not take it, or the task could not be found again by its
        external id.
    """
    _check_external_id(external_task_id)
    product = PRODUCTS[request.kind]
    route = product.routes.get(family)
    if route is None:
        wrong = f"{request.kind} is not offered by the {family} API family"
        raise InvalidRequestError(Fault("api", wrong, ", ".join(product.routes)))
    path = f"{route.path}/{quote(request.model_name, safe='')}" if route.is_model_in_path else route.path
    body = route.body(request, registry().find(request.kind, request.model_name, family), external_task_id)
    return Operation("POST", path, _one_task, json=body, is_create=True)


def get_tasks(task_ids: Sequence[str], kind: str) -> Operation[list[Task]]:
    """Ask for up to 20 tasks by their ids; unknown ones are left out of the answer.

    :param kind: a product; tasks of all products but the solutions are asked for together.
    """
    return _query(kind, {"task_ids": ",".join(task_ids)})


def find_by_external_id(external_task_id: str, kind: str) -> Operation[list[Task]]:
    """Ask for the task with our id.

    :raises InvalidRequestError: for an id by which no task can be found.
    """
    _check_external_id(external_task_id)
    return _query(kind, {"external_task_ids": external_task_id})


def get_legacy_task(kind: str, any_id: str) -> Operation[list[Task]]:
    """Ask a legacy path for a task by Kling's id or ours.

    :raises InvalidRequestError: for an id by which no task can be found, or a product without a legacy path.
    """
    _check_external_id(any_id)
    path = f"{_legacy_path(kind)}/{quote(any_id, safe='')}"
    return Operation("GET", path, parse_tasks, empty_codes=frozenset({UNKNOWN_TASK, UNKNOWN_RESOURCE}))


def list_tasks(
    statuses: Sequence[str], cursor: str | None, *, pack: str | None = None, since: datetime | None = None
) -> Operation[Page]:
    """List the tasks of the last 30 days, the newest first, a page at a time; solutions have a listing of their own.

    :param statuses: only tasks in one of these; all when empty.
    :param pack: only tasks of this kind of pack.
    :param since: only tasks that were created then or later, aware.
    """
    return _listing("/tasks", {"status": statuses, "product_type": [pack] if pack else []}, cursor, since)


def list_solutions(statuses: Sequence[str], cursor: str | None, *, since: datetime | None = None) -> Operation[Page]:
    """List the solutions of the last 30 days, the newest first, a page at a time."""
    return _listing("/solutions", {"status": statuses}, cursor, since)


def _listing(
    path: str, wanted: Mapping[str, Sequence[str]], cursor: str | None, since: datetime | None
) -> Operation[Page]:
    filters = [{"key": key, "values": list(values)} for key, values in wanted.items() if values]
    body: dict[str, Any] = {"limit": LARGEST_PAGE, "filters": filters}
    if since is not None:
        body["start_time"] = int(since.timestamp() * 1000)
    return Operation("POST", path, _page, json={**body, "cursor": cursor} if cursor else body)


def list_legacy_tasks(kind: str, statuses: Sequence[str], cursor: str | None) -> Operation[Page]:
    """List the tasks of a legacy path, which takes no filter: the others are dropped from the page."""
    number = int(cursor or 1)
    query = {"pageNum": number, "pageSize": LARGEST_PAGE}
    return Operation("GET", _legacy_path(kind), partial(_legacy_page, statuses, number), query=query)


def _check_external_id(external_task_id: str) -> None:
    """An empty id protects from no duplicate, and a comma separates ids (kling-api sections 5.1 and 6.4)."""
    if not external_task_id.strip() or "," in external_task_id:
        wrong = f"no task can be found by {quoted(external_task_id)}"
        raise InvalidRequestError(Fault("external_task_id", wrong, "a text that is not blank and has no comma"))


def _legacy_path(kind: str) -> str:
    route = PRODUCTS[kind].routes.get(ApiFamily.LEGACY)
    if route is None:
        fault = Fault("kind", f"{kind} cannot be used with AK/SK, as it has no legacy path", "an API key")
        raise InvalidRequestError(fault, advice="Use an API key in the connection")
    return route.path


def _query(kind: str, query: Mapping[str, str]) -> Operation[list[Task]]:
    path = QUERY_PATHS[next(iter(PRODUCTS[kind].routes))]
    return Operation("GET", path, parse_tasks, query=query, empty_codes=frozenset({UNKNOWN_RESOURCE}))


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
