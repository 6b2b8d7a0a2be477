"""Waiting for a slot: one loop for all jobs of a process that wait with the same connection."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import AsyncKlingClient, Task
from airflow_provider_klingvideo.workflow.gates.slots.quota import learn_quota
from airflow_provider_klingvideo.workflow.gates.slots.slots import Place, Slots
from airflow_provider_klingvideo.workflow.gates.waiting_room import Waiter, WaitingRoom
from airflow_provider_klingvideo.workflow.waiting.shared_client import SharedClient


class SlotQueue(WaitingRoom[Place]):
    """Lets jobs go as slots become free, the highest priority first, then the oldest.

    :param client: asks Kling what runs.
    :param slots: returns who gives the slots, once the client is open.
    :param pause: seconds between two looks.
    :param on_look: told the pack and what Kling runs of it, at every look.
    """

    def __init__(
        self,
        client: SharedClient,
        slots: Callable[[], Slots],
        *,
        pause: float,
        on_look: Callable[[str, Sequence[Task]], None],
    ) -> None:
        super().__init__("free slots", pause)
        self._client = client
        self._slots = slots
        self._on_look = on_look
        self._usual_pause = pause
        self._name = uuid4().hex[:8]

    def open(self) -> AbstractAsyncContextManager[None]:
        """Hold the client."""
        return self._client.held()

    async def look(self, pause: float) -> float:
        """Give what slots there are."""
        client = await self._client.get()
        packs = defaultdict(list)
        for waiter in self.waiters:
            packs[waiter.wish.pack].append(waiter)
        for pack, waiters in packs.items():
            await self._fill(client, pack, waiters)
        return self._usual_pause

    async def on_error(self, error: KlingVideoError) -> None:
        """After an error that stays, each job looks for itself and tells it, by what the connection says then."""
        if not error.retryable:
            await self._client.renew()
            for waiter in list(self.waiters):
                self.let_go(waiter)

    async def _fill(self, client: AsyncKlingClient, pack: str, waiters: list[Waiter[Place]]) -> None:
        in_flight = await client.in_flight(pack)
        self._on_look(pack, in_flight)
        slots, places = self._slots(), [waiter.wish for waiter in waiters]
        if await asyncio.to_thread(lambda: slots.knows_quota(pack) and slots.wants_quota(pack)):
            await learn_quota(client, slots, pack)
        granted = await asyncio.to_thread(lambda: slots.grant(places, in_flight, queue=self._name))
        for waiter in waiters:
            if waiter.wish.job_id in granted:
                self.let_go(waiter)
