"""What one request may take at most: time, and memory for its answer.

The timeouts of httpx hold for each read and each write. A server that sends a byte now and then meets them for ever,
and an answer without an end fills the memory.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, cast

import httpx

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes. A full page of a listing, 500 tasks, is about a megabyte, some ten where all prompts are as long as can be."""
# Bytes a second. Pictures travel inside the body of a create, up to some ten megabytes each: over a slow line they
# take minutes, and a create that is given up on the way may have been accepted.
SLOWEST_UPLOAD = 128 * 1024

# What is written at once. The system takes it in one step as soon as it takes anything.
WRITTEN_AT_ONCE = 16 * 1024
# What httpcore calls the moments at which a connection gets another stream, see its "trace" extension.
NEW_STREAM = (".connect_tcp.complete", ".start_tls.complete")
ONLY_GZIP = {"Accept-Encoding": "gzip"}
GZIP_FORMAT = 16 + zlib.MAX_WBITS

_ends_at: ContextVar[float] = ContextVar("_ends_at", default=inf)


class AnswerTooLargeError(Exception):
    """The answer is larger than any of the API's."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"it is larger than {limit} bytes")


def seconds_for(request: httpx.Request, answer_seconds: float) -> float:
    """Return the time that a request has, from the first look for a connection to the last byte of the answer.

    :param answer_seconds: the time of a request without a body; the upload of a body gets its own on top.
    """
    return answer_seconds + int(request.headers.get("Content-Length", 0)) / SLOWEST_UPLOAD


@asynccontextmanager
async def time_limit_async(seconds: float) -> AsyncIterator[None]:
    """End what happens inside after some time.

    :raises httpx.ReadTimeout: the time is over.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise _too_late() from None


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Bound the reads and writes inside, on connections that :func:`watch_connection` has seen.

    A stuck read cannot be cancelled from outside without a second thread, so each one gets only the time that is left.

    :raises httpx.ReadTimeout: the time is over.
    """
    token = _ends_at.set(monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def watch_connection(event: str, info: Mapping[str, Any]) -> None:
    """Bind the reads and writes of a new connection to :func:`time_limit`.

    :param event: what httpcore has done, as it tells the ``trace`` extension of a request.
    :param info: with the new stream as ``return_value``.
    """
    if event.endswith(NEW_STREAM):
        stream = info["return_value"]
        stream.read = _read_in_time(stream.read)
        stream.write = _write_in_time(stream.write)


def _read_in_time(read: Callable[[int, float | None], bytes]) -> Callable[..., bytes]:
    def read_in_time(max_bytes: int, timeout: float | None = None) -> bytes:
        return read(max_bytes, _time_left(timeout))

    return read_in_time


def _write_in_time(write: Callable[[bytes, float | None], None]) -> Callable[..., None]:
    """Write piece by piece: within one call each step could take the whole time."""

    def write_in_time(buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), WRITTEN_AT_ONCE):
            write(buffer[start : start + WRITTEN_AT_ONCE], _time_left(timeout))

    return write_in_time


def _time_left(timeout: float | None) -> float | None:
    left = _ends_at.get() - monotonic()
    if left <= 0:
        raise _too_late()
    return timeout if left == inf else min(left, inf if timeout is None else timeout)


def _too_late() -> httpx.ReadTimeout:
    return httpx.ReadTimeout("the answer was not complete in time")


@dataclass(frozen=True)
class SizeBound:
    """Lets the body of an answer be read so far only; its methods are response hooks of httpx.

    :param limit: bytes, when they are unpacked.
    """

    limit: int

    def hook(self, response: httpx.Response) -> None:
        """Bound an answer. It is unpacked here: httpx would unpack a small answer to one without an end."""
        intake = _Intake(response.headers.pop("Content-Encoding", ""), self.limit)
        response.stream = _BoundedStream(response.stream, intake)

    async def hook_async(self, response: httpx.Response) -> None:
        """Do the same for the asynchronous client."""
        self.hook(response)


class _Intake:
    """Unpacks and counts the pieces of one answer.

    :param encoding: how it is packed; what is not ``gzip``, which alone was asked for, stays as it is.
    :param limit: bytes.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self._unpacker = zlib.decompressobj(GZIP_FORMAT) if encoding.strip().lower() == "gzip" else None
        self._limit = self._left = limit

    def take(self, piece: bytes) -> bytes:
        unpacked = self._unpacked(piece)
        # The packed size counts, too: a packed answer can go on for ever without holding anything.
        self._left -= max(len(piece), len(unpacked))
        if self._left < 0:
            raise AnswerTooLargeError(self._limit)
        return unpacked

    def _unpacked(self, piece: bytes) -> bytes:
        if self._unpacker is None:
            return piece
        if self._unpacker.eof:
            return b""
        try:
            return self._unpacker.decompress(piece, self._left + 1)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from None


class _BoundedStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream, intake: _Intake) -> None:
        self._stream = stream
        self._intake = intake

    def __iter__(self) -> Iterator[bytes]:
        return map(self._intake.take, cast("httpx.SyncByteStream", self._stream))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in cast("httpx.AsyncByteStream", self._stream):
            yield self._intake.take(piece)

    def close(self) -> None:
        cast("httpx.SyncByteStream", self._stream).close()

    async def aclose(self) -> None:
        await cast("httpx.AsyncByteStream", self._stream).aclose()
