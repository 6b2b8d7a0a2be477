"""From a task that Kling has finished to files in the store: the work of POST_PROCESSING and of COMPLETED."""

from __future__ import annotations

import asyncio
import hashlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_klingvideo.media import (
    Artifact,
    ArtifactPart,
    Delivery,
    DeliveryError,
    Expected,
    MediaSettings,
    RenderPlan,
    collect,
    deliver,
    recorded_in,
    remove_parts,
)
from airflow_provider_klingvideo.storage.errors import UnsafeNameError
from airflow_provider_klingvideo.storage.names import inside, safe_name
from airflow_provider_klingvideo.storage.protocols import OpenPath, StorePath, is_there
from airflow_provider_klingvideo.workflow.films import MASTER
from airflow_provider_klingvideo.workflow.job.blocking import RunBlocking
from airflow_provider_klingvideo.workflow.job.errors import StoredFilesError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.sections import Files
from airflow_provider_klingvideo.workflow.job.store import RECORD_NAME, JobStore, Save
from airflow_provider_klingvideo.workflow.results import AskOutputs, FreshOutputs, expiry_told, main_video, other_files
from airflow_provider_klingvideo.workflow.waiting.following import accepted_at, task_id_of

RenderListener = Callable[[WorkflowJob, float], None]
ASKED_SOUND = "native"


# What the record says about files: read and written here only.


def _outputs(job: WorkflowJob) -> Sequence[Mapping[str, Any]]:
    return job.result.outputs if job.result else ()


def _artifacts(job: WorkflowJob) -> dict[str, Artifact]:
    return {name: Artifact.from_json(one) for name, one in job.files.artifacts.items()}


def _record(job: WorkflowJob, artifacts: Mapping[str, Artifact]) -> None:
    job.files.artifacts = {name: one.to_json() for name, one in artifacts.items()}


def _record_gates(job: WorkflowJob, delivery: Delivery) -> None:
    job.files.gates = [gate.model_dump(mode="json") for gate in delivery.gates]


class Delivering:
    """Brings the results of jobs into the store, as often as it is asked and downloaded only once.

    :param store: where records and files lie.
    :param outputs: asks Kling for the outputs of a finished task, see :data:`AskOutputs`; it may block.
    :param media: download, ffmpeg and scratch space.
    :param plan: what is made of a video, and what is checked about it.
    :param open_path: makes a path object of the path or URI of a file that the plan names.
    :param run_blocking: how work that blocks is run; default: on a thread.
    :param on_rendering: called as ``on_rendering(job, share)`` with the done part of a rendering, 0 to 1, on the thread
        that renders.
    """

    def __init__(
        self,
        store: JobStore,
        outputs: AskOutputs,
        *,
        media: MediaSettings | None = None,
        plan: RenderPlan | None = None,
        open_path: OpenPath = pathlib.Path,
        run_blocking: RunBlocking = asyncio.to_thread,
        on_rendering: RenderListener | None = None,
    ) -> None:
        self._store = store
        self._outputs = outputs
        self._media = media or MediaSettings()
        self._plan = plan or RenderPlan()
        self._open_path = open_path
        self._run_blocking = run_blocking
        self._on_rendering = on_rendering

    async def post_process(self, job: WorkflowJob, save: Save) -> list[str]:
        """Load, verify and store the results, cut the video; what is stored and whole already is kept.

        :param save: keeps the record, which names the task at Kling of the files before the first of them is written.
        :returns: warnings; the record names the files.
        """
        task_id, kind = task_id_of(job), job.kind
        if job.files.task_id != task_id:
            self._set_aside(job)
            job.files = Files(task_id=task_id)
            await save(job)
        fresh = FreshOutputs(self._outputs, task_id, kind)
        with expiry_told(task_id, accepted_at(job)):
            warnings: list[str] = await self._run_blocking(lambda: self._deliver_video(job, fresh))
            await self._run_blocking(lambda: self._collect_others(job, fresh))
        artifacts = _artifacts(job)
        main = artifacts.get(MASTER) or next(iter(artifacts.values()), None)
        job.processed_url = main.path if main else str(self._folder(job) / RECORD_NAME)
        job.files.warnings = warnings
        return warnings

    def _deliver_video(self, job: WorkflowJob, fresh: FreshOutputs) -> list[str]:
        outputs = _outputs(job)
        video = main_video(outputs)
        if video is None:
            return []
        # Silence is a fault only where sound was asked for.
        audio = True if job.params.get("audio") == ASKED_SOUND else None
        try:
            delivery = deliver(
                lambda: fresh.url(video, lambda one: one.url),
                self._folder(job),
                expected=Expected(duration=outputs[video].get("seconds"), audio=audio),
                settings=self._media,
                recorded=_artifacts(job),
                plan=self._plan,
                provenance=_provenance(job),
                open_path=self._open_path,
                on_progress=self._on_rendering and partial(self._on_rendering, job),
            )
        except DeliveryError as error:
            if error.delivery:
                self._record_delivery(job, error.delivery)
            raise
        self._record_delivery(job, delivery)
        return list(delivery.warnings)

    def _collect_others(self, job: WorkflowJob, fresh: FreshOutputs) -> None:
        files = other_files(_outputs(job), fresh)
        self._add(job, collect(files, self._folder(job), settings=self._media, recorded=_artifacts(job)))

    def _record_delivery(self, job: WorkflowJob, delivery: Delivery) -> None:
        self._add(job, delivery.artifacts)
        _record_gates(job, delivery)

    def _add(self, job: WorkflowJob, artifacts: Mapping[str, Artifact]) -> None:
        """Record artifacts beside those that are on record; what cannot be one of this job's goes from it."""
        _record(job, {**recorded_in(self._folder(job), _artifacts(job)), **artifacts})

    def _set_aside(self, job: WorkflowJob) -> None:
        """Move the files of an earlier task at Kling, which were paid for, into a folder of their own."""
        folder = self._folder(job)
        aside = inside(folder, safe_name(f"task-{job.files.task_id}"))
        for file in _files(recorded_in(folder, _artifacts(job))):
            path, target = file.file_in(folder), file.file_in(aside)
            if is_there(path):
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)

    async def complete(self, job: WorkflowJob) -> None:
        """Prove that every file which the record names lies in the store with its size; tidy up what killed tries left.

        :raises StoredFilesError: naming what is missing, has another size, or is not in the job's folder.
        """
        folder, files = self._folder(job), _files(_artifacts(job))
        has_files = any(one.get("url") for one in _outputs(job))
        faults = ["the record names no files"] if has_files and not files else []
        faults += [fault for file in files if (fault := _fault(file, folder))]
        if faults:
            raise StoredFilesError(f"Job {job.id} is not complete: {'; '.join(faults)}")
        for one in {folder, *(file.file_in(folder).parent for file in files)}:
            remove_parts(one)

    def _folder(self, job: WorkflowJob) -> StorePath:
        return self._store.folder(job.id)


def _files(artifacts: Mapping[str, Artifact]) -> list[ArtifactPart]:
    return [file for artifact in artifacts.values() for file in artifact.files]


def _fault(file: ArtifactPart, folder: StorePath) -> str | None:
    """What is wrong with a stored file; one outside the folder is not looked at."""
    try:
        path = file.file_in(folder)
    except UnsafeNameError as error:
        return error.message
    if not is_there(path):
        return f"{file.name} is missing"
    size = path.stat().st_size
    return None if size == file.size else f"{file.name} has {size} bytes instead of {file.size}"


def _provenance(job: WorkflowJob) -> dict[str, str]:
    """What is written into the metadata of every video that is made; the prompt itself may be nobody's business."""
    prompt = hashlib.sha256(job.prompt.encode("utf-8", "surrogatepass")).hexdigest()
    return {"model": job.request.model if job.request else "", "prompt_sha256": prompt, "job_id": job.id}
