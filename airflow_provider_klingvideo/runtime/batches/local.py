"""A batch without a scheduler: the same rows, records and states, in this very process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_klingvideo.runtime.batches.checks import checked_batch
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow.batch.checking import FamilyFor
from airflow_provider_klingvideo.workflow.batch.judge import judged
from airflow_provider_klingvideo.workflow.batch.manifest import write_manifest
from airflow_provider_klingvideo.workflow.batch.row_book import Row, RowBook
from airflow_provider_klingvideo.workflow.batch.run import BatchRun, JobTerms, batch_job
from airflow_provider_klingvideo.workflow.delivering import RenderListener
from airflow_provider_klingvideo.workflow.inputs.creation import (
    RESUMABLE_ENDS,
    asked_for,
    is_same_request,
    request_of,
)
from airflow_provider_klingvideo.workflow.job.engine import TransitionListener
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.sections import ExpectedPrice, Origin
from airflow_provider_klingvideo.workflow.ordering.preparation import expected_price

FOLDER = "local"
NAME = "videos"


@dataclass(frozen=True)
class PlannedRow:
    """What would become of a row.

    :param row: the row; one that is left out says why.
    :param state: of its job on record, empty where there is none.
    :param is_ordered: whether it would be ordered, as far as the records tell.
    :param price: what it would cost, None where that is not known.
    """

    row: Row
    state: str = ""
    is_ordered: bool = False
    price: ExpectedPrice | None = None


class _UnwrittenBook(RowBook):
    """Rows that are looked at and not kept."""

    def keep(self, rows: Sequence[Row]) -> None:
        """Leave the rows of the last run as they are."""


@dataclass(frozen=True)
class LocalBatch:
    """The jobs of a file.

    :param klingai_conn_id: the connection.
    :param output_path: folder for records and videos, a path or URI; None for the configured one.
    :param batch: names the batch; another run of the same batch makes only what is new, changed or had failed.
    :param render_plan: what is made of each video: JSON data or its text, None for the configured plan.
    :param on_invalid_rows: ``refuse`` the batch, or ``skip`` the rows that cannot be ordered.
    :param regenerate_failed: order another video where Kling has confirmed that the last one failed.
    """

    klingai_conn_id: str
    output_path: str | None
    batch: str
    render_plan: Any = None
    on_invalid_rows: str = "refuse"
    regenerate_failed: bool = False
    rows: list[Row] = field(default_factory=list)
    jobs: list[WorkflowJob] = field(default_factory=list)

    def _session(self, on_transition: TransitionListener | None = None) -> Session:
        options = {"plan": self.render_plan, "regenerate_failed": self.regenerate_failed or None}
        return Session(self.klingai_conn_id, self.output_path, lambda: options, on_transition=on_transition)

    @property
    def refused(self) -> dict[int, str]:
        """Why rows are left out, by their numbers from 0 on."""
        return {index: row.refused for index, row in enumerate(self.rows) if row.refused is not None}

    @property
    def store(self) -> JobStore:
        """The records of the batch."""
        return self._session().store(FOLDER, self.batch)

    def plan(self, source: Any) -> list[PlannedRow]:
        """Read and check the rows, and say what each would cost; nothing is sent, and no row or job is kept.

        :param source: see :meth:`load`.
        :raises KlingVideoError: as :meth:`load` does.
        """
        session, store = self._session(), self.store
        rows = checked_batch(session, store, _UnwrittenBook(store.base, NAME), source, self.on_invalid_rows)
        with session.connection.client() as client:
            return [
                PlannedRow(row) if row.refused is not None else self._planned(row, session, store, client.family_for)
                for row in rows
            ]

    def _planned(self, row: Row, session: Session, store: JobStore, family_for: FamilyFor) -> PlannedRow:
        job = store.load(row.job_id)
        if job and is_same_request(job, row.request) and not self._is_ordered_again(job):
            return PlannedRow(row, str(job.state))
        request, api = request_of(*asked_for(session.opened(row.request)))
        price = expected_price(request, family_for(request, api), session.settings.terms)
        return PlannedRow(row, str(job.state) if job else "", is_ordered=True, price=price)

    def _is_ordered_again(self, job: WorkflowJob) -> bool:
        """Whether another task is ordered for a job of the same request: a video that may be there is taken instead."""
        verdicts = [call.verdict for call in job.submissions]
        return job.state in RESUMABLE_ENDS and (not verdicts or (verdicts[-1] == "failed" and self.regenerate_failed))

    def load(self, source: Any) -> list[WorkflowJob]:
        """Read and check the rows, and make or find their jobs; nothing is sent.

        :param source: path or URI of the file, or a list of requests.
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
