"""The Airflow connection to Kling: what a person has typed, checked, and the clients that it opens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.log import mask_secret

from airflow_provider_klingvideo import __version__
from airflow_provider_klingvideo._compat import conf
from airflow_provider_klingvideo.runtime.connections import fields
from airflow_provider_klingvideo.runtime.connections.faults import ConnectionSettingsError
from airflow_provider_klingvideo.runtime.connections.finding import found

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_klingvideo.kling import AsyncKlingClient, KlingClient, Output, Terms
    from airflow_provider_klingvideo.kling.wire.auth import Auth
    from airflow_provider_klingvideo.kling.wire.operation import Operation

T = TypeVar("T")

log = logging.getLogger(__name__)

CONSOLE_URL = "https://kling.ai/dev"
SANDBOX_PAGE = "/sandbox"
USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class KlingSettings:
    """What a connection says, checked.

    :param base_url: the API's address, without a trailing slash.
    :param region: ``singapore`` or ``beijing``.
    :param api_key: the API key, None with AK/SK.
    :param access_key: with ``secret_key`` instead of an API key.
    :param concurrency_limit: tasks that may run at once, None for no limit of ours.
    :param model_limits: the same by model.
    :param prices: what the account's contract says otherwise than Kling's list.
    :param notes: what the connection says and nobody heeds: names in its extra that are no fields.
    """

    base_url: str
    region: str
    api_key: str | None = field(repr=False)
    access_key: str | None = field(repr=False)
    secret_key: str | None = field(repr=False)
    concurrency_limit: int | None
    model_limits: Mapping[str, int] = field(default_factory=dict)
    prices: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def is_custom_host(self) -> bool:
        """Whether the connection names its own address: a gateway or the sandbox."""
        from airflow_provider_klingvideo.kling import base_url_for

        return self.base_url != base_url_for(self.region)

    @property
    def console_url(self) -> str:
        """Where a person sees tasks and balance: Kling's console, or the sandbox's page.

        An own address without TLS is taken for the sandbox's; behind a gateway it is Kling's account that pays.
        """
        is_sandbox = self.is_custom_host and self.base_url.startswith("http://")
        return f"{self.base_url}{SANDBOX_PAGE}" if is_sandbox else CONSOLE_URL

    @property
    def media_hosts(self) -> frozenset[str]:
        """Hosts that may lie in a private network and still be loaded from: the API's own, when it was set by hand.

        Each is ``host:port`` as a download spells it: lower case, letters of all languages, the usual port written out.
        """
        import httpx

        if not self.is_custom_host:
            return frozenset()
        url = httpx.URL(self.base_url)
        return frozenset({f"{url.host}:{url.port or USUAL_PORTS[url.scheme]}"})

    @property
    def terms(self) -> Terms:
        """By what the account pays."""
        from airflow_provider_klingvideo.kling.catalogue.price_book import Terms, parse_contract

        return Terms(self.region, parse_contract(self.prices, self.region))

    @property
    def secret(self) -> str:
        """What only those know who may use the connection."""
        return self.api_key or self.secret_key or ""

    def auth(self) -> Auth:
        """Return the credentials in the form that the clients take."""
        from airflow_provider_klingvideo.kling import AccessKeyAuth, ApiKeyAuth

        if self.api_key:
            return ApiKeyAuth(self.api_key)
        return AccessKeyAuth(self.access_key or "", self.secret_key or "")


def settings_of(connection: Connection) -> KlingSettings:
    """Read the fields of a connection as they were meant, and check them.

    :param connection: the connection.
    :raises ConnectionSettingsError: naming everything that is missing, wrong or contradictory.
    """
    from airflow_provider_klingvideo.kling import REGIONS
    from airflow_provider_klingvideo.kling.catalogue.price_book import DEFAULT_REGION

    read = fields.read_fields(connection, REGIONS)
    if faults := [*read.faults] or [*fields.contradictions(read)]:
        advice = f"Edit connection {connection.conn_id} under Admin > Connections, or where it is kept"
        raise ConnectionSettingsError([*faults, *read.strangers], advice=advice)
    region = read.region or (read.address.region if read.address else "") or DEFAULT_REGION
    return KlingSettings(
        base_url=read.address.base_url if read.address else REGIONS[region],
        region=region,
        api_key=read.api_key or None,
        access_key=read.access_key or None,
        secret_key=read.secret_key or None,
        concurrency_limit=read.concurrency_limit,
        model_limits=read.model_limits,
        prices=read.prices,
        notes=tuple(map(str, [*read.strangers, *fields.unheeded(connection, read)])),
    )


class KlingConnection:
    """A connection of type ``klingai``. It is read when it is first needed.

    :param conn_id: its name.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id

    @cached_property
    def settings(self) -> KlingSettings:
        """What the connection says, checked.

        :raises ConnectionSettingsError: it does not exist, is of another type, incomplete or contradicts itself.
        :raises UnreachableConnectionError: it could not be found out whether it exists.
        """
        settings = settings_of(found(self.conn_id))
        for secret in filter(None, (settings.api_key, settings.access_key, settings.secret_key)):
            # Airflow hides the fields as they were typed, which is not how the keys are sent.
            mask_secret(secret)
        for note in settings.notes:
            log.warning("Connection %s: %s", self.conn_id, note)
        return settings

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
    from airflow_provider_klingvideo.kling.client.bounds import LARGEST_ANSWER

    return {
        "auth": settings.auth(),
        "base_url": settings.base_url,
        "user_agent": f"airflow-provider-klingvideo/{__version__}",
        "largest_answer": conf.getint("klingvideo", "answer_max_bytes", fallback=LARGEST_ANSWER),
    }
