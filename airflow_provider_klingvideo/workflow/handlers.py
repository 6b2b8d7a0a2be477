"""The handlers of a whole job, for :meth:`WorkflowEngine.process`: steps, waits and transitions put together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_klingvideo.kling import ConcurrencyLimitError, RateLimitError
from airflow_provider_klingvideo.workflow.gates.slot_queue import SlotQueue
from airflow_provider_klingvideo.workflow.gates.slots import Place, Standing, place_of
from airflow_provider_klingvideo.workflow.job.engine import Handler, WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob, utc_now
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.steps import VideoSteps
from airflow_provider_klingvideo.workflow.waiting.broker import Broker
from airflow_provider_klingvideo.workflow.waiting.following import kind_of
from airflow_provider_klingvideo.workflow.waiting.shared_client import SharedClient
from airflow_provider_klingvideo.workflow.waiting.timings import timing_key
from airflow_provider_klingvideo.workflow.waiting.watch import GenerationWatch

# Create requests at once: of many more the vendor would refuse most.
CREATES = 4

Sleep = Callable[[float], Awaitable[object]]


class VideoHandlers:
    """One handler per state; each ends by moving the job on.

    Jobs that are processed by the same object share its questions about tasks and slots. ``waiting`` tells, by job,
    what those wait for that do nothing else: the end of a vendor task, or a slot.

    :param steps: the work of the states.
    :param sleep: how to wait where the clock alone decides.
    :param submit_options: ``regenerate_failed`` and others of :meth:`VideoSteps.submit`.
    """

    def __init__(self, steps: VideoSteps, *, sleep: Sleep = asyncio.sleep, **submit_options: Any) -> None:
        self.waiting: dict[str, GenerationWatch | Place] = {}
        self._steps = steps
        self._sleep = sleep
        self._submit_options = submit_options
        self._creates = asyncio.Semaphore(CREATES)
        client = SharedClient.of(steps.client)
        self._broker = Broker(client, steps.timings)
        self._queue = SlotQueue(
            client,
            lambda: steps.slots,
            pause=steps.settings.slot_pause_seconds,
            on_look=self._broker.hear_of_running,
        )

    def register(self, engine: WorkflowEngine) -> None:
        """Make an engine process jobs with these handlers."""
        for state, handler in self.by_state().items():
            engine.register_handler(state, handler)

    def by_state(self) -> dict[WorkflowState, Handler]:
        """Return the handler of each state."""
        return {
            WorkflowState.CREATED: self.created,
            WorkflowState.VALIDATED: self.validated,
            WorkflowState.QUEUED: self.queued,
            WorkflowState.GENERATING: self.generating,
            WorkflowState.POST_PROCESSING: self.post_processing,
        }

    async def created(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Validate."""
        engine.transition(job, WorkflowState.VALIDATED, **await self._steps.validate(job))

    async def validated(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Enter the queue."""
        engine.transition(job, WorkflowState.QUEUED)

    async def queued(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Wait for admission."""
        steps = self._steps
        while True:
            if await steps.standing(job) is Standing.WAITING:
                await self._wait_for_slot(job, steps.queue_seconds_left(job))
            obstacle = await steps.admission(job)
            if obstacle is None:
                break
            if not obstacle.is_slot:
                await self._sleep(steps.settings.slot_pause_seconds)
        engine.transition(job, WorkflowState.GENERATING)

    async def generating(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Submit once and follow the vendor's task to its end."""
        await self._submit(engine, job)
        watch = await self._steps.watch(job)
        with self._noted(job, watch):
            ended = await self._broker.follow(watch, kind_of(job), timing_key(job))
        facts = await self._steps.conclude(job, ended)
        engine.transition(job, WorkflowState.POST_PROCESSING, **facts)

    async def post_processing(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Load, verify, store, cut."""
        await self._steps.post_process(job, engine.save)
        await self._steps.complete(job)
        engine.transition(job, WorkflowState.COMPLETED)

    async def _submit(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        steps = self._steps
        while True:
            try:
                # One refusal tells those that come after it.
                async with self._creates:
                    await steps.submit(job, engine.save, **self._submit_options)
            except ConcurrencyLimitError:
                if steps.slot_timed_out(job, utc_now()):
                    raise
                await self._wait_for_slot(job, steps.settings.slot_seconds)
            except RateLimitError as error:
                if steps.slot_timed_out(job, utc_now()):
                    raise
                await self._sleep(max(error.retry_after or 0, steps.settings.slot_pause_seconds))
            else:
                return

    async def _wait_for_slot(self, job: WorkflowJob, seconds: float) -> None:
        place, store = place_of(job), self._steps.store
        with self._noted(job, place):
            await self._queue.wait(
                place, seconds, is_cancelled=lambda: store.cancel_reason(job.id, job.revision) is not None
            )

    @contextmanager
    def _noted(self, job: WorkflowJob, what: GenerationWatch | Place) -> Iterator[None]:
        self.waiting[job.id] = what
        try:
            yield
        finally:
            del self.waiting[job.id]
