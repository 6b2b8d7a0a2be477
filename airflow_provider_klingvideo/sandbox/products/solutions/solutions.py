"""The endpoints of the solutions family: creates of their own, and queries that show nothing else (section 8)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_klingvideo.sandbox.account.answers import Answer
from airflow_provider_klingvideo.sandbox.account.catalog import Generation
from airflow_provider_klingvideo.sandbox.account.fields import Fields, parse_object
from airflow_provider_klingvideo.sandbox.account.tasks import Change, Status, Task
from airflow_provider_klingvideo.sandbox.account.views import new_view
from airflow_provider_klingvideo.sandbox.products.solutions import clothing_solutions, drama_subtitle, goods_solutions
from airflow_provider_klingvideo.sandbox.products.solutions.clothing_solutions import TRY_ON_PATH
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.serving.listing import SOLUTIONS_LISTING, list_tasks, page_view
from airflow_provider_klingvideo.sandbox.serving.queries import listed, tasks_by_ids
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, base_url, sandbox_of

router = APIRouter(route_class=VendorRoute)

READERS: dict[str, Reader] = {
    **goods_solutions.READERS,
    **clothing_solutions.READERS,
    **drama_subtitle.READERS,
}


def _view(request: Request, task: Task, change: Change) -> dict[str, Any]:
    """The task object of the new generation; the page of try-on shows two words of the legacy one in it."""
    view = new_view(task, change, sandbox_of(request).sign_for(base_url(request)))
    if task.path != TRY_ON_PATH:
        return view
    status = "succeed" if change.status is Status.SUCCEEDED else view["status"]
    return {"task_id": view.pop("id"), **view, "status": status}


def _views(request: Request, tasks: list[Task]) -> list[dict[str, Any]]:
    now = sandbox_of(request).account.now()
    return [_view(request, task, task.change_at(now)) for task in listed(request, tasks)]


async def create_solution(request: Request) -> Response:
    """Create a task of the solutions family."""
    sandbox, path = sandbox_of(request), request.url.path
    order = READERS[path](Fields(parse_object(await request.body())), RequestContext(path, sandbox.library))
    task = sandbox.accept(order, request.state.facts, base_url(request))
    return Answer(_view(request, task, task.timeline[0]))


for _path in READERS:
    router.add_api_route(_path, create_solution, methods=["POST"])


@router.get("/solutions")
async def query_solutions(request: Request) -> Response:
    """Tasks of this family by id or external id."""
    tasks = [task for task in tasks_by_ids(request) if task.generation is Generation.SOLUTIONS]
    return Answer(_views(request, tasks))


@router.post("/solutions")
async def search_solutions(request: Request) -> Response:
    """A page of the tasks of this family."""
    account = sandbox_of(request).account
    tasks = [task for task in account.listing() if task.generation is Generation.SOLUTIONS]
    page = list_tasks(Fields(parse_object(await request.body())), tasks, account.now(), SOLUTIONS_LISTING)
    return Answer(page_view(page, _views(request, page.tasks)))
