"""The handlers of a whole job, for :meth:`WorkflowEngine.process`: steps, waits and transitions put together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from airflow_provider_klingvideo.kling import ConcurrencyLimitError, RateLimitError
from airflow_provider_klingvideo.workflow.engine import WorkflowEngine
from airflow_provider_klingvideo.workflow.following import kind_of, poll_once, watch_of
from airflow_provider_klingvideo.workflow.job import WorkflowJob, utc_now
from airflow_provider_klingvideo.workflow.states import WorkflowState
from airflow_provider_klingvideo.workflow.steps import VideoSteps
from airflow_provider_klingvideo.workflow.watch import Wait

Sleep = Callable[[float], Awaitable[object]]


class VideoHandlers:
    """One handler per state; each ends by moving the job on.

    :param steps: the work of the states.
    :param sleep: how to wait between two looks.
    """

    def __init__(self, steps: VideoSteps, *, sleep: Sleep = asyncio.sleep) -> None:
        self._steps = steps
        self._sleep = sleep

    def register(self, engine: WorkflowEngine) -> None:
        """Make an engine process jobs with these handlers."""
        engine.register_handler(WorkflowState.CREATED, self.created)
        engine.register_handler(WorkflowState.VALIDATED, self.validated)
        engine.register_handler(WorkflowState.QUEUED, self.queued)
        engine.register_handler(WorkflowState.GENERATING, self.generating)
        engine.register_handler(WorkflowState.POST_PROCESSING, self.post_processing)

    async def created(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Validate."""
        engine.transition(job, WorkflowState.VALIDATED, **await self._steps.validate(job))

    async def validated(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Enter the queue."""
        engine.transition(job, WorkflowState.QUEUED)

    async def queued(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Wait for admission."""
        while (seconds := await self._steps.admission(job)) is not None:
            await self._sleep(seconds)
        engine.transition(job, WorkflowState.GENERATING)

    async def generating(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Submit once and follow the vendor's task to its end."""
        await self._submit(engine, job)
        settings = self._steps.settings
        watch = watch_of(job, settings.generation_seconds, settings.poll)
        decision = await poll_once(self._steps.client, watch, kind_of(job))
        while isinstance(decision, Wait):
            await self._sleep(decision.seconds)
            decision = await poll_once(self._steps.client, watch, kind_of(job))
        facts = await self._steps.conclude(job, decision)
        engine.transition(job, WorkflowState.POST_PROCESSING, **facts)

    async def post_processing(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        """Load, verify, store, cut."""
        await self._steps.post_process(job, engine.save)
        await self._steps.complete(job)
        engine.transition(job, WorkflowState.COMPLETED)

    async def _submit(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        while True:
            try:
                await self._steps.submit(job, engine.save)
            except (ConcurrencyLimitError, RateLimitError) as error:
                if self._steps.slot_timed_out(job, utc_now()):
                    raise
                await self._sleep(max(error.retry_after or 0, self._steps.settings.slot_pause_seconds))
            else:
                return
