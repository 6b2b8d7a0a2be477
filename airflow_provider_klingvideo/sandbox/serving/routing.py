"""What every request goes through before and after its handler: rules, refusals, the request log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from http import HTTPStatus
from typing import Any, cast

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, Response

from airflow_provider_klingvideo.sandbox.account.answers import Answer, Refusal
from airflow_provider_klingvideo.sandbox.account.fields import parse_object
from airflow_provider_klingvideo.sandbox.account.tasks import Task
from airflow_provider_klingvideo.sandbox.drawing.results import read_name
from airflow_provider_klingvideo.sandbox.serving.core import Sandbox
from airflow_provider_klingvideo.sandbox.serving.faults import PIECES, DroppedAnswer, TornAnswer, TrickledAnswer
from airflow_provider_klingvideo.sandbox.serving.rules import Action, ActionType, Facts, Stage

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_GATEWAY_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0} (SANDBOX)</h1></center></body></html>"


def sandbox_of(request: Request) -> Sandbox:
    """The sandbox that serves a request."""
    return cast("Sandbox", request.app.state.sandbox)


def base_url(request: Request) -> str:
    """How the caller addresses the sandbox."""
    return str(request.base_url).rstrip("/")


def ids_in(request: Request, name: str) -> list[str]:
    """The comma-separated ids of a query parameter, each once."""
    return list(dict.fromkeys(part.strip() for part in request.query_params.get(name, "").split(",") if part.strip()))


async def facts_of(request: Request) -> Facts:
    """What rules look at: the prompt and id in a create request, or those of the tasks that are asked for."""
    tasks = _tasks_asked_for(request)
    prompts: list[Any] = [task.prompt for task in tasks]
    external_ids: list[Any] = [task.external_id for task in tasks]
    if request.method == "POST":
        try:
            body = parse_object(await request.body())
        except Refusal:
            body = {}
        prompts += _prompts_of(body)
        external_ids += [_object(holder).get("external_task_id") for holder in (body, body.get("options"))]
    return Facts(
        method=request.method,
        path=request.url.path,
        prompts=tuple(text for text in prompts if isinstance(text, str)),
        external_ids=tuple(text for text in external_ids if isinstance(text, str) and text),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _prompts_of(value: Any) -> Iterator[Any]:
    """Everything in a body that describes what is wanted, in whatever depth a product has it."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict | list):
            yield from _prompts_of(item)
        elif isinstance(name, str) and (name == "text" or name.endswith("prompt")):
            yield item


def _tasks_asked_for(request: Request) -> list[Task]:
    account = sandbox_of(request).account
    keys = ids_in(request, "task_ids") + ids_in(request, "external_task_ids")
    keys.append(request.path_params.get("task_id", ""))
    if medium := read_name(request.path_params.get("name", "")):
        keys.append(medium.task_id)
    return [task for key in keys if (task := account.find(key))]


async def _slow(action: Action) -> None:
    await asyncio.sleep(action.seconds)


def _error(action: Action, default_code: int) -> Answer:
    return Answer(
        code=default_code if action.code is None else action.code,
        message=action.message or None,
        http_status=action.http_status,
        headers=action.headers,
    )


def _html(action: Action) -> Response:
    return HTMLResponse(_GATEWAY_PAGE.format(action.http_status or 502), action.http_status or 502, action.headers)


def _rate_limit(action: Action) -> Response:
    answer = _error(action, 1302)
    answer.headers.setdefault("Retry-After", "1")
    return answer


_INSTEAD: dict[ActionType, Callable[[Action], Response]] = {
    ActionType.REFUSE: lambda action: _error(action, 1303),
    ActionType.RATE_LIMIT: _rate_limit,
    ActionType.DROP_BEFORE: lambda _: DroppedAnswer(),
    ActionType.HTML: _html,
}
_AFTERWARDS: dict[ActionType, Callable[[Action, Response], Response]] = {
    ActionType.DROP_AFTER: lambda _, __: DroppedAnswer(),
    ActionType.STORE_THEN_ERROR: lambda action, _: _error(action, 5000),
    ActionType.HALF_BODY: lambda action, response: TornAnswer(response, action.fraction),
    ActionType.SLOW_BODY: lambda action, response: TrickledAnswer(response, action.seconds / PIECES),
    ActionType.DRIP: lambda action, response: TrickledAnswer(response, action.seconds, action.piece_bytes),
    ActionType.HTML: lambda action, _: _html(action),
}


async def answer(request: Request, facts: Facts, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Let rules have their say before and after a handler; a refusal becomes an answer."""
    rules = sandbox_of(request).rules
    for action in rules.take(Stage.BEFORE, facts):
        if action.type is not ActionType.SLOW:
            return _INSTEAD[action.type](action)
        await _slow(action)
    try:
        response = await handle(request)
    except Refusal as refusal:
        return refusal.answer()
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        return response
    for action in rules.take(Stage.AFTER, facts):
        return _AFTERWARDS[action.type](action, response)
    return response


_HALF_CHARACTER = "\ud83d"


def _end_in_half_characters(response: Response, names: Collection[str]) -> None:
    """Let texts of an answer end in the first half of a surrogate pair; JSON writes it as an escape."""
    if isinstance(response, Answer):
        response.body = json.dumps(_halved(json.loads(bytes(response.body)), names)).encode()
        response.headers["Content-Length"] = str(len(response.body))


def _halved(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_halved(item, names) for item in value]
    if isinstance(value, dict):
        return {
            name: item + _HALF_CHARACTER if name in names and isinstance(item, str) else _halved(item, names)
            for name, item in value.items()
        }
    return value


def _result(response: Response) -> str:
    if isinstance(response, DroppedAnswer):
        return "dropped"
    code = f"/{response.code}" if isinstance(response, Answer) else ""
    torn = " torn" if isinstance(response, TornAnswer) else ""
    return f"{response.status_code}{code}{torn}"


class VendorRoute(APIRoute):
    """A route of the imitated vendor."""

    def get_route_handler(self) -> Handler:
        """The handler with everything around it."""
        handler = super().get_route_handler()

        async def around(request: Request) -> Response:
            sandbox = sandbox_of(request)
            facts = await facts_of(request)
            request.state.facts = facts
            response = await answer(request, facts, handler)
            for action in sandbox.rules.take(Stage.SENDING, facts):
                _end_in_half_characters(response, action.fields)
            asked = "" if "Signature" in request.query_params or not request.url.query else f"?{request.url.query}"
            route = facts.path if self.path.startswith("/{") else self.path
            sandbox.requests.note(sandbox.account.now(), facts.method, facts.path + asked, route, _result(response))
            return response

        return around
