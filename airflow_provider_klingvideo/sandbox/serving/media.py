"""The files of succeeded tasks, as Kling's CDN serves them, and the ways in which a download goes wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from airflow_provider_klingvideo.sandbox.account.tasks import Status
from airflow_provider_klingvideo.sandbox.drawing.artists import ARTISTS
from airflow_provider_klingvideo.sandbox.drawing.ffmpeg import SandboxMediaError
from airflow_provider_klingvideo.sandbox.drawing.results import read_name
from airflow_provider_klingvideo.sandbox.serving.faults import TornAnswer
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, sandbox_of
from airflow_provider_klingvideo.sandbox.serving.rules import Action, ActionType, Stage

router = APIRouter(route_class=VendorRoute)

_PAGE = "<!doctype html><html><body><h1>SANDBOX: this is a page, not a video</h1></body></html>"

Draw = Callable[[float | None], Awaitable[Response]]
"""Answers with the file, in another length if one is given."""


async def _expired(action: Action, _: Draw) -> Response:
    return PlainTextResponse("SANDBOX: expired", action.http_status or 403)


async def _short(action: Action, draw: Draw) -> Response:
    return await draw(action.seconds)


async def _truncated(action: Action, draw: Draw) -> Response:
    """A file that ends too early in an answer that looks complete."""
    whole = await draw(None)
    if not isinstance(whole, FileResponse):
        return whole
    with open(whole.path, "rb") as file:  # noqa: ASYNC230, PTH123 - a few hundred kilobytes on a local disk
        content = file.read()
    return Response(content[: int(len(content) * action.fraction)], media_type=whole.media_type)


async def _page(action: Action, _: Draw) -> Response:
    return HTMLResponse(_PAGE, action.http_status or 200, action.headers)


async def _torn(action: Action, draw: Draw) -> Response:
    return TornAnswer(await draw(None), action.fraction)


_FAULTS: dict[ActionType, Callable[[Action, Draw], Awaitable[Response]]] = {
    ActionType.EXPIRED_URL: _expired,
    ActionType.SHORT_MEDIA: _short,
    ActionType.TRUNCATE_MEDIA: _truncated,
    ActionType.HTML_MEDIA: _page,
    ActionType.DROP_MEDIA_AT: _torn,
}


@router.api_route("/media/{name}", methods=["GET", "HEAD"])
async def medium(request: Request) -> Response:
    """A file, whole or by Range, to whoever has its signed address."""
    sandbox = sandbox_of(request)
    name, asked, now = request.path_params["name"], request.query_params, sandbox.account.now()
    if not sandbox.results.admits(name, asked.get("Expires", ""), asked.get("Signature", ""), now):
        return PlainTextResponse("SANDBOX: the signature is wrong or has expired", 403)
    wanted = read_name(name)
    task = sandbox.account.tasks.get(wanted.task_id) if wanted else None
    if task is None or wanted is None or task.change_at(now).status is not Status.SUCCEEDED:
        return PlainTextResponse("SANDBOX: there is no such file", 404)
    content_type, _ = ARTISTS[wanted.extension]

    async def draw(seconds: float | None) -> Response:
        try:
            path = await sandbox.results.file(task, wanted, seconds)
        except SandboxMediaError as error:
            return PlainTextResponse(f"SANDBOX: {error}", 500)
        return FileResponse(path, media_type=content_type)

    for action in sandbox.rules.take(Stage.MEDIA, request.state.facts):
        return await _FAULTS[action.type](action, draw)
    return await draw(None)
