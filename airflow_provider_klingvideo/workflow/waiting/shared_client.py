"""One HTTP client for all that use a connection at the same time in one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from airflow_provider_klingvideo.kling import AsyncKlingClient

OpenClient = Callable[[], AbstractAsyncContextManager[AsyncKlingClient]]
"""Reads the connection and opens a client; it may raise what the connection is lacking."""


class SharedClient:
    """Opened by the first user, closed behind the last one.

    :param open_client: see :data:`OpenClient`.
    """

    def __init__(self, open_client: OpenClient) -> None:
        self._open = open_client
        self._users = 0
        self._opened: tuple[AsyncKlingClient, AbstractAsyncContextManager[AsyncKlingClient]] | None = None

    @classmethod
    def of(cls, client: AsyncKlingClient) -> SharedClient:
        """Share a client that somebody else opens and closes."""
        return cls(lambda: nullcontext(client))

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Keep the client, once it is open, until the end of the block."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                await self.renew()

    async def get(self) -> AsyncKlingClient:
        """Return the client, opened if need be; call it inside of :meth:`held`."""
        while self._opened is None:
            opening = self._open()
            client = await opening.__aenter__()
            if self._opened is None:
                self._opened = client, opening
            else:
                await opening.__aexit__(None, None, None)
        return self._opened[0]

    async def renew(self) -> None:
        """Close the client; the next one is opened by what the connection says then: keys are rotated."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[1].__aexit__(None, None, None)
