"""Waiting for the next thing to do for a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from airflow_provider_klingvideo.triggers.loading import load_modules
from airflow_provider_klingvideo.triggers.looking import LookingTrigger


class KlingVideoBatchTrigger(LookingTrigger):
    """Waits until a task at Kling of a batch has ended, or a slot is free for one of its jobs.

    The event says nothing: the task looks for itself. Nothing is ordered here. Arguments are stored in plain text.

    :param klingai_conn_id: the connection.
    :param followed: the tasks at Kling: ``task_id``, ``kind``, ``submitted_at`` and ``deadline`` (ISO 8601), ``window``
        (from and to, seconds), ``timing``.
    :param queued: the places of those that wait for a slot, the first in turn: ``job_id``, ``pack``, ``model``,
        ``priority``, ``since``.
    :param short: what jobs need of their budgets, the first in turn: ``folder``, ``limit``, ``holder``, ``units``.
    :param board_path: folder of the notices about slots, a path or URI.
    :param until: when to wake the batch in any case, ISO 8601.
    :param linger_seconds: after the first task has ended, wait so long for others, so that one resume serves several;
        not where jobs wait for its slot.
    :param pause_seconds: between two looks for a slot.
    :param poll_min_seconds: shortest pause between two questions.
    :param poll_max_seconds: longest pause.
    :param minimum_seconds: the event comes no sooner after the start.
    """

    arguments = (
        *("klingai_conn_id", "followed", "queued", "board_path", "until"),
        *("short", "linger_seconds", "pause_seconds", "poll_min_seconds", "poll_max_seconds", "minimum_seconds"),
    )

    def __init__(
        self,
        klingai_conn_id: str,
        followed: Sequence[Mapping[str, Any]],
        queued: Sequence[Mapping[str, Any]],
        board_path: str,
        until: str,
        linger_seconds: float = 20,
        pause_seconds: float = 3,
        poll_min_seconds: float = 2,
        poll_max_seconds: float = 30,
        minimum_seconds: float = 10,
        short: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.klingai_conn_id = klingai_conn_id
        self.followed = followed
        self.queued = queued
        self.board_path = board_path
        self.until = until
        self.linger_seconds = linger_seconds
        self.pause_seconds = pause_seconds
        self.poll_min_seconds = poll_min_seconds
        self.poll_max_seconds = poll_max_seconds
        self.minimum_seconds = minimum_seconds
        self.short = short

    async def wait(self) -> None:
        """Return when the task is to look."""
        await load_modules()
        seconds = self.seconds_left
        wanted = (*self._ends(), *await self._slots(seconds), *self._budgets(seconds))
        waits = {asyncio.ensure_future(wait) for wait in wanted}
        try:
            _, left = await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
            if left and not self.queued and not self.short:
                await asyncio.wait(left, timeout=self.linger_seconds)
        finally:
            for wait in waits:
                wait.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*waits, return_exceptions=True)

    def _ends(self) -> list[Any]:
        from airflow_provider_klingvideo.runtime.stations import station_of
        from airflow_provider_klingvideo.workflow.waiting.watch import GenerationWatch, PollPolicy

        broker = station_of(self.klingai_conn_id).broker
        policy = PollPolicy(min_seconds=self.poll_min_seconds, max_seconds=self.poll_max_seconds)
        return [
            broker.follow(
                GenerationWatch(
                    one["task_id"],
                    submitted_at=datetime.fromisoformat(one["submitted_at"]),
                    deadline=datetime.fromisoformat(one["deadline"]),
                    typical_seconds=one["window"][1],
                    window=(one["window"][0], one["window"][1]),
                    policy=policy,
                ),
                one["kind"],
                one["timing"],
            )
            for one in self.followed
        ]

    def _budgets(self, seconds: float) -> list[Any]:
        from airflow_provider_klingvideo.runtime.stations import station_of
        from airflow_provider_klingvideo.workflow.gates.budgets.queue import BudgetNeed

        queue = station_of(self.klingai_conn_id).budgets(self.pause_seconds)
        return [queue.wait(BudgetNeed(**one), seconds) for one in self.short]

    async def _slots(self, seconds: float) -> list[Any]:
        from airflow_provider_klingvideo.runtime.stations import station_of
        from airflow_provider_klingvideo.workflow.gates.slots.slots import Place

        queue = await station_of(self.klingai_conn_id).queue(self.board_path, self.pause_seconds)
        return [queue.wait(Place(**one), seconds) for one in self.queued]
