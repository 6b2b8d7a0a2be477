"""Waiting for budget without a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_klingvideo.triggers.looking import QueueTrigger


class KlingVideoBudgetTrigger(QueueTrigger):
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

    @property
    def waits_for(self) -> str:
        """The id of the job that waits."""
        return self.need["holder"]

    async def queue(self, is_cancelled: Callable[[], bool]) -> None:
        """Wait until the budget has what the job needs."""
        from airflow_provider_klingvideo.runtime.stations import station_of
        from airflow_provider_klingvideo.workflow.gates.budgets.queue import BudgetNeed

        queue = station_of(self.klingai_conn_id).budgets(self.pause_seconds)
        await queue.wait(BudgetNeed(**self.need), self.seconds_left, is_cancelled=is_cancelled)
