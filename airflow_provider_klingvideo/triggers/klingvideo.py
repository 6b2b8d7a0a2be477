"""Waiting for a task at Kling without a worker slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_klingvideo.triggers.loading import load_modules

if TYPE_CHECKING:
    from airflow_provider_klingvideo.workflow.waiting.watch import Ended


ARGUMENTS = (
    *("klingai_conn_id", "vendor_task_id", "kind", "submitted_at", "deadline", "typical_seconds", "window", "timing"),
    *("poll_min_seconds", "poll_max_seconds", "minimum_seconds", "job_id", "records_path"),
)
ENDED_RUNS = ("success", "failed")
_notes: set[asyncio.Future[None]] = set()


class KlingVideoTaskTrigger(BaseTrigger):
    """Asks about one task at Kling until it has ended or its deadline has come; it submits and loads nothing.

    Its arguments are stored in plain text: no credentials, no signed address.

    :param klingai_conn_id: the connection.
    :param vendor_task_id: Kling's id of the task; the triggerer writes the Airflow task's name into ``task_id``.
    :param kind: the product, for example ``text_to_video``.
    :param submitted_at: when Kling accepted the task, ISO 8601.
    :param deadline: when to stop waiting, ISO 8601; it stays the same when the triggerer is restarted.
    :param typical_seconds: how long such a task usually takes.
    :param window: when such tasks ended lately: from and to, in seconds; None where that is not known.
    :param timing: what tasks that take about the same time have in common, so that one tells about the others.
    :param poll_min_seconds: shortest pause between two questions.
    :param poll_max_seconds: longest pause.
    :param minimum_seconds: the event comes no sooner after the start.
    :param job_id: the job that waits.
    :param records_path: where the records of the job's DAG run lie; None keeps the trigger from writing to the record.
    """

    def __init__(
        self,
        klingai_conn_id: str,
        vendor_task_id: str,
        kind: str,
        submitted_at: str,
        deadline: str,
        typical_seconds: float = 60,
        poll_min_seconds: float = 2,
        poll_max_seconds: float = 30,
        minimum_seconds: float = 10,
        job_id: str | None = None,
        records_path: str | None = None,
        window: list[float] | None = None,
        timing: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.klingai_conn_id = klingai_conn_id
        self.vendor_task_id = vendor_task_id
        self.kind = kind
        self.submitted_at = submitted_at
        self.deadline = deadline
        self.typical_seconds = typical_seconds
        self.poll_min_seconds = poll_min_seconds
        self.poll_max_seconds = poll_max_seconds
        self.minimum_seconds = minimum_seconds
        self.job_id = job_id
        self.records_path = records_path
        self.window = window
        self.timing = timing
        self._has_fired = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in ARGUMENTS}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: ``vendor_task_id`` and the fields of :class:`Ended`."""
        earliest = asyncio.get_running_loop().time() + self.minimum_seconds
        ended = await self._followed()
        await asyncio.sleep(max(0.0, earliest - asyncio.get_running_loop().time()))
        self._has_fired = True
        yield TriggerEvent({"vendor_task_id": self.vendor_task_id, **ended.as_event()})  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Put on record that nobody waits any more, if that is so; nothing can be cancelled at Kling.

        Airflow (3.3 and newer) calls this when a person ends the wait, but also after the event, when another
        triggerer takes over, and while a cleared task begins anew. Only when the whole run has been ended does no task
        follow that would keep the record.
        """
        if self._has_fired:
            return
        # Airflow cancels a killed trigger once more in every turn of its loop, on_kill included: the note is written
        # by a task of its own.
        note = asyncio.ensure_future(self._note_the_end())
        _notes.add(note)
        note.add_done_callback(_notes.discard)
        await asyncio.shield(note)

    async def _note_the_end(self) -> None:
        from asgiref.sync import sync_to_async

        ending = await self._ending_of_the_run()
        if ending is None:
            self.log.info("Task %s is not followed here any more; it runs on at Kling.", self.vendor_task_id)
            return
        self.log.warning(
            "The DAG run was ended as %s; task %s runs on at Kling, is billed, and can be adopted.",
            ending,
            self.vendor_task_id,
        )
        await sync_to_async(self._abandon)(f"the DAG run was ended as {ending}")

    async def _ending_of_the_run(self) -> str | None:
        """The state of the DAG run, None while it goes on."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
        from asgiref.sync import sync_to_async

        ti: Any = self.task_instance
        if ti is None:
            return None
        state = await sync_to_async(RuntimeTaskInstance.get_dagrun_state)(ti.dag_id, ti.run_id)
        return next((ended for ended in ENDED_RUNS if state == ended), None)

    def _abandon(self, cause: str) -> None:
        from airflow_provider_klingvideo.runtime.session import Session
        from airflow_provider_klingvideo.workflow import WorkflowState
        from airflow_provider_klingvideo.workflow.job.closing import close

        if self.records_path is None or self.job_id is None:
            return
        session = Session(self.klingai_conn_id)
        store = session.store_at(self.records_path)
        job = store.load(self.job_id)
        if job and job.state is WorkflowState.GENERATING and job.klingai_job_id == self.vendor_task_id:
            close(session.engine(store), job, cause)
            store.save(job)

    async def _followed(self) -> Ended:
        await load_modules()
        from airflow_provider_klingvideo.runtime.stations import station_of
        from airflow_provider_klingvideo.workflow.waiting.watch import Ended, GenerationWatch, Outcome, PollPolicy

        try:
            watch = GenerationWatch(
                self.vendor_task_id,
                submitted_at=datetime.fromisoformat(self.submitted_at),
                deadline=datetime.fromisoformat(self.deadline),
                typical_seconds=self.typical_seconds,
                window=(self.window[0], self.window[1]) if self.window else None,
                policy=PollPolicy(min_seconds=self.poll_min_seconds, max_seconds=self.poll_max_seconds),
            )
            return await station_of(self.klingai_conn_id).broker.follow(watch, self.kind, self.timing)
        except Exception as error:
            self.log.exception("Following task %s failed", self.vendor_task_id)
            return Ended(Outcome.LOST, f"{type(error).__name__}: {error}")
