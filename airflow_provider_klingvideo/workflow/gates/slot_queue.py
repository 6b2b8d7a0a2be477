"""Waiting for a slot: one loop for all jobs of a process that wait with the same connection."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from uuid import uuid4

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import AsyncKlingClient, Task
from airflow_provider_klingvideo.workflow.gates.quota import learn_quota
from airflow_provider_klingvideo.workflow.gates.slots import Place, Slots
from airflow_provider_klingvideo.workflow.waiting.pauses import bounded_pause
from airflow_provider_klingvideo.workflow.waiting.shared_client import SharedClient

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0
# So many waiting jobs are asked in each turn whether somebody has cancelled them: each question reads a file.
ASKED_EACH_TURN = 5


@dataclass(eq=False)
class _Waiter:
    place: Place
    is_cancelled: Callable[[], bool] | None
    done: asyncio.Future[None]


class SlotQueue:
    """Lets jobs go as slots become free, the highest priority first, then the oldest.

    :param client: asks the vendor what runs.
    :param slots: returns who gives the slots, once the client is open.
    :param pause: seconds between two looks.
    :param on_look: told the pack and what the vendor runs of it, at every look.
    """

    def __init__(
        self,
        client: SharedClient,
        slots: Callable[[], Slots],
        *,
        pause: float,
        on_look: Callable[[str, Sequence[Task]], None],
    ) -> None:
        self._client = client
        self._slots = slots
        self._on_look = on_look
        self._pause = pause
        self._name = uuid4().hex[:8]
        self._waiters: list[_Waiter] = []
        self._server: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._next_asked = 0

    async def wait(self, place: Place, seconds: float, *, is_cancelled: Callable[[], bool] | None = None) -> None:
        """Wait until a job has been given a slot, was cancelled, or the time is over: then it looks for itself.

        :param seconds: how long to wait at most.
        :param is_cancelled: asked now and then on a thread.
        """
        waiter = _Waiter(place, is_cancelled, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        if self._server is None:
            self._server = asyncio.get_running_loop().create_task(self._serve(), context=Context())
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await waiter.done
        except TimeoutError:
            pass
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            self._changed.set()

    async def _serve(self) -> None:
        pause = self._pause
        async with self._client.held():
            try:
                while self._waiters:
                    try:
                        await self._turn()
                        pause = self._pause
                    except KlingVideoError as error:
                        log.warning("Looking for free slots: %s", error)
                        # One look a minute harms nobody; a slot that nobody takes for an hour does.
                        pause = bounded_pause(error.retry_after, least=pause * 2, left=LONGEST_PAUSE)
                        if not error.retryable:
                            # Each job looks for itself and tells the error, by what the connection says then.
                            await self._client.renew()
                            for waiter in list(self._waiters):
                                self._let_go(waiter)
                    except Exception:
                        log.exception("Looking for free slots failed")
                        pause = min(pause * 2, LONGEST_PAUSE)
                    await self._rest(pause)
            finally:
                self._server = None

    async def _rest(self, seconds: float) -> None:
        """Pause, but not when nobody waits any more."""
        try:
            async with asyncio.timeout(seconds):
                while self._waiters:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass

    async def _turn(self) -> None:
        client = await self._client.get()
        packs = defaultdict(list)
        for waiter in self._waiters:
            packs[waiter.place.pack].append(waiter)
        for pack, waiters in packs.items():
            await self._fill(client, pack, waiters)
        await self._ask_some()

    async def _fill(self, client: AsyncKlingClient, pack: str, waiters: list[_Waiter]) -> None:
        in_flight = await client.in_flight(pack)
        self._on_look(pack, in_flight)
        slots, places = self._slots(), [waiter.place for waiter in waiters]
        if await asyncio.to_thread(lambda: slots.knows_quota(pack) and slots.wants_quota(pack)):
            await learn_quota(client, slots, pack)
        granted = await asyncio.to_thread(lambda: slots.grant(places, in_flight, queue=self._name))
        for waiter in waiters:
            if waiter.place.job_id in granted:
                self._let_go(waiter)

    async def _ask_some(self) -> None:
        """Ask a few of those that wait, in turns, whether they were cancelled."""
        asked = [(waiter, waiter.is_cancelled) for waiter in self._waiters if waiter.is_cancelled]
        for step in range(min(ASKED_EACH_TURN, len(asked))):
            waiter, is_cancelled = asked[(self._next_asked + step) % len(asked)]
            if await asyncio.to_thread(is_cancelled):
                self._let_go(waiter)
        self._next_asked += ASKED_EACH_TURN

    def _let_go(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if not waiter.done.done():
            waiter.done.set_result(None)
