"""The driver of states: which work belongs to which state, and how a job gets from one into the next.

Tasks of Airflow do a phase each; an event loop, and a task that takes one video through all states, do what is next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_klingvideo.workflow.job.engine import WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.waits import StateWait
from airflow_provider_klingvideo.workflow.steps import VideoSteps
from airflow_provider_klingvideo.workflow.waiting.following import WaitForTask, poll_once, result_facts
from airflow_provider_klingvideo.workflow.waiting.watch import GenerationWatch, Wait

Work = Callable[[VideoSteps, WorkflowJob], Awaitable[StateWait | None]]


async def _validate(steps: VideoSteps, job: WorkflowJob) -> None:
    await steps.validate(job)


async def _deliver(steps: VideoSteps, job: WorkflowJob) -> None:
    await steps.deliver(job)


async def _prove(steps: VideoSteps, job: WorkflowJob) -> None:
    await steps.prove(job)


@dataclass(frozen=True)
class Phase:
    """A part of a job's way, which a task of Airflow does.

    :param name: of the task in a task group.
    :param begins: the state in which a job comes to it, and to which an ended job is taken back.
    :param state: the state in which the work is done.
    :param work: what is done; it returns what it has to wait for, and does what is left when it is called again.
    :param then: the state that the job enters when the work is done; None where the next phase decides.
    """

    name: str
    begins: WorkflowState
    state: WorkflowState
    work: Work
    then: WorkflowState | None = None

    def is_due(self, job: WorkflowJob) -> bool:
        """Whether its work is to be done: in its state, and once more when a finished job is looked at again."""
        is_repeatable = self.state is WorkflowState.POST_PROCESSING
        return job.state is self.state or (is_repeatable and job.state is WorkflowState.COMPLETED)


_S = WorkflowState
VALIDATED = Phase("validated", _S.CREATED, _S.CREATED, _validate, _S.VALIDATED)
QUEUED = Phase("queued", _S.VALIDATED, _S.QUEUED, VideoSteps.pass_gates)
GENERATING = Phase("generating", _S.QUEUED, _S.GENERATING, VideoSteps.order)
GENERATION = Phase("generation", _S.GENERATING, _S.GENERATING, VideoSteps.follow)
POST_PROCESSING = Phase("post_processing", _S.GENERATING, _S.POST_PROCESSING, _deliver)
COMPLETED = Phase("completed", _S.POST_PROCESSING, _S.POST_PROCESSING, _prove, _S.COMPLETED)
PHASES = (VALIDATED, QUEUED, GENERATING, GENERATION, POST_PROCESSING, COMPLETED)


class Driver:
    """Moves jobs through their states.

    :param engine: keeps the table and the records.
    :param steps: the work of the states.
    :param guards: what the work of a phase needs a place in, so that not all jobs do it at once.
    """

    def __init__(
        self, engine: WorkflowEngine, steps: VideoSteps, guards: Mapping[str, asyncio.Semaphore] | None = None
    ) -> None:
        self.engine = engine
        self.steps = steps
        self._guards = guards or {}
        self._done: set[tuple[str, str, int]] = set()

    async def do(self, phase: Phase, job: WorkflowJob) -> StateWait | None:
        """Do one phase: enter its state, where the job comes to it, and do its work.

        :returns: what the job has to wait for before the phase is done, None when it is.
        """
        if job.state is phase.begins and phase.state is not phase.begins:
            await self._enter(job, phase.state)
        if phase.is_due(job):
            async with self._guards.get(phase.name) or nullcontext():
                wait = await phase.work(self.steps, job)
            if wait is not None:
                return wait
            if phase.then is not None and job.state is phase.state:
                await self._enter(job, phase.then)
        return None

    async def step(self, job: WorkflowJob) -> StateWait | None:
        """Do all work of the state that a job is in, and bring it into the next one.

        :returns: what the job has to wait for in this state, None when it has left it.
        """
        here = job.state
        for phase in PHASES:
            # After a wait only what is left is done: inputs are not read again for what was ordered.
            if phase.state is here and _stay(phase, job) not in self._done:
                wait = await self.do(phase, job)
                if wait is not None:
                    return wait
                self.skip(phase, job)
        if job.state is here:
            await self._enter(job, _after(here))
        return None

    def skip(self, phase: Phase, job: WorkflowJob) -> None:
        """Do a phase no more as long as the job stays in its state: it is done."""
        self._done.add(_stay(phase, job))

    async def go_on(self, job: WorkflowJob) -> StateWait | None:
        """Go on until the job has ended or has to wait; the record is kept after every state."""
        while not job.is_terminal:
            wait = await self.step(job)
            if wait is not None:
                return wait
            await self.engine.save(job)
        return None

    async def look(self, job: WorkflowJob, wait: WaitForTask, watch: GenerationWatch | None = None) -> StateWait | None:
        """Ask once about a job's task before it is waited for.

        :param wait: what the job waits for.
        :param watch: of earlier looks, which counts the questions that failed; None for the wait's own.
        :returns: the wait, None when the task has ended and its result is on record.
        """
        watch = watch or wait.watch
        decision = await poll_once(self.steps.client, watch, job.kind)
        if isinstance(decision, Wait):
            return replace(wait, watch=watch)
        await self.steps.conclude(job, decision)
        return None

    async def _enter(self, job: WorkflowJob, state: WorkflowState) -> None:
        """Bring a job into a state; what leads there is remembered in its history."""
        facts: dict[str, Any] = {}
        if state is WorkflowState.VALIDATED:
            facts = {**job.checked.model_dump(), "estimate": job.estimate}
        elif state is WorkflowState.POST_PROCESSING:
            await self.steps.take_result(job)
            facts = result_facts(job)
        self.engine.transition(job, state, **facts)
        if state is WorkflowState.POST_PROCESSING:
            # What is paid is on record before the long work begins.
            await self.engine.save(job)


def _stay(phase: Phase, job: WorkflowJob) -> tuple[str, str, int]:
    return job.id, phase.name, len(job.history)


def _after(state: WorkflowState) -> WorkflowState:
    return next(phase.state for phase in PHASES if phase.begins is state and phase.state is not state)
