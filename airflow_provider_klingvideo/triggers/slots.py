"""Waiting for a free slot without a worker."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_klingvideo.triggers.looking import QueueTrigger


class KlingVideoSlotTrigger(QueueTrigger):
    """Waits until a job has been given a slot, somebody has cancelled it, or it has waited long enough.

    The event says nothing: the task looks for itself. Nothing is ordered here. Arguments are stored in plain text.

    :param klingai_conn_id: the connection.
    :param job_id: the job that waits.
    :param pack: whose slots it needs: ``video``, ``image`` or ``try_on``.
    :param model: which model's.
    :param since: when it began to wait, seconds of the epoch; older ones go first.
    :param until: when to stop waiting, ISO 8601.
    :param board_path: folder of the notices about slots, a path or URI.
    :param records_path: where the records of the job's DAG run lie.
    :param priority: jobs with a higher one go first.
    :param revision: of the job.
    :param pause_seconds: between two looks.
    :param minimum_seconds: the event comes no sooner after the start.
    """

    arguments = (
        *("klingai_conn_id", "job_id", "pack", "model", "priority", "since", "until"),
        *("board_path", "records_path", "revision", "pause_seconds", "minimum_seconds"),
    )

    def __init__(
        self,
        klingai_conn_id: str,
        job_id: str,
        pack: str,
        model: str,
        since: float,
        until: str,
        board_path: str,
        records_path: str,
        priority: int = 0,
        revision: int = 1,
        pause_seconds: float = 3,
        minimum_seconds: float = 10,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.klingai_conn_id = klingai_conn_id
        self.job_id = job_id
        self.pack = pack
        self.model = model
        self.since = since
        self.until = until
        self.board_path = board_path
        self.records_path = records_path
        self.priority = priority
        self.revision = revision
        self.pause_seconds = pause_seconds
        self.minimum_seconds = minimum_seconds

    @property
    def waits_for(self) -> str:
        """The id of the job that waits."""
        return self.job_id

    async def queue(self, is_cancelled: Callable[[], bool]) -> None:
        """Wait until the job has been given a slot."""
        from airflow_provider_klingvideo.runtime.stations import station_of
        from airflow_provider_klingvideo.workflow.gates.slots.slots import Place

        place = Place(self.job_id, self.pack, self.model, self.priority, self.since)
        queue = await station_of(self.klingai_conn_id).queue(self.board_path, self.pause_seconds)
        await queue.wait(place, self.seconds_left, is_cancelled=is_cancelled)
