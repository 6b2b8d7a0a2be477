"""Waiting for budget without a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_klingvideo.triggers.loading import load_modules

ARGUMENTS = (
    *("klingai_conn_id", "need", "until"),
    *("records_path", "revision", "pause_seconds", "minimum_seconds"),
)


class KlingVideoBudgetTrigger(BaseTrigger):
    """Waits until a budget has what a job needs, somebody has cancelled the job, or it has waited long enough.

    The event says nothing: the task looks for itself. Nothing is ordered here. Arguments are stored in plain text.

    :param klingai_conn_id: the connection.
    :param need: what the job needs of its budget: ``folder``, ``limit``, ``holder`` (the job) and ``units``.
    :param until: when to stop waiting, ISO 8601.
    :param records_path: where the records of the job's DAG run lie.
    :param revision: of the job.
    :param pause_seconds: between two looks; up to a minute while nothing changes.
    :param minimum_seconds: the event comes no sooner after the start.
    """

    def __init__(
        self,
        klingai_conn_id: str,
        need: Mapping[str, str],
        until: str,
        records_path: str,
        revision: int = 1,
        pause_seconds: float = 3,
        minimum_seconds: float = 10,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.klingai_conn_id = klingai_conn_id
        self.need = need
        self.until = until
        self.records_path = records_path
        self.revision = revision
        self.pause_seconds = pause_seconds
        self.minimum_seconds = minimum_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in ARGUMENTS}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, the job's id."""
        earliest = asyncio.get_running_loop().time() + self.minimum_seconds
        try:
            await self._wait()
        except Exception:
            # The task looks for itself, and tells what is wrong where a person sees it.
            self.log.exception("Waiting for budget failed")
        await asyncio.sleep(max(0.0, earliest - asyncio.get_running_loop().time()))
        yield TriggerEvent({"job_id": self.need["holder"]})  # type: ignore[no-untyped-call]

    async def _wait(self) -> None:
        await load_modules()
        from asgiref.sync import sync_to_async

        from airflow_provider_klingvideo.runtime.session import Session
        from airflow_provider_klingvideo.runtime.stations import station_of
        from airflow_provider_klingvideo.workflow.gates.budgets.queue import BudgetNeed

        need = BudgetNeed(**self.need)
        store = await sync_to_async(Session(self.klingai_conn_id).store_at)(self.records_path)
        seconds = (datetime.fromisoformat(self.until) - datetime.now(UTC)).total_seconds()
        queue = station_of(self.klingai_conn_id).budgets(self.pause_seconds)
        await queue.wait(
            need, seconds, is_cancelled=lambda: store.cancel_reason(need.holder, self.revision) is not None
        )
