"""What happens in each state, written once: tasks of Airflow, batches and :meth:`WorkflowEngine.process` run the same.

Work that has to wait returns what it waits for, see :class:`~.job.waits.StateWait`; done again, it does what is left.
"""

from __future__ import annotations

import asyncio
import logging
import pathlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault, KlingVideoError
from airflow_provider_klingvideo.kling import (
    AsyncKlingClient,
    ConcurrencyLimitError,
    GenerationRequest,
    RateLimitError,
    Terms,
    check_request,
    first_video,
)
from airflow_provider_klingvideo.media import MediaSettings, RenderPlan
from airflow_provider_klingvideo.storage.protocols import OpenPath, StorePath
from airflow_provider_klingvideo.workflow.delivering import Delivering, RenderListener
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import Reservations
from airflow_provider_klingvideo.workflow.gates.consent import require_consent
from airflow_provider_klingvideo.workflow.gates.gate import GateMeans
from airflow_provider_klingvideo.workflow.gates.slots.quota import learn_quota
from airflow_provider_klingvideo.workflow.gates.slots.slots import (
    Place,
    SlotRules,
    Slots,
    Standing,
    WaitForSlot,
    place_of,
)
from airflow_provider_klingvideo.workflow.gates.table import GATES
from airflow_provider_klingvideo.workflow.inputs.creation import request_of
from airflow_provider_klingvideo.workflow.inputs.plan_files import PlanFiles
from airflow_provider_klingvideo.workflow.inputs.reader import (
    INLINE_FAULT,
    InputReader,
    inline_media,
    require_reachable_inputs,
)
from airflow_provider_klingvideo.workflow.job.blocking import RunBlocking
from airflow_provider_klingvideo.workflow.job.errors import CancelRequestedError, InputError, QueueTimeoutError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.journal import Event, Journal, facts_of
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, utc_now
from airflow_provider_klingvideo.workflow.job.sections import CheckedRequest
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.store import JobStore
from airflow_provider_klingvideo.workflow.job.waits import StateWait, WaitForMoment
from airflow_provider_klingvideo.workflow.ordering.paid_once import PaidOnce
from airflow_provider_klingvideo.workflow.ordering.preparation import expected_price, prepared_request
from airflow_provider_klingvideo.workflow.ordering.submission import TakeRules, WantedVideo, call_for, ensure_task
from airflow_provider_klingvideo.workflow.results import AskOutputs
from airflow_provider_klingvideo.workflow.waiting.following import (
    WaitForTask,
    conclude,
    followed_call,
    has_result,
    result_of,
    task_id_of,
    watch_of,
)
from airflow_provider_klingvideo.workflow.waiting.timings import Timings, timing_key
from airflow_provider_klingvideo.workflow.waiting.watch import Ended, PollPolicy

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepSettings:
    """What a user can set for all jobs of a connection or a task.

    :param concurrency_limit: tasks that may run at Kling at once, None when only Kling limits them.
    :param model_limits: the same by model.
    :param queue_seconds: how long a job may wait in QUEUED.
    :param slot_seconds: how long a job in GENERATING may be refused for want of a slot.
    :param slot_pause_seconds: shortest pause between two looks for a free slot.
    :param generation_seconds: how long Kling may take, counted from the moment it accepted the task.
    :param take: see :class:`~.ordering.submission.TakeRules`, as are
    :param regenerate_failed: and
    :param on_changed_request: when another paid task may be ordered for a job.
    :param repeat_unanswered: make a paid call other than a create again where its answer was lost.
    :param poll: bounds of polling.
    :param check_input_urls: fetch the first bytes of what a request names by address, before anything is ordered.
    :param terms: by what the account pays.
    :param unknown_models: what to do with a model that the capability registry does not know.
    :param media: download, ffmpeg and scratch space.
    :param plan: what is made of a video, and what is checked about it.
    """

    concurrency_limit: int | None = None
    model_limits: Mapping[str, int] = field(default_factory=dict)
    queue_seconds: float = 24 * 3600
    slot_seconds: float = 24 * 3600
    slot_pause_seconds: float = 3
    generation_seconds: float = 3600
    take: int = 1
    regenerate_failed: bool = False
    on_changed_request: str = "order"
    repeat_unanswered: bool = False
    poll: PollPolicy = field(default_factory=PollPolicy)
    check_input_urls: bool = True
    terms: Terms = field(default_factory=Terms)
    unknown_models: Literal["warn", "refuse", "send"] = "warn"
    media: MediaSettings = field(default_factory=MediaSettings)
    plan: RenderPlan = field(default_factory=RenderPlan)

    @property
    def slot_rules(self) -> SlotRules:
        """What the user says about slots."""
        return SlotRules(self.concurrency_limit, self.model_limits)

    @property
    def rules(self) -> TakeRules:
        """When another paid task may be ordered for a job."""
        return TakeRules(self.take, self.regenerate_failed, self.on_changed_request)

    def seconds_left(self, job: WorkflowJob, now: datetime | None = None) -> float:
        """Return how long a job may still wait in its state before it is given up.

        In GENERATING that is the time for which it may be refused; Kling's own time counts from its acceptance.
        """
        longest = self.queue_seconds if job.state is WorkflowState.QUEUED else self.slot_seconds
        entered = job.entered_at(job.state) or job.created_at
        if job.state is WorkflowState.QUEUED and job.approval and job.approval.waits_until:
            # The time that a person takes is not the queue's.
            entered = max(entered, job.approval.waits_until)
        return longest - ((now or utc_now()) - entered).total_seconds()


class VideoSteps:
    """The work of every state for one connection.

    :param client: Kling's API, open.
    :param store: where records and files lie.
    :param outputs: asks Kling for the outputs of a finished task, see :data:`AskOutputs`; it may block.
    :param open_path: makes a path object of an input's path or URI.
    :param run_blocking: how work that blocks is run; default: on a thread.
    :param slots: gives the slots of the connection;
    :param timings: knows how long tasks take; default: kept in memory.
    :param journal: is told what is paid.
    :param on_rendering: called as ``on_rendering(job, share)`` with the done part of a rendering, 0 to 1, on the thread
        that renders.
    :param opened: opens the signed parts of a request's addresses, see :class:`~.inputs.sealing.Seal`.
    """

    def __init__(
        self,
        client: AsyncKlingClient,
        store: JobStore,
        *,
        outputs: AskOutputs,
        settings: StepSettings | None = None,
        open_path: OpenPath = pathlib.Path,
        run_blocking: RunBlocking = asyncio.to_thread,
        slots: Slots,
        timings: Timings | None = None,
        journal: Journal | None = None,
        on_rendering: RenderListener | None = None,
        opened: Callable[[Any], Any] = lambda request: request,
    ) -> None:
        self.client = client
        self.store = store
        self.settings = settings or StepSettings()
        self.slots = slots
        self.timings = timings or Timings()
        self.journal = journal or Journal()
        self._outputs = outputs
        self._open_path = open_path
        self._opened = opened
        self._run_blocking = run_blocking
        self._reservations = Reservations(open_path)
        means = GateMeans(
            client,
            self.slots,
            self._reservations,
            run_blocking,
            self.journal,
            fingerprint_of=self._fingerprint_of,
            take=self.settings.take,
        )
        self._gates = [gate(means) for gate in GATES]
        self._asking_quota = asyncio.Lock()
        self._plan_files = PlanFiles(self.settings.plan, open_path, self.settings.media)
        self._delivering = Delivering(
            store,
            outputs,
            media=self.settings.media,
            plan=self.settings.plan,
            open_path=open_path,
            run_blocking=run_blocking,
            on_rendering=on_rendering,
        )

    async def validate(self, job: WorkflowJob) -> None:
        """Prove that the request is legal, its inputs can be used and Kling takes this key; estimate the price.

        What the render plan names is looked at, too.

        :raises KlingVideoError: with the reason; nothing was sent that costs money.
        """
        if names := inline_media(job.params):
            raise InputError([Fault(name, *INLINE_FAULT) for name in names], advice="Change the request")
        wanted = await self.wanted(job)
        request, family = wanted.request, wanted.family
        warnings = check_request(request, family, unknown_models=self.settings.unknown_models)
        if self.settings.check_input_urls:
            await self._run_blocking(lambda: require_reachable_inputs(wanted.identity, self.settings.media))
        await self._plan_files.require_usable(self._run_blocking)
        # The look-up of this very job is free, not throttled, and proves host, region and key before any create.
        await self.client.find_by_external_id(job.external_task_id or job.id, kind=request.kind)
        job.request = CheckedRequest(kind=request.kind, model=request.model_name, api=str(family), warnings=warnings)
        job.estimate = expected_price(request, family, self.settings.terms)
        self._reservations.require_affordable(job)

    async def pass_gates(
        self, job: WorkflowJob, *, looks: bool = True, now: datetime | None = None
    ) -> StateWait | None:
        """Bring a job in QUEUED through all gates.

        :param looks: whether Kling is asked for a free slot; otherwise somebody looks for all that wait.
        :returns: what it has to wait for, None when it may order.
        :raises CancelRequestedError: somebody has cancelled it.
        :raises QueueTimeoutError: it waited too long.
        """
        try:
            return await self._first_wait(job, looks, now)
        except KlingVideoError as error:
            if not error.retryable:
                await self.release(job)
            raise

    async def _first_wait(self, job: WorkflowJob, looks: bool, now: datetime | None) -> StateWait | None:
        if reason := await self._run_blocking(lambda: self.store.cancel_reason(job.id, job.revision)):
            raise CancelRequestedError(f"Cancelled in the queue: {reason}")
        for number, gate in enumerate(self._gates, start=1):
            wait = await gate.wait_for(job, looks=looks)
            if wait is not None:
                # Whoever stands here holds nothing that others could use meanwhile.
                for behind in self._gates[number:]:
                    await self._tell(partial(behind.release, job))
                left = self.settings.seconds_left(job, now)
                if left <= 0:
                    limit = self.settings.queue_seconds
                    raise QueueTimeoutError(f"The job could not be ordered within {limit:.0f} s: {wait.words}")
                return wait.within(left)
        return None

    async def release(self, job: WorkflowJob) -> None:
        """Give back what a job holds at the gates and will not use now."""
        if job.request is None:
            return
        for gate in self._gates:
            await self._tell(partial(gate.release, job))

    async def opened(self, path: str) -> StorePath:
        """Open a path or URI without blocking the event loop."""
        opened: StorePath = await self._run_blocking(lambda: self._open_path(path))
        return opened

    async def standing(self, job: WorkflowJob) -> Standing:
        """Tell whether a job has to wait for a slot, without asking Kling."""
        standing: Standing = await self._run_blocking(lambda: self.slots.standing(place_of(job)))
        return standing

    async def order(self, job: WorkflowJob) -> StateWait | None:
        """Bring the request to Kling exactly once; see :mod:`~.ordering.paid_once`.

        :returns: what it has to wait for, None when Kling has the task.
        :raises ConcurrencyLimitError: every slot was taken for too long.
        :raises KlingVideoError: Kling refused, or it is not known whether it has the task.
        """
        place, left = place_of(job), self.settings.seconds_left(job)
        is_new = all(call.is_refused for call in job.submissions)
        if is_new and left > 0 and await self.standing(job) is Standing.WAITING:
            return WaitForSlot("every slot is taken, as the last refusals have shown", left, place=place)
        try:
            await self._ensure_task(job)
        except ConcurrencyLimitError as error:
            await self._learn(place)
            if left <= 0:
                raise
            return WaitForSlot(str(error), left, place=place)
        except RateLimitError as error:
            if left <= 0:
                raise
            return WaitForMoment(str(error), min(max(error.retry_after or 0, self.settings.slot_pause_seconds), left))
        except KlingVideoError as error:
            if not error.retryable:
                await self.release(job)
            raise
        await self._tell_others(lambda: self.slots.ordered(place))
        return None

    async def _ensure_task(self, job: WorkflowJob) -> None:
        wanted = await self.wanted(job)
        once = self._once(job)
        call = call_for(job, wanted, self.settings.rules)

        async def reserve_and_prepare(wanted: WantedVideo) -> GenerationRequest:
            require_consent(job, wanted.fingerprint, self.settings.take)
            await self._run_blocking(lambda: self._reservations.reserve(job, call))
            return await prepared_request(
                self.client, job, wanted, once, repeat_unanswered=self.settings.repeat_unanswered
            )

        await ensure_task(self.client, job, call, wanted, reserve_and_prepare, once)

    def _once(self, job: WorkflowJob) -> PaidOnce:
        async def keep(call: PaidCall, token: str, *, first: bool) -> None:
            await self._run_blocking(lambda: self.store.note(job.id, call, token, first=first))
            await self.store.asave(job)
            if call.can_be_asked_about and call.sends.get(token) == "refused":
                # A job that waits at a full account is refused again and again, and every reader would read every note.
                # Should a slower worker still think that this send is open, Kling is asked once more, for free.
                await self._run_blocking(lambda: self.store.forget(job.id, token))

        def tell(event: Event, call: PaidCall, **data: Any) -> None:
            self.journal.write(event, job, **facts_of(call), **data)

        return PaidOnce(keep, tell)

    async def _learn(self, place: Place) -> None:
        """Remember how much ran when Kling refused; where it cannot be asked, nothing is learned."""
        try:
            in_flight = await self.client.in_flight(place.pack)
        except KlingVideoError as error:
            log.warning("Could not list Kling's running tasks: %s", error)
            await self._tell_others(lambda: self.slots.give_back(place))
        else:
            await self._tell_others(lambda: self.slots.refused(place, in_flight))
            async with self._asking_quota:
                await self._learn_quota(place.pack)

    async def _learn_quota(self, pack: str) -> None:
        if await self._run_blocking(lambda: self.slots.wants_quota(pack)):
            await learn_quota(self.client, self.slots, pack)

    async def _tell_others(self, work: Callable[[], None]) -> None:
        await self._tell(lambda: self._run_blocking(work))

    async def _tell(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Tell other processes something. Where that fails the job goes on: what they know wrongly is outdated soon."""
        try:
            await work()
        except OSError as error:
            log.warning("Could not update what jobs share (slots, budgets, times): %s", error)

    async def follow(self, job: WorkflowJob) -> StateWait | None:
        """Return the wait for a job's task, None when its result is on record."""
        if has_result(job):
            return None
        window = await self._run_blocking(lambda: self.timings.load(timing_key(job)))
        watch = watch_of(job, self.settings.generation_seconds, self.settings.poll, window)
        left = (watch.deadline - utc_now()).total_seconds()
        return WaitForTask(f"task {watch.task_id} runs at Kling", max(0.0, left), watch=watch)

    async def conclude(self, job: WorkflowJob, ended: Ended) -> None:
        """Write down how the wait for a job's task ended, in its budget, too; see :func:`conclude`."""
        try:
            conclude(job, ended)
        finally:
            await self._end_of_task(job)
            seconds = ended.vendor_seconds
            if seconds is not None:
                await self._tell_others(lambda: self.timings.keep(timing_key(job), seconds))

    async def take_result(self, job: WorkflowJob) -> None:
        """Make sure that a job's result is on record, asking once where nobody has waited; see :func:`result_of`."""
        if has_result(job):
            return
        try:
            await result_of(job, self.client)
        finally:
            await self._end_of_task(job)

    async def _end_of_task(self, job: WorkflowJob) -> None:
        call = followed_call(job)
        if call.verdict is not None:
            self.journal.write(Event.BILLED, job, **facts_of(call), verdict=call.verdict)
        await self.release(job)

    async def deliver(self, job: WorkflowJob) -> None:
        """Load, verify and store the results, cut the video; what is stored and whole already is kept."""
        await self._delivering.post_process(job, self.store.asave)

    async def prove(self, job: WorkflowJob) -> None:
        """Prove that every file which the record names lies in the store with its size.

        :raises StoredFilesError: naming what is missing or has another size.
        """
        await self._delivering.complete(job)

    async def wanted(self, job: WorkflowJob) -> WantedVideo:
        """Build the typed request of a job, its inputs read.

        :raises InvalidRequestError: when the parameters make no request.
        :raises InputError: when an input cannot be used.
        """
        request, api = request_of(job.prompt, self._opened(job.params))
        family = self.client.family_for(request, api=api)
        reader = InputReader(self._open_path, self.store.at, self._video_of, self.settings.media)
        inputs = await self._run_blocking(lambda: reader.read(request, family))
        return WantedVideo(inputs.request, inputs.identity, family)

    async def _fingerprint_of(self, job: WorkflowJob) -> str:
        return (await self.wanted(job)).fingerprint

    def _video_of(self, job: WorkflowJob) -> str:
        video = first_video(self._outputs(task_id_of(job), job.kind))
        if video is None:
            raise InputError(
                Fault(f"job {job.id}", "it offers no video any more", "a video that was made in the last 30 days"),
                advice="Order that video again, or name another one",
            )
        return video.url
