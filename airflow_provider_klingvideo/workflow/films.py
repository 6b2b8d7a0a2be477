"""Which clips a film is made of: the videos of jobs, and files that are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.media import Clip
from airflow_provider_klingvideo.storage.addresses import is_web
from airflow_provider_klingvideo.workflow.inputs.references import record_of
from airflow_provider_klingvideo.workflow.job.errors import InputError
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

MASTER = "master.mp4"
CLIP = "a job, or the path or URI of an MP4 file"


def clips_of(values: Any, open_path: Callable[[str], Any]) -> list[Clip]:
    """Return the clips of a film, in order.

    :param values: jobs as JSON values, and paths or URIs of MP4 files.
    :param open_path: turns a name into a path.
    :raises InputError: when a job has no finished video, or a value is neither; nothing is read to find that out.
    """
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        what = f"The clips of a film are a list of jobs or paths, not {type(values).__name__}"
        raise _refused("clips", what, "a list")
    return [_clip(number, value, open_path) for number, value in enumerate(values, start=1)]


def _clip(number: int, value: Any, open_path: Callable[[str], Any]) -> Clip:
    if isinstance(value, Mapping):
        return _clip_of_job(number, value, open_path)
    if not isinstance(value, str) or not value:
        what = f"Clip {number} is {quoted(value)}: the task that makes it has returned neither a job nor a path"
        raise _refused(f"clips.{number}", what, CLIP)
    if is_web(value):
        # It belongs to a job, which guards and verifies the download.
        raise _refused(f"clips.{number}", f"Clip {number} is an address of the web: load it into a store first", CLIP)
    return Clip(open_path(value))


def _refused(where: str, what: str, legal: str) -> InputError:
    return InputError(
        Fault(where, what, legal), advice="Correct the clips, then run the task again: nothing is ordered"
    )


def _clip_of_job(number: int, job: Mapping[str, Any], open_path: Callable[[str], Any]) -> Clip:
    known = record_of(job)
    name, where = f"Clip {number} is job {known.id}", f"clips.{number}"
    if known.state is not WorkflowState.COMPLETED:
        why = f": {known.error}" if known.error else ""
        raise _refused(where, f"{name}, which is {known.state}{why}", "a job that is COMPLETED")
    master = known.files.artifacts.get(MASTER)
    if master is None:
        raise _refused(where, f"{name}, which made no video", "a job with a video")
    return Clip(open_path(master["path"]), sha256=master["sha256"], origin=known.id)
