"""Answers that break off: what a client sees when a connection dies.

ASGI has no word for closing a connection, so the server's protocol hands its transport down in the scope.
"""

from __future__ import annotations

import asyncio
from asyncio import BaseTransport
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

_TRANSPORT = "klingvideo.sandbox.transport"
PIECES = 10
"""Into so many pieces a body is cut, where no size is given."""


class TransportProtocol(H11Protocol):
    """HTTP/1.1 whose requests know the connection they came on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_TRANSPORT] = self.transport
            await inner(scope, receive, send)

        self.app = with_transport


async def _hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection once what was written is sent, and wait until it is closed."""
    transport: BaseTransport | None = scope.get(_TRANSPORT)
    if transport is None:
        raise RuntimeError("A connection can only be broken under SandboxServer, which knows it")
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_gone(scope: Scope) -> bool:
    """Whether the client has hung up."""
    transport: BaseTransport | None = scope.get(_TRANSPORT)
    return transport is not None and transport.is_closing()


class DroppedAnswer(Response):
    """No answer at all: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hang up."""
        await _hang_up(scope, receive)


class TrickledAnswer(Response):
    """A whole answer that comes in small pieces.

    :param whole: the answer.
    :param pause: seconds before each piece.
    :param size: bytes of a piece; a tenth of the body when not given.
    """

    def __init__(self, whole: Response, pause: float, size: int | None = None) -> None:
        super().__init__()
        self.status_code = whole.status_code
        self._whole = whole
        self._pause = pause
        self._size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a piece, wait, and go on."""

        async def send_slowly(message: Message) -> None:
            body = message.get("body", b"")
            if message["type"] != "http.response.body" or not body:
                await send(message)
                return
            size = self._size or -(-len(body) // PIECES)
            pieces = [body[start : start + size] for start in range(0, len(body), size)]
            for number, piece in enumerate(pieces, start=1):
                await asyncio.sleep(self._pause)
                if _is_gone(scope):
                    break
                more = number < len(pieces) or message.get("more_body", False)
                await send({"type": "http.response.body", "body": piece, "more_body": more})

        await self._whole(scope, receive, send_slowly)


class TornAnswer(Response):
    """An answer that announces its whole length and breaks off before.

    :param whole: the answer.
    :param fraction: how much of its body is sent.
    """

    def __init__(self, whole: Response, fraction: float) -> None:
        super().__init__()
        self.status_code = whole.status_code
        self._whole = whole
        self._fraction = fraction

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a part and hang up."""
        left = 0

        async def send_part(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                lengths = [int(value) for name, value in message["headers"] if name.lower() == b"content-length"]
                left = int(sum(lengths) * self._fraction)
                await send(message)
                return
            part = message.get("body", b"")[:left]
            left -= len(part)
            await send({"type": "http.response.body", "body": part, "more_body": True})

        await self._whole(scope, receive, send_part)
        await _hang_up(scope, receive)
