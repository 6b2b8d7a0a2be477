"""The verdict over all jobs of a batch, whatever its granularity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_klingvideo.runtime.places import JobTask, job_key_of, name_of, row_book_of, session_of, store_of
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.runtime.upstream import Upstream
from airflow_provider_klingvideo.workflow import JobStore
from airflow_provider_klingvideo.workflow.batch.judge import close_unended, judged
from airflow_provider_klingvideo.workflow.batch.manifest import write_manifest
from airflow_provider_klingvideo.workflow.story import told_of_failed

if TYPE_CHECKING:
    from airflow.sdk import Context

CAUSE = "its tasks ended without recording a result, or were stopped by a person or by Airflow"


class VerdictTask(JobTask, Protocol):
    """A task that judges a batch."""

    requests: Any
    max_failed_share: float


@dataclass
class BatchVerdict:
    """One batch to be judged.

    :param task: the operator.
    :param context: Airflow's context.
    :param session: what it works with.
    :param store: the records of the batch.
    """

    task: VerdictTask
    context: Context
    session: Session
    store: JobStore
    failed: Sequence[str] = ()
    """The jobs that did not succeed, with their reasons, once the batch was judged."""

    @classmethod
    def over(cls, task: VerdictTask, context: Context) -> BatchVerdict:
        """Find the records of the batch that a task judges."""
        session = session_of(task)
        return cls(task, context, session, store_of(session, context, task.batch))

    def summary(self) -> dict[str, Any]:
        """Close what has not ended, judge, and write the manifest.

        :returns: see :func:`judged`; and ``manifest``, its path.
        """
        task, key = self.task, job_key_of(self.task)
        rows = row_book_of(self.session, task, self.context).all() if task.batch else ()
        refused = {index: row.refused for index, row in enumerate(rows) if row.refused is not None}
        ids = [row.job_id for row in rows] or self._ids(key)
        jobs = [None if index in refused else self.store.load(one) for index, one in enumerate(ids)]
        for job in close_unended(self.session.engine(self.store), [one for one in jobs if one], CAUSE):
            self.session.reservations.settle(job)
        names = [row.key for row in rows] or [f"entry {number}" for number, _ in enumerate(ids, start=1)]
        self.failed = told_of_failed(
            (name, job) for index, (name, job) in enumerate(zip(names, jobs, strict=True)) if index not in refused
        )
        ordered = [job for index, job in enumerate(jobs) if index not in refused]
        failed_tasks = Upstream(task, self.context).failed
        summary = judged(ordered, task.max_failed_share, failed_tasks=failed_tasks, refused=len(refused))
        keys = [row.key for row in rows] or None
        manifest = write_manifest(self.store, key, jobs, summary, keys=keys, refused=refused)
        return {**summary, "manifest": manifest}

    def _ids(self, key: str) -> Sequence[str]:
        return [name_of(self.context, key, map_index=index) for index in range(len(self.task.requests))]
