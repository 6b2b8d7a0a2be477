"""The jobs of a compact batch's task: from its rows to their records, and through their states.

Loaded when a task runs, never when a DAG file is parsed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_klingvideo._compat import AirflowException
from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors
from airflow_provider_klingvideo.runtime.places import (
    JobTask,
    origin_of,
    row_book_of,
    session_of,
    store_of,
    terms_of,
    turn_of,
)
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow.batch.run import BatchRun, Suspended, batch_job
from airflow_provider_klingvideo.workflow.inputs.creation import with_another_take
from airflow_provider_klingvideo.workflow.job.store import RecordOvertakenError

if TYPE_CHECKING:
    from airflow.sdk import Context

# A batch looks for itself at least so often.
LONGEST_DEFERRAL = timedelta(hours=1)


class ChunkTask(JobTask, Protocol):
    """A task that makes the videos of some rows."""

    chunk: Mapping[str, int] | None
    patience: float
    deferrable: bool

    def option(self, name: str) -> Any:
        """Return the value of an option."""


@dataclass
class Chunk:
    """One task instance at work on some rows.

    :param task: the operator.
    :param session: what it works with.
    :param store: the records of the batch.
    :param jobs: one for each row, in order.
    """

    task: ChunkTask
    session: Session
    store: JobStore
    jobs: list[WorkflowJob]

    @classmethod
    def load(cls, task: ChunkTask, context: Context, *, is_beginning: bool) -> Chunk:
        """Read the rows of a task instance, and make or find the records of their jobs.

        :param is_beginning: see :func:`batch_job`.
        :raises AirflowException: when the rows are missing or the budget makes no sense.
        """
        with airflow_errors():
            session = session_of(task)
            store = store_of(session, context, task.batch)
            rows = row_book_of(session, task, context).read()
            chosen = task.chunk or {"first": 0, "count": len(rows)}
            first = chosen["first"]
            turn = turn_of(task, context)
            terms, engine, take = terms_of(session, task, context), session.engine(store), task.option("take")
            made = (
                batch_job(
                    engine,
                    row.job_id,
                    row.request,
                    origin=origin_of(context, batch=task.batch, row=row.key, turn=turn),
                    terms=terms,
                    is_beginning=is_beginning,
                )
                for row in rows[first : first + chosen["count"]]
            )
            jobs = [with_another_take(engine, job, take) for job in made]
        return cls(task, session, store, jobs)

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
        patience: Any = self.task.patience if self.task.deferrable else None
        async with self.session.driver(self.store) as driver:
            return await BatchRun(driver.engine, driver.steps).run(self.jobs, patience=patience)
