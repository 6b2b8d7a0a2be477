"""The Airflow connection to Kling: what a person has typed, checked, and the clients that it opens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from airflow.sdk import BaseHook

from airflow_provider_klingvideo import __version__
from airflow_provider_klingvideo.errors import KlingVideoError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_klingvideo.kling import AsyncKlingClient, KlingClient, Output
    from airflow_provider_klingvideo.kling.wire.auth import Auth
    from airflow_provider_klingvideo.kling.wire.operation import Operation

T = TypeVar("T")

CONSOLE_URL = "https://kling.ai/dev"
DEFAULT_REGION = "singapore"


class ConnectionSettingsError(KlingVideoError, ValueError):
    """The Airflow connection is incomplete or contradicts itself."""

    kind = "connection"
    default_advice = "Edit the connection under Admin > Connections"


@dataclass(frozen=True)
class KlingSettings:
    """What a connection says, checked.

    :param base_url: the API's address, without a trailing slash.
    :param region: ``singapore`` or ``beijing``.
    :param api_key: the API key, None with AK/SK.
    :param access_key: with ``secret_key`` instead of an API key.
    :param concurrency_limit: tasks that may run at once, None for no limit of ours.
    :param model_limits: the same by model.
    """

    base_url: str
    region: str
    api_key: str | None = field(repr=False)
    access_key: str | None = field(repr=False)
    secret_key: str | None = field(repr=False)
    concurrency_limit: int | None
    model_limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_custom_host(self) -> bool:
        """Whether the connection names its own address: a gateway or the sandbox."""
        from airflow_provider_klingvideo.kling import base_url_for

        return self.base_url != base_url_for(self.region)

    @property
    def console_url(self) -> str:
        """Where a person sees tasks and balance: the vendor's console, or the page of the own address."""
        return self.base_url if self.is_custom_host else CONSOLE_URL

    @property
    def media_hosts(self) -> frozenset[str]:
        """Hosts that may lie in a private network and still be loaded from: the API's own, when it was set by hand."""
        return frozenset({urlsplit(self.base_url).netloc}) if self.is_custom_host else frozenset()

    def auth(self) -> Auth:
        """Return the credentials in the form that the clients take."""
        from airflow_provider_klingvideo.kling import AccessKeyAuth, ApiKeyAuth

        if self.api_key:
            return ApiKeyAuth(self.api_key)
        return AccessKeyAuth(self.access_key or "", self.secret_key or "")


def settings_of(connection: Connection, extra: Mapping[str, Any]) -> KlingSettings:
    """Check a connection.

    :param connection: the connection.
    :param extra: its extra fields.
    :raises ConnectionSettingsError: naming what is missing or wrong.
    """
    from airflow_provider_klingvideo.kling import REGIONS, base_url_for

    region = str(extra.get("region") or DEFAULT_REGION)
    if region not in REGIONS:
        raise ConnectionSettingsError(f"Region {region!r} is unknown; it is one of {', '.join(REGIONS)}")
    access_key, secret_key = extra.get("access_key") or None, extra.get("secret_key") or None
    if bool(access_key) != bool(secret_key):
        raise ConnectionSettingsError("An access key needs its secret key, and the other way round")
    if not connection.password and not access_key:
        raise ConnectionSettingsError(
            f"Connection {connection.conn_id} has neither an API key nor an access key with its secret key"
        )
    return KlingSettings(
        base_url=_address(connection) or base_url_for(region),
        region=region,
        api_key=connection.password or None,
        access_key=access_key,
        secret_key=secret_key,
        concurrency_limit=_limit(extra.get("concurrency_limit")),
        model_limits=_model_limits(extra.get("model_limits")),
    )


def _address(connection: Connection) -> str:
    host = (connection.host or "").rstrip("/")
    if not host:
        return ""
    address = host if "://" in host else f"https://{host}"
    if urlsplit(address).scheme not in {"http", "https"}:
        raise ConnectionSettingsError(f"The base URL {address} is neither http nor https")
    return f"{address}:{connection.port}" if connection.port and urlsplit(address).port is None else address


def _limit(value: Any) -> int | None:
    if value in (None, ""):
        return None
    try:
        limit = int(value)
    except (TypeError, ValueError):
        limit = 0
    if limit < 1:
        raise ConnectionSettingsError(f"The concurrency limit {value!r} is not a whole number of at least 1")
    return limit


def _model_limits(value: Any) -> dict[str, int]:
    """Read limits by model: an object, or JSON of one, as the form gives it."""
    try:
        limits = json.loads(value) if isinstance(value, str) and value.strip() else value or {}
        return {str(model): _limit(limit) or 0 for model, limit in limits.items() if limit is not None}
    except (ValueError, AttributeError):
        raise ConnectionSettingsError(
            f'The limits by model {value!r} are no JSON object of numbers, for example {{"kling-3.0": 5}}'
        ) from None


class KlingConnection:
    """A connection of type ``klingai``. It is read when it is first needed.

    :param conn_id: its name.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id

    @cached_property
    def settings(self) -> KlingSettings:
        """What the connection says, checked.

        :raises ConnectionSettingsError: it is incomplete or contradicts itself.
        """
        connection = BaseHook.get_connection(self.conn_id)
        return settings_of(connection, connection.extra_dejson)

    async def fresh_settings(self) -> KlingSettings:
        """Return the settings, read anew without blocking the event loop.

        Read on a thread: Airflow below 3.3.2 masks a connection's secrets by a call that blocks, which an event loop
        does not survive.
        """
        return await asyncio.to_thread(lambda: type(self)(self.conn_id).settings)

    @property
    def client_options(self) -> dict[str, Any]:
        """What every client of this connection is made of."""
        return _client_options(self.settings)

    def client(self) -> KlingClient:
        """Return a client; close it, or use it as a context manager."""
        from airflow_provider_klingvideo.kling import KlingClient

        return KlingClient(**self.client_options)

    def async_client(self) -> AsyncKlingClient:
        """Return a client for an event loop; use it as an asynchronous context manager."""
        return async_client(self.settings)

    def send(self, operation: Operation[T]) -> T:
        """Send one operation; what may cost money is sent once, and nothing is put on record."""
        with self.client() as client:
            return client.send(operation)

    def task_outputs(self, task_id: str, kind: str) -> Sequence[Output]:
        """Ask for the outputs of a finished task, with fresh, signed addresses.

        :param task_id: Kling's id.
        :param kind: the product, for example ``text_to_video``.
        :raises KlingVideoError: when Kling does not know the task (any more).
        """
        with self.client() as client:
            return client.get_task(task_id, kind=kind).outputs


def async_client(settings: KlingSettings) -> AsyncKlingClient:
    """Return a client for an event loop from settings that were read before."""
    from airflow_provider_klingvideo.kling import AsyncKlingClient

    return AsyncKlingClient(**_client_options(settings))


def _client_options(settings: KlingSettings) -> dict[str, Any]:
    agent = f"airflow-provider-klingvideo/{__version__}"
    return {"auth": settings.auth(), "base_url": settings.base_url, "user_agent": agent}
