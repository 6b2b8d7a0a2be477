"""The plugin of Airflow: a line for the API server. Every process imports it, and none but that server loads more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/klingvideo"


class LazyApp:
    """The API of the pages; made when the first request comes in."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer a request, as ASGI asks for it."""
        import asyncio

        from airflow_provider_klingvideo.plugins import app

        api = await asyncio.to_thread(app.api)
        await api(scope, receive, send)


class KlingVideoPlugin(AirflowPlugin):
    """Serves what the pages of Kling videos show."""

    name = "klingvideo"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": PREFIX, "name": "Kling videos"}]  # noqa: RUF012 - Airflow's form
