"""The endpoints of the imitated vendor (kling-api sections 6 to 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response
from starlette.routing import Match

from airflow_provider_klingvideo.sandbox.account.answers import Answer, Refusal, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation, Pack
from airflow_provider_klingvideo.sandbox.account.fields import Fields, parse_object
from airflow_provider_klingvideo.sandbox.account.orders import Order
from airflow_provider_klingvideo.sandbox.account.tasks import Task
from airflow_provider_klingvideo.sandbox.account.views import created_legacy, legacy_view, new_view, pack
from airflow_provider_klingvideo.sandbox.products.library import elements
from airflow_provider_klingvideo.sandbox.products.pictures import image_requests, portraits, recognition
from airflow_provider_klingvideo.sandbox.products.solutions import solutions
from airflow_provider_klingvideo.sandbox.products.sounds import audio_requests, speech, voices
from airflow_provider_klingvideo.sandbox.products.video import (
    legacy_requests,
    lip_sync,
    motion_requests,
    multi_elements,
    new_requests,
    omni_requests,
    retired,
)
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.serving import billing
from airflow_provider_klingvideo.sandbox.serving.billing import pack_name
from airflow_provider_klingvideo.sandbox.serving.core import Sandbox
from airflow_provider_klingvideo.sandbox.serving.credentials import authorise
from airflow_provider_klingvideo.sandbox.serving.listing import list_tasks, page_view
from airflow_provider_klingvideo.sandbox.serving.paging import PAGE_SIZES, page_of
from airflow_provider_klingvideo.sandbox.serving.queries import listed, tasks_by_ids
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, base_url, sandbox_of

_PACK_MILLIS = 365 * 86_400_000


def _authorised(request: Request, authorization: Annotated[str | None, Header()] = None) -> None:
    sandbox = sandbox_of(request)
    authorise(sandbox.settings, authorization, request.url.path, sandbox.account.now() / 1000)


router = APIRouter(route_class=VendorRoute, dependencies=[Depends(_authorised)])

# What can be created, by path; every product adds its own.
NEW_READERS: dict[str, Reader] = {
    **new_requests.READERS,
    **omni_requests.NEW_READERS,
    **motion_requests.NEW_READERS,
}
LEGACY_READERS: dict[str, Reader] = {
    **legacy_requests.READERS,
    **omni_requests.LEGACY_READERS,
    **motion_requests.LEGACY_READERS,
    **multi_elements.READERS,
    **lip_sync.READERS,
    **portraits.READERS,
    **retired.READERS,
    **image_requests.READERS,
    **audio_requests.READERS,
    **voices.READERS,
    **elements.READERS,
}
# Paths whose lists have larger pages than the others.
LARGE_PAGES: dict[str, range] = {voices.PATH: voices.PAGE_SIZES}
# Endpoints that answer at once instead of making a task.
SYNCHRONOUS: tuple[APIRouter, ...] = (
    multi_elements.router,
    lip_sync.router,
    retired.router,
    speech.router,
    recognition.router,
    solutions.router,
    voices.router,
    elements.router,
    billing.router,
)


def _new_view(request: Request, task: Task) -> dict[str, Any]:
    sandbox = sandbox_of(request)
    return new_view(task, task.change_at(sandbox.account.now()), sandbox.sign_for(base_url(request)))


def _legacy_view(request: Request, task: Task) -> dict[str, Any]:
    sandbox = sandbox_of(request)
    return legacy_view(task, task.change_at(sandbox.account.now()), sandbox.sign_for(base_url(request)))


def _outside_solutions(tasks: list[Task]) -> list[Task]:
    """The tasks of the two generations: the solutions family has queries of its own (kling-api section 8)."""
    return [task for task in tasks if task.generation is not Generation.SOLUTIONS]


async def _order(request: Request, readers: Mapping[str, Reader]) -> Order:
    path = request.url.path
    fields = Fields(parse_object(await request.body()))
    if path not in readers:
        raise invalid("model is not supported")
    return readers[path](fields, RequestContext(path, sandbox_of(request).library))


async def create_new(request: Request) -> Response:
    """Create a task of the new generation."""
    sandbox = sandbox_of(request)
    task = sandbox.accept(await _order(request, NEW_READERS), request.state.facts, base_url(request))
    return Answer(new_view(task, task.timeline[0], sandbox.sign_for(base_url(request))))


for _product in {path.rsplit("/", 1)[0] for path in NEW_READERS}:
    router.add_api_route(f"{_product}/{{model}}", create_new, methods=["POST"])


@router.get("/tasks")
async def query_tasks(request: Request) -> Response:
    """Tasks of either generation by id or external id; unknown ones are left out (kling-api section 6.4)."""
    tasks = _outside_solutions(tasks_by_ids(request))
    return Answer([_new_view(request, task) for task in listed(request, tasks)])


@router.post("/tasks")
async def search_tasks(request: Request) -> Response:
    """A page of all tasks (kling-api section 6.5)."""
    account = sandbox_of(request).account
    tasks = _outside_solutions(account.listing())
    page = list_tasks(Fields(parse_object(await request.body())), tasks, account.now())
    return Answer(page_view(page, [_new_view(request, task) for task in listed(request, page.tasks)]))


async def create_legacy(request: Request) -> Response:
    """Create a task on a legacy path."""
    sandbox = sandbox_of(request)
    task = sandbox.accept(await _order(request, LEGACY_READERS), request.state.facts, base_url(request))
    return Answer(created_legacy(task))


async def query_legacy(request: Request) -> Response:
    """One task of a legacy path by id or external id."""
    key = request.path_params["task_id"]
    task = sandbox_of(request).account.find(key)
    if task is None or task.path != request.scope["path"].removesuffix(f"/{key}"):
        raise invalid(f"Task not found by id/external id: {key}")
    return Answer(_legacy_view(request, task))


async def list_legacy(request: Request) -> Response:
    """A page of the tasks of a legacy path, newest first."""
    path = request.url.path
    tasks = page_of(request, sandbox_of(request).account.listing(path), LARGE_PAGES.get(path, PAGE_SIZES))
    return Answer([_legacy_view(request, task) for task in listed(request, tasks)])


for _path in LEGACY_READERS:
    router.add_api_route(_path, create_legacy, methods=["POST"])
    router.add_api_route(_path, list_legacy, methods=["GET"])
    router.add_api_route(f"{_path}/{{task_id}}", query_legacy, methods=["GET"])


@router.get("/account/costs")
async def account_costs(request: Request) -> Response:
    """The resource packs of the account (kling-api section 9)."""
    sandbox = sandbox_of(request)
    times = Fields({name: request.query_params.get(name) for name in ("start_time", "end_time")})
    for name in ("start_time", "end_time"):
        if times.millis(name, 0) == 0:
            raise invalid(f"{name} is required")
    now = sandbox.account.now()
    if sandbox.settings.limit_costs and not sandbox.costs_shown(now):
        raise Refusal(1302)
    packs = [_pack(sandbox, kind, now) for kind in Pack]
    wanted = request.query_params.get("resource_pack_name")
    shown = [entry for entry in packs if wanted in {None, "", entry["resource_pack_name"]}]
    return Answer({"code": 0, "msg": "SUCCEED", "resource_pack_subscribe_infos": shown})


def _pack(sandbox: Sandbox, kind: Pack, now: int) -> dict[str, Any]:
    name, purse = pack_name(sandbox, kind), sandbox.account.purse(kind)
    return pack(name, purse.granted, purse.balance, now - _PACK_MILLIS, now + _PACK_MILLIS)


for _synchronous in SYNCHRONOUS:
    router.include_router(_synchronous)

fallback = APIRouter(route_class=VendorRoute, dependencies=[Depends(_authorised)])


@fallback.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def nothing_here(request: Request) -> Response:
    """Any other path, and any other method of these paths; there is no way to cancel or delete a task."""
    scope = {**request.scope, "path_params": {}}
    for route in router.routes:
        if route.matches(scope)[0] is Match.PARTIAL:
            raise Refusal(1202)
    raise Refusal(1203)
