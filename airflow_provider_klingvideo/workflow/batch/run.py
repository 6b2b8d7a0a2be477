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
    before_sleep_log,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.workflow.gates.slots import Place
from airflow_provider_klingvideo.workflow.handlers import VideoHandlers
from airflow_provider_klingvideo.workflow.inputs.creation import created_job, is_same_request
from airflow_provider_klingvideo.workflow.job.engine import Handler, WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob, utc_now
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.store import JobStore, RecordOvertakenError
from airflow_provider_klingvideo.workflow.steps import VideoSteps
from airflow_provider_klingvideo.workflow.waiting.watch import GenerationWatch

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# Work that takes a processor; the waits beside it are free.
RENDERS = 2
ATTEMPTS = 4
_growing = wait_exponential(multiplier=5, max=120) + wait_random(0, 1)


def batch_job(
    store: JobStore, job_id: str, request: Mapping[str, Any], *, turn: str, metadata: Mapping[str, Any]
) -> WorkflowJob:
    """Return the job of a row, its record kept.

    A job that ended in this very turn stays as it is: a worker that was killed and started again must not order what
    a person has cancelled meanwhile. In a new turn (a person ran or cleared the batch again), what failed or was
    cancelled starts anew.

    :param turn: names what a person has started.
    :param metadata: what the record is to know besides: where the job comes from, its budget, its priority.
    """
    existing = store.load(job_id)
    if existing and existing.metadata.get("turn") == turn and is_same_request(existing, request):
        return existing
    job = created_job(store, job_id, request, origin=metadata)
    if not job.is_terminal:
        job.metadata.update(metadata, turn=turn)
        store.save(job)
    return job


@dataclass(frozen=True)
class Suspended:
    """What jobs wait for that nobody has to wait for at a worker.

    :param followed: vendor tasks, by job.
    :param queued: places in the queue for slots.
    """

    followed: Mapping[str, GenerationWatch] = field(default_factory=dict)
    queued: Sequence[Place] = ()


class BatchRun:
    """Processes jobs side by side.

    :param engine: keeps the records; gets the handlers.
    :param steps: the work of the states.
    :param submit_options: see :class:`VideoHandlers`.
    """

    def __init__(self, engine: WorkflowEngine, steps: VideoSteps, **submit_options: Any) -> None:
        self._engine = engine
        self._handlers = VideoHandlers(steps, **submit_options)
        self._slot_pause = steps.settings.slot_pause_seconds
        self._renders = asyncio.Semaphore(RENDERS)
        handlers = {**self._handlers.by_state(), WorkflowState.POST_PROCESSING: self._post_processing}
        for state, handler in handlers.items():
            engine.register_handler(state, _tried_again(handler))

    async def run(self, jobs: Sequence[WorkflowJob], *, patience: float | None = None) -> Suspended | None:
        """Process jobs until all have ended, or until there is nothing to do for a while.

        :param jobs: changed in place.
        :param patience: seconds; when all jobs that are left wait for the vendor, and no result is due sooner, the run
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
                if len(waiting) < len(working):
                    busy_at = loop.time()
                # Those that wait for a slot have been looked for since.
                elif patience is not None and working and loop.time() - busy_at > 2 * self._slot_pause:
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

    async def _post_processing(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        async with self._renders:
            await self._handlers.post_processing(engine, job)


def _tried_again(handler: Handler) -> Handler:
    """Try a state's work again where that can help, as Airflow does with a task of its own for each state."""

    async def patient(engine: WorkflowEngine, job: WorkflowJob) -> Any:
        attempts = AsyncRetrying(
            retry=retry_if_exception(_is_worth_retrying),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_pause,
            before_sleep=before_sleep_log(log, logging.WARNING),
            reraise=True,
        )
        return await attempts(handler, engine, job)

    return patient


def _is_worth_retrying(error: BaseException) -> bool:
    is_overtaken = isinstance(error, RecordOvertakenError)
    return isinstance(error, OSError) or (isinstance(error, KlingVideoError) and error.retryable and not is_overtaken)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, KlingVideoError) else None
    return max(asked or 0, _growing(state))


def _suspended(waiting: Mapping[str, GenerationWatch | Place]) -> Suspended:
    return Suspended(
        {job_id: what for job_id, what in waiting.items() if isinstance(what, GenerationWatch)},
        sorted((what for what in waiting.values() if isinstance(what, Place)), key=lambda place: place.order),
    )


def _due_in(suspended: Suspended) -> float:
    """Seconds until the first result is due; jobs that wait for a slot wait for it, too."""
    now = utc_now()
    return min((watch.due_in(now) for watch in suspended.followed.values()), default=inf)
