"""A batch without a scheduler: the same rows, records and states, in this very process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_klingvideo.runtime.batches.checks import checked_batch
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow.batch.judge import judged
from airflow_provider_klingvideo.workflow.batch.manifest import write_manifest
from airflow_provider_klingvideo.workflow.batch.row_book import Row
from airflow_provider_klingvideo.workflow.batch.run import BatchRun, JobTerms, batch_job
from airflow_provider_klingvideo.workflow.delivering import RenderListener
from airflow_provider_klingvideo.workflow.job.engine import TransitionListener
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.sections import Origin

FOLDER = "local"
NAME = "videos"


@dataclass(frozen=True)
class LocalBatch:
    """The jobs of a file.

    :param klingai_conn_id: the connection.
    :param output_path: folder for records and videos, a path or URI; None for the configured one.
    :param batch: names the batch; another run of the same batch makes only what is new, changed or had failed.
    :param render_plan: what is made of each video: JSON data or its text, None for the configured plan.
    :param on_invalid_rows: ``refuse`` the batch, or ``skip`` the rows that cannot be ordered.
    """

    klingai_conn_id: str
    output_path: str | None
    batch: str
    render_plan: Any = None
    on_invalid_rows: str = "refuse"
    rows: list[Row] = field(default_factory=list)
    jobs: list[WorkflowJob] = field(default_factory=list)

    def _session(self, on_transition: TransitionListener | None = None) -> Session:
        return Session(
            self.klingai_conn_id, self.output_path, lambda: {"plan": self.render_plan}, on_transition=on_transition
        )

    @property
    def refused(self) -> dict[int, str]:
        """Why rows are left out, by their numbers from 0 on."""
        return {index: row.refused for index, row in enumerate(self.rows) if row.refused is not None}

    @property
    def store(self) -> JobStore:
        """The records of the batch."""
        return self._session().store(FOLDER, self.batch)

    def load(self, source: str) -> list[WorkflowJob]:
        """Read and check the rows, and make or find their jobs; nothing is sent.

        :param source: path or URI of the file.
        :raises KlingVideoError: the connection, the rows, or records that lie there, cannot be read, or rows cannot be
            ordered.
        """
        session, store = self._session(), self.store
        self.rows[:] = checked_batch(session, store, session.row_book(store, NAME), source, self.on_invalid_rows)
        engine, origin = session.engine(store), Origin(batch=self.batch, turn=utc_now().isoformat())
        self.jobs[:] = [
            batch_job(engine, row.job_id, row.request, origin=origin, terms=JobTerms())
            for row in self.rows
            if row.refused is None
        ]
        return self.jobs

    async def make(
        self, on_transition: TransitionListener | None = None, on_rendering: RenderListener | None = None
    ) -> dict[str, Any]:
        """Make the videos.

        :param on_transition: called as ``on_transition(job, old, new)``.
        :param on_rendering: called as ``on_rendering(job, share)``, on other threads.
        :returns: the summary: counts by state, and the manifest's path.
        """
        store = self.store
        async with self._session(on_transition).driver(store, on_rendering=on_rendering) as driver:
            await BatchRun(driver.engine, driver.steps).run(self.jobs)
        refused = self.refused
        summary = judged(self.jobs, 0.0, refused=len(refused))
        made = iter(self.jobs)
        jobs = [None if index in refused else next(made) for index in range(len(self.rows))]
        keys = [row.key for row in self.rows]
        summary["manifest"] = write_manifest(store, NAME, jobs, summary, keys=keys, refused=refused)
        return summary
