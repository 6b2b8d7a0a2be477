"""Waiting for budget: one cheap look now and then for all jobs of a process that wait with the same budget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_klingvideo.storage.listing import Entry
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.workflow.gates.budgets.book import BudgetBook, claimed
from airflow_provider_klingvideo.workflow.gates.budgets.holdings import NO_UNITS, Holdings, fits, own
from airflow_provider_klingvideo.workflow.gates.waiting_room import LONGEST_PAUSE, IsCancelled, WaitingRoom

OpenFolder = Callable[[str], Awaitable[StorePath]]
"""Opens a path or URI without blocking the event loop."""

# Units for which a job was let go are kept for it for so long; a job that has not taken them by then will not.
PROMISE_SECONDS = 120.0


@dataclass(frozen=True)
class BudgetNeed:
    """What a job waits for, as JSON values.

    :param folder: the budget's folder, a path or URI.
    :param limit: units of the budget, a decimal number as text.
    :param holder: the job.
    :param units: what the job needs to hold altogether, what it holds already included, a decimal number as text.
    """

    folder: str
    limit: str
    holder: str
    units: str


class BudgetQueue:
    """Lets jobs go when their budget has what they need, the one that has waited longest first.

    They reserve it themselves: a job that is let go may still come too late, and waits again.

    :param open_folder: see :data:`OpenFolder`.
    :param pause: seconds between two looks; longer and longer ones, up to a minute, while nothing changes.
    """

    def __init__(self, open_folder: OpenFolder, *, pause: float) -> None:
        self._open_folder = open_folder
        self._pause = pause
        self._rooms: dict[str, _Room] = {}

    async def wait(self, need: BudgetNeed, seconds: float, *, is_cancelled: IsCancelled | None = None) -> None:
        """Wait until the budget has what a job needs, the job was cancelled, or the time is over.

        :param seconds: how long to wait at most.
        :param is_cancelled: asked now and then on a thread.
        """
        if need.folder not in self._rooms:
            folder = await self._open_folder(need.folder)
            self._rooms.setdefault(need.folder, _Room(BudgetBook(folder), self._pause))
        room = self._rooms[need.folder]
        try:
            await room.wait(need, seconds, is_cancelled=is_cancelled)
        finally:
            if not room.waiters:
                self._rooms.pop(need.folder, None)


class _Room(WaitingRoom[BudgetNeed]):
    def __init__(self, book: BudgetBook, pause: float) -> None:
        super().__init__("free budget", pause)
        self._book = book
        self._usual_pause = pause
        self._seen: tuple[Entry, ...] | None = None
        self._promises: list[_Promise] = []

    async def look(self, pause: float) -> float:
        page = await asyncio.to_thread(self._book.look)
        self._fill(page.state, claimed(page.files))
        seen, self._seen = self._seen, page.files
        return self._usual_pause if seen != page.files else min(pause * 2, LONGEST_PAUSE)

    def _fill(self, held: Holdings, claims: Mapping[str, Decimal]) -> None:
        """Let those go for whom there is enough, beside those who were let go and have not reserved yet."""
        now = time.monotonic()
        self._promises = [one for one in self._promises if one.until > now and one.missing(held, claims)]
        for waiter in list(self.waiters):
            need, units = waiter.wish, Decimal(waiter.wish.units)
            kept = sum((one.missing(held, claims) for one in self._promises if one.holder != need.holder), NO_UNITS)
            if fits(held, claims, need.holder, units, Decimal(need.limit) - kept):
                self._promises.append(_Promise(need.holder, units, now + PROMISE_SECONDS))
                self.let_go(waiter)


@dataclass(frozen=True)
class _Promise:
    holder: str
    units: Decimal
    until: float

    def missing(self, held: Holdings, claims: Mapping[str, Decimal]) -> Decimal:
        """Return the units that the job has not reserved yet."""
        return max(NO_UNITS, self.units - own(held, claims, self.holder))
