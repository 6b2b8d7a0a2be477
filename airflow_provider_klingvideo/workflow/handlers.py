"""The handlers of a whole job, for :meth:`WorkflowEngine.process`: the driver's steps, waits awaited in the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_provider_klingvideo.workflow.driver import GENERATING, POST_PROCESSING, QUEUED, Driver
from airflow_provider_klingvideo.workflow.gates.budgets.queue import BudgetQueue
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import WaitForBudget
from airflow_provider_klingvideo.workflow.gates.consent import WaitForPerson
from airflow_provider_klingvideo.workflow.gates.slots.queue import SlotQueue
from airflow_provider_klingvideo.workflow.gates.slots.slots import WaitForSlot
from airflow_provider_klingvideo.workflow.job.engine import Handler, WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.states import TERMINAL_STATES, WorkflowState
from airflow_provider_klingvideo.workflow.job.transitions import ERROR_EXITS
from airflow_provider_klingvideo.workflow.job.waits import StateWait, WaitForMoment
from airflow_provider_klingvideo.workflow.steps import VideoSteps
from airflow_provider_klingvideo.workflow.waiting.broker import Broker
from airflow_provider_klingvideo.workflow.waiting.following import WaitForTask
from airflow_provider_klingvideo.workflow.waiting.shared_client import SharedClient
from airflow_provider_klingvideo.workflow.waiting.timings import timing_key

# Create requests at once: of many more Kling would refuse most.
CREATES = 4
RENDERS = 2
# So often the record is read of a job that a person has to approve.
PERSON_PAUSE = 5.0

Sleep = Callable[[float], Awaitable[object]]


class VideoHandlers:
    """One handler for each state; each ends by moving the job on.

    Jobs that are processed by the same object share its questions about tasks and slots. ``waiting`` tells, by job,
    what those wait for that do nothing else.

    :param steps: the work of the states.
    :param sleep: how to wait where the clock alone decides.
    """

    def __init__(self, steps: VideoSteps, *, sleep: Sleep = asyncio.sleep) -> None:
        self.waiting: dict[str, StateWait] = {}
        self._steps = steps
        self._sleep = sleep
        # One refusal tells those that come after it; rendering takes a processor, the waits beside it are free.
        self._guards = {GENERATING.name: asyncio.Semaphore(CREATES), POST_PROCESSING.name: asyncio.Semaphore(RENDERS)}
        client = SharedClient.of(steps.client)
        self._broker = Broker(client, steps.timings)
        self._queue = SlotQueue(
            client,
            lambda: steps.slots,
            pause=steps.settings.slot_pause_seconds,
            on_look=self._broker.hear_of_running,
        )
        self._budgets = BudgetQueue(steps.opened, pause=steps.settings.slot_pause_seconds)
        self._awaiting: Mapping[type[StateWait], Callable[[WorkflowJob, Any], Awaitable[None]]] = {
            WaitForSlot: self._await_slot,
            WaitForTask: self._await_task,
            WaitForBudget: self._await_budget,
            WaitForMoment: self._await_moment,
            WaitForPerson: self._await_person,
        }

    def register(self, engine: WorkflowEngine) -> None:
        """Make an engine process jobs with these handlers."""
        for state, handler in self.by_state().items():
            engine.register_handler(state, handler)

    def by_state(self) -> dict[WorkflowState, Handler]:
        """Return the handler of each state."""
        handlers = {state: self._step for state in WorkflowState if state not in TERMINAL_STATES}
        ends = dict.fromkeys(ERROR_EXITS, self._lost)
        return {**handlers, WorkflowState.QUEUED: self._queued, **ends}

    async def _step(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        await self._drive(Driver(engine, self._steps, self._guards), job)

    async def _drive(self, driver: Driver, job: WorkflowJob) -> None:
        while (wait := await driver.step(job)) is not None:
            await self._await(job, wait)

    async def _queued(self, engine: WorkflowEngine, job: WorkflowJob) -> None:
        # Whoever has to wait anyway joins the queue at once: one look of the queue serves all, instead of one for each.
        driver = Driver(engine, self._steps, self._guards)
        wait = await self._steps.pass_gates(job, looks=False)
        if wait is None:
            driver.skip(QUEUED, job)
        else:
            await self._await(job, wait)
        await self._drive(driver, job)

    async def _lost(self, _engine: WorkflowEngine, job: WorkflowJob) -> None:
        # The ended record is kept: what the job still holds at the gates is nobody's now.
        await self._steps.release(job)

    async def _await(self, job: WorkflowJob, wait: StateWait) -> None:
        with self._noted(job, wait):
            await self._awaiting[type(wait)](job, wait)

    async def _await_slot(self, job: WorkflowJob, wait: WaitForSlot) -> None:
        await self._queue.wait(wait.place, wait.seconds, is_cancelled=self._is_cancelled(job))

    def _is_cancelled(self, job: WorkflowJob) -> Callable[[], bool]:
        store = self._steps.store
        return lambda: store.cancel_reason(job.id, job.revision) is not None

    async def _await_task(self, job: WorkflowJob, wait: WaitForTask) -> None:
        ended = await self._broker.follow(wait.watch, job.kind, timing_key(job))
        await self._steps.conclude(job, ended)

    async def _await_budget(self, job: WorkflowJob, wait: WaitForBudget) -> None:
        await self._budgets.wait(wait.need, wait.seconds, is_cancelled=self._is_cancelled(job))

    async def _await_moment(self, _job: WorkflowJob, wait: WaitForMoment) -> None:
        await self._sleep(wait.seconds)

    async def _await_person(self, job: WorkflowJob, wait: WaitForPerson) -> None:
        # An event loop can show nobody a question: it waits until keeping the record brings an answer from it.
        await self._steps.store.asave(job)
        if job.approval is None or job.approval.answer_to(wait.question.about) is None:
            await self._sleep(min(PERSON_PAUSE, wait.seconds))

    @contextmanager
    def _noted(self, job: WorkflowJob, what: StateWait) -> Iterator[None]:
        self.waiting[job.id] = what
        try:
            yield
        finally:
            del self.waiting[job.id]
