"""What happens in each state, written once: the operators and :meth:`WorkflowEngine.process` run the same steps."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import pathlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import (
    AsyncKlingClient,
    ConcurrencyLimitError,
    GenerationRequest,
    check_request,
    estimate,
    first_video,
    parse_request,
)
from airflow_provider_klingvideo.media import (
    Artifact,
    Delivery,
    DeliveryError,
    Expected,
    MediaSettings,
    RenderPlan,
    collect,
    deliver,
    remove_parts,
)
from airflow_provider_klingvideo.storage.protocols import OpenPath, is_there
from airflow_provider_klingvideo.workflow.gates.budget import Reservations
from airflow_provider_klingvideo.workflow.gates.quota import learn_quota
from airflow_provider_klingvideo.workflow.gates.slots import FOLDER as SLOTS_FOLDER
from airflow_provider_klingvideo.workflow.gates.slots import Place, SlotBoard, SlotRules, Slots, Standing, place_of
from airflow_provider_klingvideo.workflow.inputs.reader import InputReader, inline_media, require_reachable_inputs
from airflow_provider_klingvideo.workflow.inputs.references import resolved
from airflow_provider_klingvideo.workflow.job.errors import (
    CancelRequestedError,
    InputError,
    QueueTimeoutError,
    StoredFilesError,
)
from airflow_provider_klingvideo.workflow.job.job import Submission, WorkflowJob, utc_now
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.store import RECORD_NAME, JobStore
from airflow_provider_klingvideo.workflow.ordering.preparation import Preparation
from airflow_provider_klingvideo.workflow.ordering.submission import Order, Save, SubmissionProtocol
from airflow_provider_klingvideo.workflow.results import AskOutputs, FreshOutputs, expiry_told, main_video, other_files
from airflow_provider_klingvideo.workflow.waiting.following import (
    accepted_at,
    conclude,
    kind_of,
    settle,
    task_id_of,
    watch_of,
)
from airflow_provider_klingvideo.workflow.waiting.timings import Timings, timing_key
from airflow_provider_klingvideo.workflow.waiting.watch import Ended, GenerationWatch, PollPolicy

log = logging.getLogger(__name__)

T = TypeVar("T")
RunBlocking = Callable[[Callable[[], Any]], Awaitable[Any]]
RenderListener = Callable[[WorkflowJob, float], None]
MASTER = "master.mp4"
ASKED_SOUND = "native"


async def inline(work: Callable[[], T]) -> T:
    """Run blocking work right here, for a process that has nothing else to do and wants signals to reach the work."""
    return work()


@dataclass(frozen=True)
class Obstacle:
    """Why a job in QUEUED may not go on yet.

    :param is_slot: whether it is for want of a slot.
    :param words: for a person.
    """

    is_slot: bool
    words: str


@dataclass(frozen=True)
class StepSettings:
    """What a user can set for all jobs of a connection or a task.

    :param concurrency_limit: tasks that may run at the vendor at once, None when only the vendor limits them.
    :param model_limits: the same by model.
    :param queue_seconds: how long a job may wait in QUEUED.
    :param slot_seconds: how long a job in GENERATING may be refused for want of a slot.
    :param slot_pause_seconds: shortest pause between two looks for a free slot.
    :param generation_seconds: how long the vendor may take, counted from the moment it accepted the task.
    :param poll: bounds of polling.
    :param check_input_urls: fetch the first bytes of what a request names by address, before anything is ordered.
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
    poll: PollPolicy = field(default_factory=PollPolicy)
    check_input_urls: bool = True
    unknown_models: Literal["warn", "refuse"] = "warn"
    media: MediaSettings = field(default_factory=MediaSettings)
    plan: RenderPlan = field(default_factory=RenderPlan)

    @property
    def slot_rules(self) -> SlotRules:
        """What the user says about slots."""
        return SlotRules(self.concurrency_limit, self.model_limits)


class VideoSteps:
    """The work of every state for one connection.

    :param client: the vendor's API, open.
    :param store: where records and files lie.
    :param outputs: asks the vendor for the outputs of a finished task, see :data:`AskOutputs`; it may block.
    :param open_path: makes a path object of an input's path or URI.
    :param run_blocking: how work that blocks is run; default: on a thread.
    :param slots: gives the slots of the connection; default: a board beside the records.
    :param timings: knows how long tasks take; default: kept in memory.
    :param on_rendering: called as ``on_rendering(job, share)`` with the done part of a rendering, 0 to 1, on the thread
        that renders.
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
        slots: Slots | None = None,
        timings: Timings | None = None,
        on_rendering: RenderListener | None = None,
    ) -> None:
        self.client = client
        self.store = store
        self.settings = settings or StepSettings()
        self.slots = slots or Slots(SlotBoard(store.base / SLOTS_FOLDER), self.settings.slot_rules)
        self.timings = timings or Timings()
        self._outputs = outputs
        self._open_path = open_path
        self._run_blocking = run_blocking
        self._on_rendering = on_rendering
        self._reservations = Reservations(open_path)
        self._asking_quota = asyncio.Lock()

    async def validate(self, job: WorkflowJob) -> dict[str, Any]:
        """Prove that the request is legal, its inputs are there and the vendor takes this key; estimate the price.

        :returns: what the record keeps of it: kind, model, generation, estimate, warnings.
        :raises KlingVideoError: with the reason; nothing was sent that costs money.
        """
        if names := inline_media(job.params):
            raise InputError(
                f"{', '.join(names)} holds a file itself",
                advice="Give an http(s) URL or a path (s3://, file:// ...): records and logs carry no files",
            )
        order = await self.order_of(job)
        request, generation = order.request, order.generation
        warnings = check_request(request, generation, unknown_models=self.settings.unknown_models)
        if self.settings.check_input_urls:
            await self._run_blocking(lambda: require_reachable_inputs(order.identity, self.settings.media))
        price = estimate(request, generation)
        # The look-up of this very job is free, not throttled, and proves host, region and key before any create.
        await self.client.find_by_external_id(job.external_task_id or job.id, kind=request.kind)
        facts: dict[str, Any] = {
            "kind": request.kind,
            "model": request.model_name,
            "generation": str(generation),
            "estimate": price and {"units": str(price.units), "usd": price.usd and str(price.usd)},
            "warnings": warnings,
        }
        job.metadata.update(facts)
        self._reservations.require_affordable(job)
        return facts

    async def admission(self, job: WorkflowJob, *, now: datetime | None = None) -> Obstacle | None:
        """Decide about a job in QUEUED.

        :returns: None when it may go on.
        :raises CancelRequestedError: somebody has cancelled it.
        :raises QueueTimeoutError: it waited too long.
        """
        if reason := self.store.cancel_reason(job.id, job.revision):
            await self._tell(lambda: self.slots.give_back(place_of(job)))
            raise CancelRequestedError(f"Cancelled in the queue: {reason}")
        obstacle = await self._no_slot(job) or await self._no_budget(job)
        if obstacle is not None and self.queue_seconds_left(job, now) <= 0:
            raise QueueTimeoutError(f"Waited {self.settings.queue_seconds:.0f} s in vain: {obstacle.words}")
        return obstacle

    def queue_seconds_left(self, job: WorkflowJob, now: datetime | None = None) -> float:
        """Return how long a job may still wait in QUEUED."""
        entered = job.entered_at(WorkflowState.QUEUED) or job.created_at
        return self.settings.queue_seconds - ((now or utc_now()) - entered).total_seconds()

    async def standing(self, job: WorkflowJob) -> Standing:
        """Tell whether a job has to wait for a slot, without asking the vendor."""
        standing: Standing = await self._run_blocking(lambda: self.slots.standing(place_of(job)))
        return standing

    async def _no_slot(self, job: WorkflowJob) -> Obstacle | None:
        if await self.standing(job) is not Standing.WAITING:
            return None
        place = place_of(job)
        in_flight = await self.client.in_flight(place.pack)
        granted: set[str] = await self._run_blocking(lambda: self.slots.grant([place], in_flight))
        return None if job.id in granted else Obstacle(True, "every slot is taken, or others wait longer")

    async def _no_budget(self, job: WorkflowJob) -> Obstacle | None:
        """A task that exists is adopted and costs nothing more; should another one be ordered, it is reserved then."""
        if any(one.outcome in (None, "succeeded") for one in job.submissions):
            return None
        missing: str | None = await self._run_blocking(lambda: self._reservations.shortage(job))
        if missing is None:
            return None
        await self._tell(lambda: self.slots.give_back(place_of(job)))
        return Obstacle(False, missing)

    async def submit(
        self,
        job: WorkflowJob,
        save: Save,
        *,
        generation_number: int = 1,
        regenerate_failed: bool = False,
        on_changed_request: str = "order",
    ) -> Submission:
        """Bring the request to the vendor exactly once; see :class:`SubmissionProtocol`.

        :raises ConcurrencyLimitError: every slot is taken; call again later.
        """
        prepare = Preparation(self.client, save)

        async def reserve_and_prepare(job: WorkflowJob, order: Order) -> GenerationRequest:
            if await self._run_blocking(lambda: self._reservations.reserve(job)):
                await save(job)
            return await prepare(job, order)

        place = place_of(job)
        is_new = all(one.outcome == "refused" for one in job.submissions)
        if is_new and await self.standing(job) is Standing.WAITING:
            raise ConcurrencyLimitError("Every slot is taken, as the last refusals have shown; nothing was sent")
        try:
            submission = await SubmissionProtocol(self.client, save, reserve_and_prepare).ensure_task(
                job,
                await self.order_of(job),
                generation_number=generation_number,
                regenerate_failed=regenerate_failed,
                on_changed_request=on_changed_request,
            )
        except ConcurrencyLimitError:
            await self._learn(place)
            raise
        except KlingVideoError as error:
            if not error.retryable:
                await self.settle_budget(job)
                await self._tell(lambda: self.slots.give_back(place))
            raise
        await self._tell(lambda: self.slots.ordered(place))
        return submission

    async def _learn(self, place: Place) -> None:
        """Remember how much ran when the vendor refused; where it cannot be asked, nothing is learned."""
        try:
            in_flight = await self.client.in_flight(place.pack)
        except KlingVideoError as error:
            log.warning("What runs at the vendor could not be asked: %s", error)
            await self._tell(lambda: self.slots.give_back(place))
        else:
            await self._tell(lambda: self.slots.refused(place, in_flight))
            async with self._asking_quota:
                await self._learn_quota(place.pack)

    async def _learn_quota(self, pack: str) -> None:
        if await self._run_blocking(lambda: self.slots.wants_quota(pack)):
            await learn_quota(self.client, self.slots, pack)

    async def _tell(self, work: Callable[[], None]) -> None:
        """Tell other processes something. Where that fails the job goes on: what they know wrongly is outdated soon."""
        try:
            await self._run_blocking(work)
        except OSError as error:
            log.warning("What other processes should know could not be kept: %s", error)

    async def watch(self, job: WorkflowJob) -> GenerationWatch:
        """Make the watch over a submitted job, which knows how long such tasks took lately."""
        window = await self._run_blocking(lambda: self.timings.load(timing_key(job)))
        return watch_of(job, self.settings.generation_seconds, self.settings.poll, window)

    async def conclude(self, job: WorkflowJob, ended: Ended) -> dict[str, Any]:
        """Write down how the wait for a job's task ended, in its budget, too; see :func:`conclude`."""
        try:
            return conclude(job, ended)
        finally:
            await self.settle_budget(job)
            await self._tell(lambda: self._facts_of_end(job, ended))

    def _facts_of_end(self, job: WorkflowJob, ended: Ended) -> None:
        self.slots.give_back(place_of(job))
        if ended.vendor_seconds is not None:
            self.timings.keep(timing_key(job), ended.vendor_seconds)

    async def take_result(self, job: WorkflowJob) -> dict[str, Any]:
        """Return the facts of a job's result, asking once where nobody has waited; see :func:`settle`."""
        try:
            return await settle(job, self.client)
        finally:
            await self.settle_budget(job)

    async def settle_budget(self, job: WorkflowJob) -> None:
        """Give back what the job has reserved and will not spend."""
        await self._run_blocking(lambda: self._reservations.settle(job))

    def slot_timed_out(self, job: WorkflowJob, now: datetime) -> bool:
        """Whether a job has been refused for want of a slot for too long."""
        entered = job.entered_at(WorkflowState.GENERATING) or now
        return (now - entered).total_seconds() >= self.settings.slot_seconds

    async def post_process(self, job: WorkflowJob, save: Save) -> list[str]:
        """Load, verify and store the results, cut the video; what is stored and whole already is kept.

        :param save: keeps the record, which names the vendor task of the files before the first of them is written.
        :returns: warnings; the record names the files.
        """
        task_id, kind = task_id_of(job), kind_of(job)
        if job.metadata.get("artifacts_of") != task_id:
            self._set_aside(job)
            job.metadata["artifacts_of"] = task_id
            await save(job)
        fresh = FreshOutputs(self._outputs, task_id, kind)
        with expiry_told(task_id, accepted_at(job)):
            warnings: list[str] = await self._run_blocking(lambda: self._deliver_video(job, fresh))
            await self._run_blocking(lambda: self._collect_others(job, fresh))
        artifacts = _recorded(job)
        main = artifacts.get(MASTER) or next(iter(artifacts.values()), None)
        job.processed_url = main.path if main else str(self.store.folder(job.id) / RECORD_NAME)
        job.metadata["media_warnings"] = warnings
        return warnings

    def _deliver_video(self, job: WorkflowJob, fresh: FreshOutputs) -> list[str]:
        outputs = job.metadata["outputs"]
        video = main_video(outputs)
        if video is None:
            return []
        # Silence is a fault only where sound was asked for.
        audio = True if job.params.get("audio") == ASKED_SOUND else None
        try:
            delivery = deliver(
                lambda: fresh.url(video, lambda one: one.url),
                self.store.folder(job.id),
                expected=Expected(duration=outputs[video].get("seconds"), audio=audio),
                settings=self.settings.media,
                recorded=_recorded(job),
                plan=self.settings.plan,
                provenance=_provenance(job),
                open_path=self._open_path,
                on_progress=self._on_rendering and partial(self._on_rendering, job),
            )
        except DeliveryError as error:
            if error.delivery:
                _record_delivery(job, error.delivery)
            raise
        _record_delivery(job, delivery)
        return list(delivery.warnings)

    def _collect_others(self, job: WorkflowJob, fresh: FreshOutputs) -> None:
        files = other_files(job.metadata["outputs"], fresh)
        folder, settings = self.store.folder(job.id), self.settings.media
        _record(job, collect(files, folder, settings=settings, recorded=_recorded(job)))

    def _set_aside(self, job: WorkflowJob) -> None:
        """Move the files of an earlier vendor task, which were paid for, into a folder of their own."""
        folder = self.store.folder(job.id)
        aside = folder / f"task-{job.metadata.get('artifacts_of')}"
        names = [name for one in _recorded(job).values() for name in one.file_names]
        job.metadata.pop("artifacts", None)
        for name in names:
            path = folder / name
            if is_there(path):
                (aside / name).parent.mkdir(parents=True, exist_ok=True)
                path.replace(aside / name)

    async def complete(self, job: WorkflowJob) -> None:
        """Prove that every file which the record names lies in the store with its size; tidy up what killed tries left.

        :raises StoredFilesError: naming what is missing or has another size.
        """
        folder = self.store.folder(job.id)
        artifacts = _recorded(job)
        has_files = any(one.get("url") for one in job.metadata.get("outputs", ()))
        faults = ["the record names no files"] if has_files and not artifacts else []
        for file in (file for artifact in artifacts.values() for file in (artifact, *artifact.parts)):
            path: Any = folder / file.name
            if not is_there(path):
                faults.append(f"{file.name} is missing")
            elif (size := path.stat().st_size) != file.size:
                faults.append(f"{file.name} has {size} bytes instead of {file.size}")
        if faults:
            raise StoredFilesError(f"Job {job.id} is not complete: {'; '.join(faults)}")
        for one in {
            folder,
            *((folder / name).parent for artifact in artifacts.values() for name in artifact.file_names),
        }:
            remove_parts(one)

    async def order_of(self, job: WorkflowJob) -> Order:
        """Build the typed request of a job, its inputs read.

        :raises InvalidRequestError: when the parameters make no request.
        :raises InputError: when an input cannot be used.
        """
        params = resolved({key: value for key, value in job.params.items() if key != "api"})
        request = parse_request({**params, "prompt": job.prompt} if job.prompt else params)
        generation = self.client.generation_for(request, api=job.params.get("api"))
        reader = InputReader(self._open_path, self._video_of, self.settings.media)
        inputs = await self._run_blocking(lambda: reader.read(request, generation))
        return Order(inputs.request, inputs.identity, generation)

    def _video_of(self, job: WorkflowJob) -> str:
        video = first_video(self._outputs(task_id_of(job), kind_of(job)))
        if video is None:
            raise InputError(f"Job {job.id} offers no video", advice="Media are kept for 30 days after generation")
        return video.url


def _recorded(job: WorkflowJob) -> dict[str, Artifact]:
    return {name: Artifact.from_json(one) for name, one in job.metadata.get("artifacts", {}).items()}


def _provenance(job: WorkflowJob) -> dict[str, str]:
    """What is written into the metadata of every video that is made; the prompt itself may be nobody's business."""
    prompt = hashlib.sha256(job.prompt.encode()).hexdigest()
    return {"model": str(job.metadata.get("model", "")), "prompt_sha256": prompt, "job_id": job.id}


def _record_delivery(job: WorkflowJob, delivery: Delivery) -> None:
    _record(job, delivery.artifacts)
    job.metadata["gates"] = [gate.model_dump(mode="json") for gate in delivery.gates]


def _record(job: WorkflowJob, artifacts: Mapping[str, Artifact]) -> None:
    known = job.metadata.get("artifacts", {})
    job.metadata["artifacts"] = {**known, **{name: one.to_json() for name, one in artifacts.items()}}
