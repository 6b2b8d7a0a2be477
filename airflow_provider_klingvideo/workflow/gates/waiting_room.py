"""Waiting for a gate: one loop that looks for all jobs of a process which wait there."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.workflow.waiting.pauses import bounded_pause

log = logging.getLogger(__name__)

T = TypeVar("T")
IsCancelled = Callable[[], bool]

LONGEST_PAUSE = 60.0
# So many waiting jobs are asked in each turn whether somebody has cancelled them: each question reads a file.
ASKED_EACH_TURN = 5


@dataclass(eq=False)
class Waiter(Generic[T]):
    """A job that waits.

    :param wish: what it waits for.
    :param is_cancelled: whether somebody has cancelled it; asked on a thread.
    :param done: set when it has waited enough.
    """

    wish: T
    is_cancelled: IsCancelled | None
    done: asyncio.Future[None]


class WaitingRoom(ABC, Generic[T]):
    """Lets jobs go as what they wait for comes.

    :param what: what is waited for, for the log.
    :param pause: seconds between two looks.
    """

    def __init__(self, what: str, pause: float) -> None:
        self.waiters: list[Waiter[T]] = []
        self._what = what
        self._pause = pause
        self._server: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._next_asked = 0

    async def wait(self, wish: T, seconds: float, *, is_cancelled: IsCancelled | None = None) -> None:
        """Wait until the job may have what it wants, was cancelled, or the time is over: then it looks for itself.

        :param seconds: how long to wait at most.
        :param is_cancelled: asked now and then on a thread.
        """
        waiter = Waiter(wish, is_cancelled, asyncio.get_running_loop().create_future())
        self.waiters.append(waiter)
        if self._server is None:
            self._server = asyncio.get_running_loop().create_task(self._serve(), context=Context())
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await waiter.done
        except TimeoutError:
            pass
        finally:
            if waiter in self.waiters:
                self.waiters.remove(waiter)
            self._changed.set()

    @abstractmethod
    async def look(self, pause: float) -> float:
        """Look once, and let go whom it is time to let go.

        :param pause: seconds since the last look.
        :returns: seconds until the next one.
        """

    def open(self) -> AbstractAsyncContextManager[None]:
        """Hold what looking needs for as long as somebody waits."""
        return nullcontext()

    async def on_error(self, error: KlingVideoError) -> None:
        """Do what an error of a look calls for; it is told, and the next look comes later."""

    def let_go(self, waiter: Waiter[T]) -> None:
        """End the wait of a job."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
        if not waiter.done.done():
            waiter.done.set_result(None)

    async def _serve(self) -> None:
        pause = self._pause
        async with self.open():
            try:
                while self.waiters:
                    pause = await self._turn(pause)
                    await self._rest(pause)
            finally:
                self._server = None

    async def _turn(self, pause: float) -> float:
        try:
            pause = await self.look(pause)
            await self._ask_some()
        except KlingVideoError as error:
            log.warning("Looking for %s: %s", self._what, error)
            # One look a minute harms nobody; a slot that nobody takes for an hour does.
            pause = bounded_pause(error.retry_after, least=pause * 2, left=LONGEST_PAUSE)
            await self.on_error(error)
        except Exception:
            log.exception("Looking for %s failed", self._what)
            pause = min(pause * 2, LONGEST_PAUSE)
        return pause

    async def _rest(self, seconds: float) -> None:
        """Pause, but not when nobody waits any more."""
        try:
            async with asyncio.timeout(seconds):
                while self.waiters:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    async def _ask_some(self) -> None:
        """Ask a few of those that wait, in turns, whether they were cancelled."""
        asked = [(waiter, waiter.is_cancelled) for waiter in self.waiters if waiter.is_cancelled]
        for step in range(min(ASKED_EACH_TURN, len(asked))):
            waiter, is_cancelled = asked[(self._next_asked + step) % len(asked)]
            if await asyncio.to_thread(is_cancelled):
                self.let_go(waiter)
        self._next_asked += ASKED_EACH_TURN
