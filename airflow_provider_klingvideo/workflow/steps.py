"""What happens in each state, written once: the operators and :meth:`WorkflowEngine.process` run the same steps."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from airflow_provider_klingvideo.kling import (
    AsyncKlingClient,
    check_request,
    estimate,
    parse_request,
)
from airflow_provider_klingvideo.media import Artifact, Delivery, Expected, MediaSettings, deliver
from airflow_provider_klingvideo.workflow.errors import (
    CancelRequestedError,
    InputError,
    QueueTimeoutError,
    StoredFilesError,
)
from airflow_provider_klingvideo.workflow.following import kind_of, task_id_of
from airflow_provider_klingvideo.workflow.inputs import inline_images, with_inputs
from airflow_provider_klingvideo.workflow.job import Submission, WorkflowJob, utc_now
from airflow_provider_klingvideo.workflow.paths import OpenPath
from airflow_provider_klingvideo.workflow.states import WorkflowState
from airflow_provider_klingvideo.workflow.store import JobStore
from airflow_provider_klingvideo.workflow.submission import Save, SubmissionProtocol
from airflow_provider_klingvideo.workflow.watch import PollPolicy

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import Generation, GenerationRequest

T = TypeVar("T")
RunBlocking = Callable[[Callable[[], T]], Awaitable[T]]


async def inline(work: Callable[[], T]) -> T:
    """Run blocking work right here, for a process that has nothing else to do and wants signals to reach the work."""
    return work()


@dataclass(frozen=True)
class StepSettings:
    """What a user can set for all jobs of a connection or a task.

    :param concurrency_limit: tasks that may run at the vendor at once, None when only the vendor limits them.
    :param queue_seconds: how long a job may wait in QUEUED.
    :param slot_seconds: how long a job in GENERATING may be refused for want of a slot.
    :param slot_pause_seconds: shortest pause between two looks for a free slot.
    :param generation_seconds: how long the vendor may take, counted from the moment it accepted the task.
    :param poll: bounds of polling.
    :param unknown_models: what to do with a model that the capability registry does not know.
    :param media: download, ffmpeg and scratch space.
    """

    concurrency_limit: int | None = None
    queue_seconds: float = 24 * 3600
    slot_seconds: float = 24 * 3600
    slot_pause_seconds: float = 15
    generation_seconds: float = 3600
    poll: PollPolicy = field(default_factory=PollPolicy)
    unknown_models: Literal["warn", "refuse"] = "warn"
    media: MediaSettings = field(default_factory=MediaSettings)


class VideoSteps:
    """The work of every state for one connection.

    :param client: the vendor's API, open.
    :param store: where records and files lie.
    :param video_url: asks the vendor for a fresh, signed address of a finished task: ``video_url(task_id, kind)``.
    :param open_path: makes a path object of an input's path or URI.
    :param run_blocking: how work that blocks is run; default: on a thread.
    """

    def __init__(
        self,
        client: AsyncKlingClient,
        store: JobStore,
        *,
        video_url: Callable[[str, str], str],
        settings: StepSettings | None = None,
        open_path: OpenPath = pathlib.Path,
        run_blocking: Callable[[Callable[[], Any]], Awaitable[Any]] = asyncio.to_thread,
    ) -> None:
        self.client = client
        self.store = store
        self.settings = settings or StepSettings()
        self._video_url = video_url
        self._open_path = open_path
        self._run_blocking = run_blocking

    async def validate(self, job: WorkflowJob) -> dict[str, Any]:
        """Prove that the request is legal, its inputs are there and the vendor takes this key; estimate the price.

        :returns: what the record keeps of it: kind, model, generation, estimate, warnings.
        :raises KlingVideoError: with the reason; nothing was sent that costs money.
        """
        if names := inline_images(job.params):
            raise InputError(
                f"{', '.join(names)} holds a picture itself",
                advice="Give an http(s) URL or a path (s3://, file:// ...): records and logs carry no pictures",
            )
        request, generation = await self.request_of(job)
        warnings = check_request(request, generation, unknown_models=self.settings.unknown_models)
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
        return facts

    async def admission(self, job: WorkflowJob, *, now: datetime | None = None) -> float | None:
        """Decide about a job in QUEUED.

        :returns: None when it may go on, else the seconds after which to ask again.
        :raises CancelRequestedError: somebody has cancelled it.
        :raises QueueTimeoutError: it waited too long.
        """
        now = now or utc_now()
        if reason := self.store.cancel_request(job):
            raise CancelRequestedError(f"Cancelled in the queue: {reason}")
        limit = self.settings.concurrency_limit
        if limit is None or await self.client.count_in_flight() < limit:
            return None
        waited = (now - (job.entered_at(WorkflowState.QUEUED) or job.created_at)).total_seconds()
        if waited >= self.settings.queue_seconds:
            raise QueueTimeoutError(f"No slot became free in {waited:.0f} s (concurrency limit {limit})")
        return self.settings.slot_pause_seconds

    async def submit(
        self,
        job: WorkflowJob,
        save: Save,
        *,
        generation_number: int = 1,
        regenerate_failed: bool = False,
    ) -> Submission:
        """Bring the request to the vendor exactly once; see :class:`SubmissionProtocol`.

        :raises ConcurrencyLimitError: every slot is taken; call again later.
        """
        request, generation = await self.request_of(job)
        return await SubmissionProtocol(self.client, save).ensure_task(
            job,
            request,
            generation,
            generation_number=generation_number,
            regenerate_failed=regenerate_failed,
        )

    def slot_timed_out(self, job: WorkflowJob, now: datetime) -> bool:
        """Whether a job has been refused for want of a slot for too long."""
        entered = job.entered_at(WorkflowState.GENERATING) or now
        return (now - entered).total_seconds() >= self.settings.slot_seconds

    async def post_process(self, job: WorkflowJob, save: Save) -> Delivery:
        """Load, verify, store and cut the video; what is stored and whole already is kept.

        :param save: keeps the record, which names the vendor task of the files before the first of them is written.
        :returns: the delivery; the record names its files.
        """
        task_id, kind = task_id_of(job), kind_of(job)
        if job.metadata.get("artifacts_of") != task_id:
            self._set_aside(job)
            job.metadata["artifacts_of"] = task_id
            await save(job)
        recorded = {name: Artifact.from_json(one) for name, one in job.metadata.get("artifacts", {}).items()}
        expected = Expected(duration=job.metadata.get("seconds"), audio=None)
        folder = self.store.folder(job.id)
        delivery: Delivery = await self._run_blocking(
            lambda: deliver(
                lambda: self._video_url(task_id, kind),
                folder,
                expected=expected,
                settings=self.settings.media,
                recorded=recorded,
            )
        )
        job.metadata["artifacts"] = {name: one.to_json() for name, one in delivery.artifacts.items()}
        job.metadata["media_warnings"] = list(delivery.warnings)
        job.processed_url = delivery.artifacts["master.mp4"].path
        return delivery

    def _set_aside(self, job: WorkflowJob) -> None:
        """Move the files of an earlier vendor task, which were paid for, into a folder of their own."""
        folder = self.store.folder(job.id)
        aside = folder / f"task-{job.metadata.get('artifacts_of')}"
        for name in job.metadata.pop("artifacts", {}):
            aside.mkdir(parents=True, exist_ok=True)
            path = folder / name
            if path.exists():
                path.replace(aside / name)

    async def complete(self, job: WorkflowJob) -> None:
        """Prove that every file which the record names lies in the store with its size.

        :raises StoredFilesError: naming what is missing or has another size.
        """
        folder = self.store.folder(job.id)
        artifacts: Mapping[str, Mapping[str, Any]] = job.metadata.get("artifacts", {})
        faults = [] if artifacts else ["the record names no files"]
        for name, artifact in artifacts.items():
            path: Any = folder / name
            if not path.exists():
                faults.append(f"{name} is missing")
            elif (size := path.stat().st_size) != artifact["size"]:
                faults.append(f"{name} has {size} bytes instead of {artifact['size']}")
        if faults:
            raise StoredFilesError(f"Job {job.id} is not complete: {'; '.join(faults)}")

    async def request_of(self, job: WorkflowJob) -> tuple[GenerationRequest, Generation]:
        """Build the typed request of a job, its input files read.

        :raises InvalidRequestError: when the parameters make no request.
        """
        params = {key: value for key, value in job.params.items() if key != "api"}
        request = parse_request({**params, "prompt": job.prompt})
        generation = self.client.generation_for(request, api=job.params.get("api"))
        if inputs := with_inputs(params, self._open_path, str(generation)):
            request = parse_request({**inputs, "prompt": job.prompt})
        return request, generation
