"""One task instance at work on one job. Loaded when a task runs, never when a DAG file is parsed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_klingvideo._compat import AirflowException, AirflowFailException
from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors, end_of_job, told_first
from airflow_provider_klingvideo.runtime.places import (
    JobTask,
    is_beginning,
    job_id_of,
    origin_of,
    session_of,
    store_of,
    terms_of,
    turn_of,
)
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.runtime.xcom import carried
from airflow_provider_klingvideo.workflow import Driver, JobStore, WorkflowEngine, WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.batch.run import batch_job
from airflow_provider_klingvideo.workflow.driver import Phase
from airflow_provider_klingvideo.workflow.inputs.creation import RESUMABLE_ENDS, with_another_take
from airflow_provider_klingvideo.workflow.job.blocking import inline
from airflow_provider_klingvideo.workflow.job.failure import failure_data
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.reopen import NotReachedError
from airflow_provider_klingvideo.workflow.job.store import RecordOvertakenError
from airflow_provider_klingvideo.workflow.job.waits import StateWait, WaitForMoment
from airflow_provider_klingvideo.workflow.waiting.following import WaitForTask
from airflow_provider_klingvideo.workflow.waiting.pauses import bounded_pause
from airflow_provider_klingvideo.workflow.waiting.watch import Ended

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

Work = Callable[[Driver], Awaitable[StateWait | None]]


class MissingRecordError(KlingVideoError):
    """No record of the job that a task is about can be seen here."""

    kind = "record"
    default_money = Money.MAYBE
    default_advice = (
        "Check that this worker sees the output_path of the other tasks; do not clear tasks before `generating` until "
        "then, since the job may have been ordered"
    )


@dataclass
class JobRun:
    """One task instance at work on one job.

    :param task: the operator.
    :param context: Airflow's context.
    :param session: what it works with.
    :param store: the records of this DAG run or batch.
    :param engine: enforces the task's table and keeps the record.
    :param job: the record, present.
    """

    task: JobTask
    context: Context
    session: Session
    store: JobStore
    engine: WorkflowEngine
    job: WorkflowJob

    def __post_init__(self) -> None:
        """Call the task after the job."""
        self.task.called_after(self.job)

    @classmethod
    def start(cls, task: JobTask, context: Context) -> JobRun:
        """Load the record of the job that a task instance is about.

        :raises AirflowException: when there is none.
        """
        run = cls.find(task, context)
        if run is None:
            raise_missing(task, context)
        return run

    @classmethod
    def find(cls, task: JobTask, context: Context) -> JobRun | None:
        """Load the record of the job that a task instance is about, None where there is none.

        :raises AirflowException: it cannot be read.
        """
        with airflow_errors():
            session, store, wanted, _ = _place_of(task, context)
            job = store.load(wanted)
        return cls(task, context, session, store, session.engine(store), job) if job else None

    @classmethod
    def create(cls, task: JobTask, context: Context, request: Mapping[str, Any]) -> JobRun:
        """Make or find the record of the job that a task instance takes through all states.

        :param request: what is wanted.
        :raises AirflowException: a record that lies there cannot be read, or an argument makes no sense.
        """
        with airflow_errors():
            session, store, wanted, row = _place_of(task, context)
            engine = session.engine(store)
            job = batch_job(
                engine,
                wanted,
                request,
                origin=origin_of(context, batch=task.batch, row=row, turn=turn_of(task, context)),
                terms=terms_of(session, task, context),
                is_beginning=is_beginning(task, context),
            )
        log.info("Job %s is %s; its record lies in %s", job.id, job.state, store.folder(job.id))
        return cls(task, context, session, store, engine, job)

    @classmethod
    def begun(cls, task: JobTask, context: Context) -> JobRun | None:
        """Find the job that an earlier try began since a person started the task, None when there is none.

        :raises AirflowException: a record that lies there cannot be read.
        """
        if is_beginning(task, context):
            return None
        with airflow_errors():
            session, store, wanted, _ = _place_of(task, context)
            job = store.load(wanted)
        if job is None or job.origin.turn != turn_of(task, context):
            return None
        return cls(task, context, session, store, session.engine(store), job)

    def told(self) -> dict[str, Any]:
        """Return what the task returns of the job, for those behind it."""
        return carried(self.job, self.store)

    def hears(self, event: Mapping[str, Any] | None) -> bool:
        """Whether a trigger's event tells how the task ended that the job still follows."""
        told = (event or {}).get("vendor_task_id")
        # An event about a queue names no task, and a job that was refused a slot has none: neither is the other's.
        return told is not None and told == self.job.klingai_job_id and self.job.state is WorkflowState.GENERATING

    def hear(self, event: Mapping[str, Any]) -> None:
        """Write down how a trigger saw the job's task end.

        :param event: ``vendor_task_id`` and the fields of :class:`~..workflow.waiting.watch.Ended`.
        """

        async def conclude(driver: Driver) -> None:
            await driver.steps.conclude(self.job, Ended.from_event(event))

        self.work(conclude)

    async def go_on(self, driver: Driver) -> StateWait | None:
        """Take the job through all states that are left, until it has ended or has to wait."""
        while (wait := await driver.go_on(self.job)) is not None:
            # A result that may be there already is asked for before anything is deferred.
            if not isinstance(wait, WaitForTask) or wait.watch.first_wait(utc_now()).seconds > 0:
                return wait
            wait = await driver.look(self.job, wait)
            if wait is not None:
                return wait
        return None

    def take_up(self, phase: Phase) -> None:
        """Make sure that a phase can be done: an ended job is taken up again where the phase begins.

        :raises AirflowException: when the job ended before it ever was there.
        """
        if self.job.state in RESUMABLE_ENDS:
            self.reopen(phase.begins)

    def reopen(self, state: WorkflowState) -> None:
        """Take the job up again in a state.

        :raises AirflowFailException: when it never was in that state.
        """
        try:
            self.job = self.engine.reopen(self.job, state)
        except NotReachedError as error:
            raise told_first(AirflowFailException(str(error))) from error

    def order_again(self, take: int) -> None:
        """Take a job that has its video up again when a person asks for another take of it."""
        self.job = with_another_take(self.engine, self.job, take)

    def end(self, closing: Callable[[WorkflowEngine, WorkflowJob, str], None], cause: str) -> None:
        """End a job that nobody works on any more, and give back what it has reserved.

        :param closing: a function of :mod:`airflow_provider_klingvideo.workflow.job.closing`.
        :param cause: what ended it, when the record does not say.
        """
        closing(self.engine, self.job, cause)
        self.store.save(self.job)
        self.session.reservations.settle(self.job)

    def do(self, phase: Phase) -> StateWait | None:
        """Do one phase and keep the record; see :meth:`work`."""
        return self.work(lambda driver: driver.do(phase, self.job))

    def work(self, work: Work) -> StateWait | None:
        """Work on the job and keep its record; an error ends the job, or waits on record for the next try.

        The record of a job that has ended stays as it is when its work, done again, fails.

        :param work: ``async def work(driver)``.
        :returns: what the job has to wait for, None when the work is done.
        """
        before = self.job.as_json()
        try:
            wait = asyncio.run(self._driven(work))
        except RecordOvertakenError as error:
            raise told_first(AirflowException(str(error))) from error
        except KlingVideoError as error:
            return self._failed(error)
        except Exception as error:
            if not self.job.is_terminal:
                self._note(error)
            raise
        if self.job.state is not WorkflowState.FAILED:
            self.job.error = self.job.failure = None
        if self.job.as_json() != before:
            with airflow_errors():
                self.store.save(self.job)
        return wait

    async def _driven(self, work: Work) -> StateWait | None:
        opened: AbstractAsyncContextManager[Driver] = self.session.driver(self.store, run_blocking=inline)
        async with opened as driver:
            return await work(driver)

    def _failed(self, error: KlingVideoError) -> StateWait:
        if self.job.is_terminal:
            with airflow_errors():
                raise error
        if error.retryable:
            self._note(error)
            # Without an asked pause the settings are not looked at: it may be they that cannot be read.
            left = self.session.settings.seconds_left(self.job) if error.retry_after else 0
            if error.retry_after and left > 0 and getattr(self.task, "deferrable", True):
                return WaitForMoment(str(self.job.error), bounded_pause(error.retry_after, least=0, left=left))
            raise told_first(AirflowException(self.job.error)) from error
        self.engine.fail(self.job, error)
        with airflow_errors():
            self.store.save(self.job)
            self.session.reservations.settle(self.job)
        raise end_of_job(self.job, error) from error

    def _note(self, error: Exception) -> None:
        self.job.error, self.job.failure = failure_data(self.job, error)
        with airflow_errors():
            self.store.save(self.job)


def raise_missing(task: JobTask, context: Context) -> NoReturn:
    """Say that the record of the job that a task instance is about is missing.

    :raises AirflowException: that.
    """
    with airflow_errors():
        _, store, wanted, _ = _place_of(task, context)
        raise MissingRecordError(f"There is no job record at {store.folder(wanted)}")


def _place_of(task: JobTask, context: Context) -> tuple[Session, JobStore, str, str | None]:
    """Return what a task works with, and where the record of its job lies: the store, the id, and its row's key."""
    session = session_of(task)
    return session, store_of(session, context, task.batch), *job_id_of(session, task, context)
