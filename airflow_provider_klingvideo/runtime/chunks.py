"""The jobs of a compact batch's task: from its rows to their records, and through their states.

Loaded when a task runs, never when a DAG file is parsed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo._compat import AirflowException
from airflow_provider_klingvideo.runtime import configuration
from airflow_provider_klingvideo.runtime.session import (
    airflow_errors,
    board_folder,
    budget_of,
    log_transition,
    open_steps,
    origin_of,
    row_book,
    run_store,
    table_of,
)
from airflow_provider_klingvideo.triggers.batch import KlingVideoBatchTrigger
from airflow_provider_klingvideo.workflow import JobStore, WorkflowEngine, WorkflowJob
from airflow_provider_klingvideo.workflow.batch.run import BatchRun, Suspended, batch_job
from airflow_provider_klingvideo.workflow.job.job import utc_now
from airflow_provider_klingvideo.workflow.job.store import RecordOvertakenError
from airflow_provider_klingvideo.workflow.waiting.following import kind_of
from airflow_provider_klingvideo.workflow.waiting.timings import timing_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klingvideo.operators.batch import KlingVideoBatchOperator

log = logging.getLogger(__name__)

# A batch looks for itself at least so often.
LONGEST_DEFERRAL = timedelta(hours=1)
# Of those that wait for a slot, the first ones stand for all: when one may go, the batch looks for the rest.
HEADS = 20


@dataclass
class Chunk:
    """One task instance at work on some rows.

    :param task: the operator.
    :param store: the records of the batch.
    :param jobs: one for each row, in order.
    """

    task: KlingVideoBatchOperator
    store: JobStore
    jobs: list[WorkflowJob]

    @classmethod
    def load(cls, task: KlingVideoBatchOperator, context: Context) -> Chunk:
        """Read the rows of a task instance, and make or find the records of their jobs.

        :raises AirflowException: when the rows are missing or the budget makes no sense.
        """
        store = run_store(context, task.output_path, task.batch)
        with airflow_errors():
            rows = row_book(task, context).read()
            chosen = task.chunk or {"first": 0, "count": len(rows)}
            first = chosen["first"]
            known = {**origin_of(context), "budget": budget_of(task, context), "priority": int(task.priority)}
            jobs = [
                batch_job(store, row.job_id, row.request, turn=turn_of(task, context), metadata=known)
                for row in rows[first : first + chosen["count"]]
            ]
        return cls(task, store, jobs)

    def work(self) -> Suspended | None:
        """Process the jobs until all have ended, or until nothing is due for a while.

        :returns: what is waited for then.
        :raises AirflowException: when records could not be kept; the next try goes on from those that could.
        """
        try:
            with airflow_errors():
                return asyncio.run(self._process())
        except RecordOvertakenError as error:
            raise AirflowException(str(error)) from error

    async def _process(self) -> Suspended | None:
        task = self.task
        engine = WorkflowEngine(table_of(task), store=self.store, on_transition=log_transition)
        async with open_steps(task.klingai_conn_id, task.output_path, self.store, task.step_overrides()) as steps:
            run = BatchRun(
                engine,
                steps,
                generation_number=int(task.generation_number),
                regenerate_failed=task.regenerate_failed,
                on_changed_request=task.on_changed_request,
            )
            return await run.run(self.jobs, patience=task.patience if task.deferrable else None)

    def trigger(self, suspended: Suspended) -> KlingVideoBatchTrigger:
        """Return the trigger that waits for what the jobs wait for."""
        jobs = {job.id: job for job in self.jobs}
        followed: list[dict[str, Any]] = [
            {
                "task_id": watch.task_id,
                "kind": kind_of(jobs[job_id]),
                "submitted_at": watch.submitted_at.isoformat(),
                "deadline": watch.deadline.isoformat(),
                "window": list(watch.window),
                "timing": timing_key(jobs[job_id]),
            }
            for job_id, watch in suspended.followed.items()
        ]
        deadlines = [watch.deadline for watch in suspended.followed.values()]
        return KlingVideoBatchTrigger(
            klingai_conn_id=self.task.klingai_conn_id,
            followed=followed,
            queued=[asdict(place) for place in suspended.queued[:HEADS]],
            board_path=str(board_folder(self.task.klingai_conn_id, self.task.output_path)),
            until=min([*deadlines, utc_now() + LONGEST_DEFERRAL]).isoformat(),
            pause_seconds=configuration.slot_pause_seconds(),
            minimum_seconds=configuration.minimum_deferral_seconds(),
        )


def turn_of(task: KlingVideoBatchOperator, context: Context) -> str:
    """Name what a person has started: a run, or a clear of it. Airflow's own tries do not count."""
    ti = context["ti"]
    cleared = (ti.max_tries or 0) - (task.retries or 0)
    return f"{ti.run_id}#{cleared}"
