"""Waiting for budget without a worker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_klingvideo.triggers.loading import load_modules
from airflow_provider_klingvideo.triggers.looking import LookingTrigger


class KlingVideoBudgetTrigger(LookingTrigger):
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

    arguments = (
        *("klingai_conn_id", "need", "until"),
        *("records_path", "revision", "pause_seconds", "minimum_seconds"),
    )

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

    def told(self) -> dict[str, Any]:
        """Return the job's id."""
        return {"job_id": self.need["holder"]}

    async def wait(self) -> None:
        """Return when the task is to look."""
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
