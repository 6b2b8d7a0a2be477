"""Many jobs in one event loop, by the handlers of a single one; it can be cut off anywhere and taken up again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.workflow.gates.budgets.queue import BudgetNeed
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import WaitForBudget
from airflow_provider_klingvideo.workflow.gates.consent import with_rule
from airflow_provider_klingvideo.workflow.gates.slots.slots import Place, WaitForSlot
from airflow_provider_klingvideo.workflow.handlers import VideoHandlers
from airflow_provider_klingvideo.workflow.inputs.creation import created_job, is_same_request
from airflow_provider_klingvideo.workflow.job.engine import Handler, WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.sections import ApprovalRule, Budget, Origin
from airflow_provider_klingvideo.workflow.job.store import RecordOvertakenError
from airflow_provider_klingvideo.workflow.job.waits import StateWait, WaitForMoment
from airflow_provider_klingvideo.workflow.steps import StepSettings, VideoSteps
from airflow_provider_klingvideo.workflow.waiting.following import WaitForTask
from airflow_provider_klingvideo.workflow.waiting.watch import GenerationWatch

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
ATTEMPTS = 4
_growing = wait_exponential(multiplier=5, max=120) + wait_random(0, 1)


@dataclass(frozen=True)
class JobTerms:
    """Under what a job may be ordered.

    :param budget: what it may spend together with others, None for no budget.
    :param priority: of jobs that wait for a slot those with a higher number go first.
    :param approval: when a person is asked, None for never.
    """

    budget: Budget | None = None
    priority: int = 0
    approval: ApprovalRule | None = None


def batch_job(
    engine: WorkflowEngine,
    job_id: str,
    request: Mapping[str, Any],
    *,
    origin: Origin,
    terms: JobTerms,
    is_beginning: bool = False,
) -> WorkflowJob:
    """Return the job of a row, its record kept.

    A job that ended in this very turn stays as it is: a worker that was killed and started again must not order what
    a person has cancelled meanwhile. In a new turn (a person ran or cleared the batch again), what failed or was
    cancelled starts anew.

    :param origin: where the job comes from; its ``turn`` names what a person has started.
    :param terms: under what the job may be ordered.
    :param is_beginning: whether the turn is only beginning, so that what has ended did so in another one of its name.
    """
    store = engine.store
    assert store is not None  # noqa: S101 - a batch has records
    existing = store.load(job_id)
    is_taken_up = not is_beginning and existing is not None and existing.origin.turn == origin.turn
    if existing and is_taken_up and is_same_request(existing, request):
        return existing
    job = created_job(engine, job_id, request, origin=origin)
    if not job.is_terminal:
        job.origin, job.budget, job.priority = origin, terms.budget, terms.priority
        job.approval = with_rule(job.approval, terms.approval)
        store.save(job)
    return job


@dataclass(frozen=True)
class Suspended:
    """What jobs wait for that nobody has to wait for at a worker.

    :param followed: Kling's tasks, by job.
    :param queued: places in the queue for slots, the first in turn first.
    :param short: what jobs need of their budgets.
    """

    followed: Mapping[str, GenerationWatch] = field(default_factory=dict)
    queued: Sequence[Place] = ()
    short: Sequence[BudgetNeed] = ()

    @property
    def words(self) -> str:
        """What is waited for, for a person."""
        return (
            f"{len(self.followed)} tasks run at Kling, {len(self.queued)} jobs wait for a slot, "
            f"{len(self.short)} for budget"
        )


class BatchRun:
    """Processes jobs side by side.

    :param engine: keeps the records; gets the handlers.
    :param steps: the work of the states.
    """

    def __init__(self, engine: WorkflowEngine, steps: VideoSteps) -> None:
        self._engine = engine
        self._handlers = VideoHandlers(steps)
        self._settings = steps.settings
        for state, handler in self._handlers.by_state().items():
            engine.register_handler(state, _tried_again(handler, steps.settings))

    async def run(self, jobs: Sequence[WorkflowJob], *, patience: float | None = None) -> Suspended | None:
        """Process jobs until all have ended, or until there is nothing to do for a while.

        :param jobs: changed in place.
        :param patience: seconds; when all jobs that are left wait for Kling, and no result is due sooner, the run
            stops; None to wait here whatever it takes.
        :returns: what is waited for; None when all have ended.
        :raises Exception: what kept a job's record from being kept, when all others have ended; what goes wrong with
            a job itself is on its record.
        """
        tasks = {asyncio.create_task(self._engine.process(job)) for job in jobs if not job.is_terminal}
        working = set(tasks)
        loop = asyncio.get_running_loop()
        try:
            busy_at = loop.time()
            while working:
                _, working = await asyncio.wait(working, timeout=LOOK_SECONDS)
                waiting = dict(self._handlers.waiting)
                idle = [wait for wait in waiting.values() if not isinstance(wait, WaitForMoment)]
                if len(idle) < len(working):
                    busy_at = loop.time()
                # Those that wait for a slot have been looked for since.
                elif patience is not None and working and loop.time() - busy_at > 2 * self._settings.slot_pause_seconds:
                    suspended = _suspended(waiting)
                    if _due_in(suspended) > patience:
                        return suspended
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
        for task in tasks:
            task.result()
        return None


def _tried_again(handler: Handler, settings: StepSettings) -> Handler:
    """Try a state's work again where that can help, as Airflow does with a task of its own for each state."""

    async def patient(engine: WorkflowEngine, job: WorkflowJob) -> Any:
        attempts = AsyncRetrying(
            retry=retry_if_exception(_is_worth_retrying),
            stop=stop_after_attempt(ATTEMPTS),
            wait=lambda state: min(_pause(state), max(0.0, settings.seconds_left(job))),
            before_sleep=lambda state: _tell_pause(job, state),
            reraise=True,
        )
        return await attempts(handler, engine, job)

    return patient


def _tell_pause(job: WorkflowJob, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("Job %s: %s failed, trying again: %s", job.id, job.state, error)


def _is_worth_retrying(error: BaseException) -> bool:
    is_overtaken = isinstance(error, RecordOvertakenError)
    return isinstance(error, OSError) or (isinstance(error, KlingVideoError) and error.retryable and not is_overtaken)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, KlingVideoError) else None
    return max(asked or 0, _growing(state))


def _suspended(waiting: Mapping[str, StateWait]) -> Suspended:
    waits = waiting.values()
    return Suspended(
        {job_id: wait.watch for job_id, wait in waiting.items() if isinstance(wait, WaitForTask)},
        sorted((wait.place for wait in waits if isinstance(wait, WaitForSlot)), key=lambda place: place.order),
        [wait.need for wait in waits if isinstance(wait, WaitForBudget)],
    )


def _due_in(suspended: Suspended) -> float:
    """Seconds until the first result is due; jobs that wait for a slot or for budget wait for it, too."""
    now = utc_now()
    return min((watch.due_in(now) for watch in suspended.followed.values()), default=inf)
