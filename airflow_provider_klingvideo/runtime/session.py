"""Between a task and the workflow: which job is meant, where its record lies, and how an error reaches Airflow.

Loaded when a task runs, never when a DAG file is parsed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from airflow.sdk import ObjectStoragePath

from airflow_provider_klingvideo._compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.hooks.klingai import KlingAIHook
from airflow_provider_klingvideo.runtime import configuration
from airflow_provider_klingvideo.runtime.paths import open_path
from airflow_provider_klingvideo.storage.names import job_id, safe_name
from airflow_provider_klingvideo.workflow import (
    TRANSITIONS,
    JobStore,
    TransitionTable,
    VideoSteps,
    WorkflowEngine,
    WorkflowJob,
    WorkflowState,
    reopened,
)
from airflow_provider_klingvideo.workflow.batch.row_book import RowBook
from airflow_provider_klingvideo.workflow.delivering import RenderListener, RunBlocking
from airflow_provider_klingvideo.workflow.gates.budget import FOLDER as BUDGETS
from airflow_provider_klingvideo.workflow.gates.budget import UNKNOWN_PRICE, Budget, Reservations
from airflow_provider_klingvideo.workflow.gates.slots import FOLDER as SLOTS
from airflow_provider_klingvideo.workflow.gates.slots import SlotBoard, Slots
from airflow_provider_klingvideo.workflow.gates.slots import place_of as place_of_job
from airflow_provider_klingvideo.workflow.inputs.creation import RESUMABLE_ENDS
from airflow_provider_klingvideo.workflow.job.errors import GenerationTimeoutError
from airflow_provider_klingvideo.workflow.job.failure import failure_data
from airflow_provider_klingvideo.workflow.job.store import RecordOvertakenError
from airflow_provider_klingvideo.workflow.steps import inline
from airflow_provider_klingvideo.workflow.waiting.timings import FOLDER as TIMINGS
from airflow_provider_klingvideo.workflow.waiting.timings import Timings

if TYPE_CHECKING:
    from airflow.sdk import Context


log = logging.getLogger(__name__)

# Jobs that were refused together shall not come back together.
JITTER = 0.25
# For tasks without a timeout of their own: how long the vendor may put a job off, in seconds.
LONGEST_WAIT = 24 * 3600.0


class JobTask(Protocol):
    """What is needed of a task: the operators and the sensor of this provider have it."""

    job: Mapping[str, Any] | str | None
    job_key: str | None
    klingai_conn_id: str
    output_path: str | None
    transitions: Mapping[str, Sequence[str]] | None
    batch: str | None
    task_id: str
    task_group: Any
    upstream_task_ids: Any

    @property
    def log(self) -> Any:
        """Airflow's logger of the task."""

    def step_overrides(self) -> dict[str, Any]:
        """Return the settings of the workflow that the task sets itself."""

    def defer(self, *, trigger: Any, method_name: str) -> NoReturn:
        """Leave the worker until the trigger fires."""


class BudgetTask(JobTask, Protocol):
    """A task that sets its job's budget."""

    budget_units: float | str | None
    budget_key: str | None
    unknown_price: str


StepsWork = Callable[["JobRun", VideoSteps], Awaitable[None]]


class MissingRecordError(KlingVideoError):
    """No record of the job that a task is about."""

    kind = "record"
    default_advice = "Run the create task of this job first"


def run_store(context: Context, base: str | None, batch: str | None = None) -> JobStore:
    """Return the store of a DAG run, ``{base}/{dag_id}/{run_id}``, or of a batch, ``{base}/{dag_id}/{batch}``.

    :param base: a path or URI, None for the configured one.
    """
    ti = context["ti"]
    return JobStore(output_folder(base) / safe_name(ti.dag_id) / safe_name(batch or ti.run_id))


def row_book(task: JobTask, context: Context) -> RowBook:
    """Return the rows of the batch that a task is about."""
    return RowBook(run_store(context, task.output_path, task.batch).base, job_key_of(task))


def output_folder(base: str | None) -> ObjectStoragePath:
    """Return the folder below which all records, videos and budgets lie.

    :param base: a path or URI, None for the configured one.
    """
    return open_path(base or configuration.output_path())


def budget_of(task: BudgetTask, context: Context) -> dict[str, Any] | None:
    """Return the budget of a task as the record carries it; None when there is none.

    :raises AirflowFailException: when it makes no sense.
    """
    if task.budget_units in (None, ""):
        return None
    ti = context["ti"]
    name = task.budget_key or f"{ti.dag_id} {ti.run_id}"
    try:
        units = Decimal(str(task.budget_units))
    except InvalidOperation:
        units = Decimal(-1)
    if not units.is_finite() or units < 0:
        raise AirflowFailException(f"budget_units is {task.budget_units!r}, legal: a number of units, 0 or more")
    if task.unknown_price not in UNKNOWN_PRICE:
        legal = ", ".join(UNKNOWN_PRICE)
        raise AirflowFailException(f"unknown_price is {task.unknown_price!r}, legal: {legal}")
    folder = output_folder(task.output_path) / BUDGETS / safe_name(name)
    return Budget(name, f"{units:f}", str(folder), task.unknown_price).as_json()


def job_id_of(task: JobTask, context: Context) -> str:
    """Return the id of the job that a task instance is about: of the job given to it, else of its place in the DAG."""
    given = task.job
    if isinstance(given, Mapping):
        return str(given["id"])
    if given:
        return str(given)
    if task.batch:
        return row_book(task, context).read()[context["ti"].map_index or 0].job_id
    return place_of(context, job_key_of(task))


def place_of(context: Context, key: str, *, map_index: int | None = None) -> str:
    """Return the name of what a task instance makes, the same on every try.

    :param key: tells several things of one run apart.
    :param map_index: of another task instance.
    """
    ti = context["ti"]
    index = ti.map_index if map_index is None else map_index
    return job_id(ti.dag_id, ti.run_id, key, -1 if index is None else index)


def job_key_of(task: JobTask) -> str:
    """Return what tells the jobs of a run apart: the task's ``job_key``, else its task group, else the task itself."""
    group = task.task_group
    return task.job_key or (group.group_id if group else None) or task.task_id


@dataclass
class JobRun:
    """One task instance at work on one job.

    :param task: the operator.
    :param context: Airflow's context.
    :param store: the records of this DAG run.
    :param engine: enforces the task's table and keeps the record.
    :param job: the record, present.
    """

    task: JobTask
    context: Context
    store: JobStore
    engine: WorkflowEngine
    job: WorkflowJob

    @classmethod
    def start(cls, task: JobTask, context: Context) -> JobRun:
        """Load the record of the job that a task instance is about.

        :raises AirflowException: when there is none.
        """
        store = run_store(context, task.output_path, task.batch)
        engine = WorkflowEngine(table_of(task), store=store, on_transition=log_transition)
        with airflow_errors():
            wanted = job_id_of(task, context)
            job = store.load(wanted)
            if job is None:
                raise MissingRecordError(f"There is no job record at {store.folder(wanted)}")
        return cls(task, context, store, engine, job)

    def take_up(self, state: WorkflowState) -> None:
        """Make sure that the job can be worked on from ``state``: an ended one is taken up there in a new revision.

        :raises AirflowException: when the job ended before it ever was in that state.
        """
        if self.job.state in RESUMABLE_ENDS:
            self._reopen(state)

    def order_again(self, generation_number: int) -> None:
        """Take a job that has its video up again when a person asks for another generation of it."""
        last = max((one.generation_number for one in self.job.submissions), default=generation_number)
        if generation_number > last and self.job.state is not WorkflowState.QUEUED:
            self._reopen(WorkflowState.QUEUED)

    def upstream_in(self, states: Collection[str]) -> list[str]:
        """Name the direct upstream tasks of this very map index that are in one of some states."""
        ti = self.context["ti"]
        upstream = sorted(self.task.upstream_task_ids)
        answer = ti.get_task_states(dag_id=ti.dag_id, task_ids=upstream, map_index=ti.map_index, run_ids=[ti.run_id])
        found = answer.get(ti.run_id, {})
        names = {name: name if ti.map_index in (None, -1) else f"{name}_{ti.map_index}" for name in upstream}
        return [name for name, key in names.items() if found.get(key, found.get(name)) in states]

    def end(self, closing: Callable[[WorkflowEngine, WorkflowJob, str], None], cause: str) -> None:
        """End a job that nobody works on any more, and give back what it has reserved.

        :param closing: a function of :mod:`airflow_provider_klingvideo.workflow.job.closing`.
        :param cause: what ended it, when the record does not say.
        """
        closing(self.engine, self.job, cause)
        self.store.save(self.job)
        Reservations(open_path).settle(self.job)

    def console_url(self) -> str:
        """Return where a person sees the connection's tasks and balance."""
        return KlingAIHook(self.task.klingai_conn_id).settings.console_url

    def _reopen(self, state: WorkflowState) -> None:
        try:
            revived = reopened(self.job, state)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error
        log.info("Job %s is %s; taking it up again in %s.", self.job.id, self.job.state, state)
        self.store.archive(self.job)
        self.job = revived
        self.store.save(revived)

    def work(self, work: StepsWork) -> dict[str, Any]:
        """Do the work of a state and keep the record; an error ends the job, or waits on record for the next try.

        The record of a job that has ended stays as it is when its work, done again, fails.

        :param work: ``async def work(run, steps)``.
        :returns: the job as JSON values, for XCom.
        """
        before = self.job.as_json()
        try:
            asyncio.run(self._with_steps(work))
        except RecordOvertakenError as error:
            raise AirflowException(str(error)) from error
        except KlingVideoError as error:
            if not self.job.is_terminal:
                self._raise(error)
            with airflow_errors():
                raise
        except Exception as error:
            if not self.job.is_terminal:
                self._note(error)
            raise
        self.job.error = self.job.failure = None
        after = self.job.as_json()
        if after != before:
            self.store.save(self.job)
        return after

    async def _with_steps(self, work: StepsWork) -> None:
        task = self.task
        async with open_steps(
            task.klingai_conn_id, task.output_path, self.store, task.step_overrides(), run_blocking=inline
        ) as steps:
            await work(self, steps)

    def _raise(self, error: KlingVideoError) -> NoReturn:
        if error.retryable:
            self._note(error)
            if error.retry_after and getattr(self.task, "deferrable", True) and not self._has_waited_too_long():
                log.warning("%s", self.job.error)
                wait_deferred(self.task, error.retry_after)
            raise AirflowException(self.job.error) from error
        self.engine.fail(self.job, error)
        self.store.save(self.job)
        if self.job.state is WorkflowState.CANCELLED:
            raise AirflowSkipException(self.job.error) from error
        if isinstance(error, GenerationTimeoutError):
            raise AirflowSensorTimeout(self.job.error) from error
        raise AirflowFailException(self.job.error) from error

    def _has_waited_too_long(self) -> bool:
        """Whether the vendor has put the job off for longer than it may wait for a slot."""
        overrides = self.task.step_overrides()
        longest = timedelta(seconds=overrides.get("slot_seconds") or overrides.get("queue_seconds") or LONGEST_WAIT)
        since = self.job.entered_at(self.job.state) or self.job.created_at
        return datetime.now(UTC) - since > longest

    def _note(self, error: Exception) -> None:
        self.job.error, self.job.failure = failure_data(self.job, error)
        self.store.save(self.job)


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Turn an error of this project into Airflow's: to be retried, or final."""
    try:
        yield
    except KlingVideoError as error:
        raise (AirflowException if error.retryable else AirflowFailException)(str(error)) from error


def wait_deferred(task: JobTask, seconds: float) -> NoReturn:
    """Do a task's work again after some time; the wait holds no worker and spends no retry.

    :param seconds: the least time to wait.
    """
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    pause = max(seconds, configuration.minimum_deferral_seconds()) * (1 + JITTER * random.random())  # noqa: S311
    log.info("Waiting for %.0f s, deferred; this spends no retry", pause)
    task.defer(trigger=DateTimeTrigger(datetime.now(UTC) + timedelta(seconds=pause)), method_name="resume")


def wait_for_slot(run: JobRun, seconds: float) -> NoReturn:
    """Do a task's work again once its job has been given a slot; the wait holds no worker and spends no retry.

    :param seconds: how long to wait at most.
    """
    from airflow_provider_klingvideo.triggers.slots import KlingVideoSlotTrigger

    place = place_of_job(run.job)
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    log.info("Waiting for a free slot until %s, deferred; this spends no retry", until.isoformat(timespec="seconds"))
    run.task.defer(
        trigger=KlingVideoSlotTrigger(
            klingai_conn_id=run.task.klingai_conn_id,
            job_id=place.job_id,
            pack=place.pack,
            model=place.model,
            since=place.since,
            until=until.isoformat(),
            board_path=str(board_folder(run.task.klingai_conn_id, run.task.output_path)),
            records_path=str(run.store.base),
            priority=place.priority,
            revision=run.job.revision,
            pause_seconds=configuration.slot_pause_seconds(),
            minimum_seconds=configuration.minimum_deferral_seconds(),
        ),
        method_name="resume",
    )


def board_folder(klingai_conn_id: str, output_path: str | None) -> ObjectStoragePath:
    """Return the folder of the notices about the slots of a connection."""
    return output_folder(output_path) / SLOTS / safe_name(klingai_conn_id)


@asynccontextmanager
async def open_steps(
    klingai_conn_id: str,
    output_path: str | None,
    store: JobStore,
    overrides: Mapping[str, Any],
    *,
    run_blocking: RunBlocking = asyncio.to_thread,
    on_rendering: RenderListener | None = None,
) -> AsyncIterator[VideoSteps]:
    """Open a connection and return the work of the states.

    :param output_path: a path or URI, None for the configured one.
    :param store: where records and files lie.
    :param overrides: fields of :class:`StepSettings` that are set for these jobs.
    :param run_blocking: how work that blocks is run.
    :param on_rendering: see :class:`VideoSteps`.
    """
    hook = KlingAIHook(klingai_conn_id)
    settings = configuration.step_settings(hook.settings, overrides)
    async with hook.get_async_conn() as client:
        yield VideoSteps(
            client,
            store,
            outputs=hook.task_outputs,
            settings=settings,
            open_path=open_path,
            run_blocking=run_blocking,
            slots=Slots(SlotBoard(board_folder(klingai_conn_id, output_path)), settings.slot_rules),
            timings=Timings(output_folder(output_path) / TIMINGS),
            on_rendering=on_rendering,
        )


def origin_of(context: Context) -> dict[str, Any]:
    """Return where a job comes from, for its record."""
    ti = context["ti"]
    return {"dag_id": ti.dag_id, "run_id": ti.run_id, "map_index": ti.map_index}


def table_of(task: JobTask) -> TransitionTable:
    """Return the transition table of a task."""
    return TransitionTable(task.transitions) if task.transitions else TRANSITIONS


def log_transition(job: WorkflowJob, old: WorkflowState, new: WorkflowState) -> None:
    """Write a transition into the task's log."""
    log.info("Job %s: %s > %s", job.id, old, new)
