"""Puts the sandbox together as an ASGI application."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_klingvideo.sandbox import control, vendor
from airflow_provider_klingvideo.sandbox.account.account import Clock
from airflow_provider_klingvideo.sandbox.serving import media
from airflow_provider_klingvideo.sandbox.serving.core import Sandbox
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings

HEADER = "x-klingvideo-sandbox"

_SLASHES = re.compile("//+")


class _SayWhatItIs:
    """Middleware that marks every answer as one of a sandbox.

    It takes several slashes for one, as Kling's gateway seems to do (kling-api section 19).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = "1"
            await send(message)

        if scope["type"] == "http" and "//" in scope["path"]:
            scope = {**scope, "path": _SLASHES.sub("/", scope["path"])}
        await self._app(scope, receive, send_marked)


def create_app(settings: SandboxSettings | None = None, clock: Clock = time.time) -> FastAPI:
    """Make a sandbox.

    It has to run on one event loop in one process. Rules that break a connection work only under
    :class:`~airflow_provider_klingvideo.sandbox.SandboxServer`.

    :param settings: see :class:`SandboxSettings`; the documented defaults when not given.
    :param clock: seconds since the epoch; every status follows from it.
    :return: the application; its own surface lies under ``/sandbox``, everything else imitates Kling.
    """
    sandbox = Sandbox(settings or SandboxSettings(), clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await sandbox.open()
        try:
            yield
        finally:
            await sandbox.close()

    app = FastAPI(title="Kling AI SANDBOX", openapi_url=None, lifespan=lifespan, redirect_slashes=False)
    app.state.sandbox = sandbox
    app.add_middleware(_SayWhatItIs)
    for router in (control.router, media.router, vendor.router, vendor.fallback):
        app.include_router(router)
    return app
