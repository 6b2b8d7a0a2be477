"""Comparing Kling's list of tasks with the job records, so that no paid video stays unnoticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import AsyncKlingClient, Task
from airflow_provider_klingvideo.kling.wire.tasks import TaskStatus
from airflow_provider_klingvideo.storage.protocols import is_there
from airflow_provider_klingvideo.workflow.handlers import VideoHandlers
from airflow_provider_klingvideo.workflow.job.closing import close
from airflow_provider_klingvideo.workflow.job.engine import WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.journal import Event
from airflow_provider_klingvideo.workflow.job.migrations import NewerRecordError
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, utc_now
from airflow_provider_klingvideo.workflow.job.sections import CheckedRequest, Origin
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.store import RECORD_NAME, JobStore, UnreadableRecordError
from airflow_provider_klingvideo.workflow.ordering.external_id import ExternalId
from airflow_provider_klingvideo.workflow.results import KEPT
from airflow_provider_klingvideo.workflow.steps import VideoSteps
from airflow_provider_klingvideo.workflow.waiting.following import result_facts

ADOPTED_FOLDER = "adopted"
# Whatever the product, its tasks are found by the query that this kind is asked with.
ANY_KIND = "text_to_video"


class Finding(StrEnum):
    """What a comparison can find about a task at Kling, or about a record."""

    FOLLOWED = "followed"
    LATE_RESULT = "late_result"
    ORPHAN = "orphan"
    UNCONFIRMED = "unconfirmed"
    MISSING = "missing"
    STALE = "stale"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"
    FREE_FAILURE = "free_failure"


NEXT_STEPS: Mapping[Finding, str] = {
    Finding.FOLLOWED: "",
    Finding.LATE_RESULT: "The video was paid and is there: clear the task generation of its run, or adopt it",
    Finding.ORPHAN: "The video was paid, and its record is lost: adopt it",
    Finding.UNCONFIRMED: "Whether it was ordered was not known: clear the task generating of its run, or adopt it",
    Finding.MISSING: "Check that the key and the region are those with which it was ordered",
    Finding.STALE: "Nobody works on it any more: clear a task of its run, or let its record be closed",
    Finding.UNREADABLE: "Restore the file, or upgrade if a newer version wrote it; a paid task may be named in it",
    Finding.FOREIGN: "",
    Finding.FREE_FAILURE: "",
}
ADOPTABLE = frozenset({Finding.LATE_RESULT, Finding.ORPHAN, Finding.UNCONFIRMED})
FINE = frozenset({Finding.FOLLOWED, Finding.FOREIGN, Finding.FREE_FAILURE})


@dataclass(frozen=True)
class Difference:
    """One finding.

    :param finding: what was found.
    :param job_id: the job that it is about, where that is known.
    :param job_state: the job's state on record, empty without a record.
    :param task_id: Kling's id, where it is known.
    :param external_task_id: our id of the task.
    :param vendor_status: Kling's word, empty when it does not list the task.
    :param bill: what Kling has billed, in words; None while it does not say.
    :param record: where the record lies.
    :param done: what was done about it; empty for a mere report.
    """

    finding: Finding
    job_id: str = ""
    job_state: str = ""
    task_id: str = ""
    external_task_id: str = ""
    vendor_status: str = ""
    bill: str | None = None
    record: str = ""
    done: str = ""

    @property
    def next_step(self) -> str:
        """What a person should do, empty when nothing."""
        return "" if self.done else NEXT_STEPS[self.finding]

    def as_json(self) -> dict[str, Any]:
        """Return the fields and the next step as JSON values."""
        return {**asdict(self), "finding": str(self.finding), "next_step": self.next_step}


@dataclass
class Report:
    """All findings of one comparison.

    :param rows: the findings.
    :param folder: the folder below which records were looked for.
    :param records: how many lie there.
    """

    rows: list[Difference] = field(default_factory=list)
    folder: str = ""
    records: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How often each finding was made."""
        return dict(Counter(str(row.finding) for row in self.rows))

    @property
    def open_rows(self) -> list[Difference]:
        """The findings about which somebody should do something."""
        return [row for row in self.rows if row.finding not in FINE and not row.done]

    def as_json(self) -> dict[str, Any]:
        """Return counts and rows as JSON values; other people's tasks are only counted."""
        shown = [row.as_json() for row in self.rows if row.finding is not Finding.FOREIGN]
        looked = {"folder": self.folder, "records": self.records}
        return {
            "at": utc_now().isoformat(),
            **looked,
            "counts": self.counts,
            "open": len(self.open_rows),
            "rows": shown,
        }


OpenStore = Callable[[JobStore], AbstractAsyncContextManager[tuple[WorkflowEngine, VideoSteps]]]
"""Opens what works on the jobs of a store, put together as for everybody else."""


@dataclass(frozen=True)
class _Known:
    """A submission on record."""

    store: JobStore
    job: WorkflowJob
    call: PaidCall


class Reconciler:
    """Compares, and adopts on demand. It never sends a create request.

    :param client: Kling's API, open.
    :param store: of the folder below which all records lie.
    :param open_store: opens engine and work of the states for a store, see :data:`OpenStore`.
    :param is_over: tells of a job whether its DAG run has ended; None where that is not known, then age decides.
    :param stale_after: seconds after which a record that nobody has touched counts as left behind.
    :param kept: how far back to look.
    """

    def __init__(
        self,
        client: AsyncKlingClient,
        store: JobStore,
        *,
        open_store: OpenStore,
        is_over: Callable[[WorkflowJob], bool | None] = lambda job: None,
        stale_after: float = 24 * 3600,
        kept: timedelta = KEPT,
    ) -> None:
        self._client = client
        self._store, self._base = store, store.base
        self._open = open_store
        self._is_over = is_over
        self._stale_after = timedelta(seconds=stale_after)
        self._since = utc_now() - kept

    async def compare(self, *, adopt: bool = False, close_stale: bool = False) -> Report:
        """Compare Kling's tasks with the records.

        :param adopt: load and store what was paid and is not followed.
        :param close_stale: end the records that nobody works on any more, as abandoned.
        """
        report = Report()
        # The tasks come first: an intent is on record before its task exists, so none of them looks like an orphan.
        began = utc_now()
        tasks = [task async for task in self._tasks()]
        records, unreadable = self._records()
        report.rows += unreadable
        report.folder, report.records = str(self._base), len(records) + len(unreadable)
        left_behind = {job.id for store, job in records if self._is_stale(job)}
        for store, job in records:
            if job.id in left_behind:
                report.rows.append(await self._stale(store, job, close_it=close_stale))
        known = {
            call.external_task_id or "": _Known(store, job, call) for store, job in records for call in job.submissions
        }
        for task in tasks:
            row = _difference_of(task, known.get(task.external_id or ""))
            if adopt and row.finding in ADOPTABLE and task.succeeded:
                row = await self._adopted(row, task, known.get(task.external_id or ""))
            report.rows.append(row)
        listed = {task.id for task in tasks}
        report.rows += _missing(known.values(), listed, self._since, began)
        return report

    def _records(self) -> tuple[list[tuple[JobStore, WorkflowJob]], list[Difference]]:
        records: list[tuple[JobStore, WorkflowJob]] = []
        unreadable: list[Difference] = []
        for path in self._base.rglob(RECORD_NAME) if is_there(self._base) else ():
            store = self._store.at(path.parent.parent)
            try:
                job = store.load(path.parent.name)
            except (UnreadableRecordError, NewerRecordError):
                unreadable.append(Difference(Finding.UNREADABLE, job_id=path.parent.name, record=str(path)))
                continue
            if job is not None:
                records.append((store, job))
        return records, unreadable

    async def _tasks(self) -> AsyncIterator[Task]:
        async for task in self._client.list_tasks():
            if task.created_at is None or task.created_at >= self._since:
                yield task

    def _is_stale(self, job: WorkflowJob) -> bool:
        if job.is_terminal:
            return False
        over = self._is_over(job)
        return utc_now() - job.updated_at > self._stale_after if over is None else over

    async def _stale(self, store: JobStore, job: WorkflowJob, *, close_it: bool) -> Difference:
        done = ""
        if close_it:
            async with self._open(store) as (engine, steps):
                close(engine, job, "its DAG run has ended, or nobody has worked on it for too long")
                await engine.save(job)
                await steps.release(job)
            done = f"closed as {job.state}"
        return Difference(
            Finding.STALE,
            job_id=job.id,
            job_state=str(job.state),
            task_id=job.klingai_job_id or "",
            external_task_id=job.external_task_id or "",
            record=_record(store, job),
            done=done,
        )

    async def _adopted(self, row: Difference, task: Task, known: _Known | None) -> Difference:
        if known and (not known.job.is_terminal or WorkflowState.GENERATING not in known.job.path):
            return row
        store = known.store if known else self._store.at(self._base / ADOPTED_FOLDER)
        async with self._open(store) as (engine, steps):
            job = known.job if known else _job_of(engine, task)
            try:
                done = await _taken(engine, steps, job, task)
            except KlingVideoError as error:
                return _changed(row, job_state=str(job.state), done="", record=f"{_record(store, job)}: {error}")
        return _changed(row, job_state=str(done.state), record=_record(store, done), done=_told(done))


async def _taken(engine: WorkflowEngine, steps: VideoSteps, job: WorkflowJob, task: Task) -> WorkflowJob:
    """Take up a job where it waited for its task; nothing on this way can order anything."""
    if steps.store.load(job.id) is None:
        steps.store.save(job)
    revived = engine.reopen(job, WorkflowState.GENERATING)
    _confirm(revived, task)
    engine.journal.write(Event.ADOPTED, revived, task_id=task.id)
    VideoHandlers(steps).register(engine)
    await steps.take_result(revived)
    engine.transition(revived, WorkflowState.POST_PROCESSING, **result_facts(revived))
    await engine.save(revived)
    return await engine.process(revived)


def _difference_of(task: Task, known: _Known | None) -> Difference:
    facts: dict[str, Any] = {
        "task_id": task.id,
        "external_task_id": task.external_id or "",
        "vendor_status": task.status_word,
        "bill": None if task.bill is None else str(task.bill),
    }
    if known is None:
        ours = ExternalId.parse(task.external_id)
        if ours is None:
            return Difference(Finding.FOREIGN, **facts)
        return Difference(Finding.FREE_FAILURE if _cost_nothing(task) else Finding.ORPHAN, job_id=ours.job_id, **facts)
    job = known.job
    facts |= {"job_id": job.id, "job_state": str(job.state), "record": _record(known.store, job)}
    return Difference(_finding(task, known), **facts)


def _finding(task: Task, known: _Known) -> Finding:
    job, call = known.job, known.call
    if not job.is_terminal:
        return Finding.FOLLOWED
    if call.task_id is None:
        return Finding.FREE_FAILURE if _cost_nothing(task) else Finding.UNCONFIRMED
    is_stored = job.files.task_id == task.id and bool(job.files.artifacts)
    has_it = job.state is WorkflowState.COMPLETED or is_stored
    follows_it = job.klingai_job_id == task.id
    late = task.succeeded and follows_it and not has_it and bool(task.outputs)
    return Finding.LATE_RESULT if late else Finding.FOLLOWED


def _cost_nothing(task: Task) -> bool:
    """Whether a task failed and was not billed: there is no video, and nothing was paid."""
    return task.status is TaskStatus.FAILED and (task.bill is None or task.bill.is_free)


def _missing(known: Iterable[_Known], listed: set[str], since: datetime, began: datetime) -> Iterator[Difference]:
    """What was accepted in the time that the listing covers, and is not in it."""
    for one in known:
        call = one.call
        covered = since <= (call.accepted_at or call.intended_at) < began
        if call.task_id and call.task_id not in listed and call.verdict is None and covered:
            yield Difference(
                Finding.MISSING,
                job_id=one.job.id,
                job_state=str(one.job.state),
                task_id=call.task_id,
                external_task_id=call.external_task_id or "",
                record=_record(one.store, one.job),
            )


def _confirm(job: WorkflowJob, task: Task) -> None:
    """Put on record that Kling has the task, and follow it."""
    for call in job.submissions:
        if call.external_task_id == task.external_id:
            call.task_id = task.id
            call.accepted_at = call.accepted_at or task.created_at or utc_now()
    job.klingai_job_id, job.external_task_id = task.id, task.external_id


def _job_of(engine: WorkflowEngine, task: Task) -> WorkflowJob:
    """Make the record of a task whose own is lost: what Kling tells of it is all that is known."""
    ours = ExternalId.parse(task.external_id)
    if ours is None:
        raise ValueError(f"Task {task.id} was not ordered by this provider.")
    job = WorkflowJob(
        id=ours.job_id,
        origin=Origin(is_reconciled=True),
        request=CheckedRequest(kind=ANY_KIND),
        calls=[
            PaidCall(
                fingerprint=ours.fingerprint,
                take=ours.take,
                external_task_id=task.external_id,
                task_id=task.id,
                sends={"lost": "sent"},
            )
        ],
    )
    for state in (WorkflowState.VALIDATED, WorkflowState.QUEUED, WorkflowState.GENERATING):
        engine.transition(job, state, reconciled=True)
    close(engine, job, "its record was lost")
    return job


def _record(store: JobStore, job: WorkflowJob) -> str:
    return str(store.folder(job.id) / RECORD_NAME)


def _told(job: WorkflowJob) -> str:
    return f"adopted: {job.processed_url}" if job.state is WorkflowState.COMPLETED else ""


def _changed(row: Difference, **fields: Any) -> Difference:
    return Difference(**{**asdict(row), **fields})
