"""References to another job's result in a request, so that jobs can be chained.

In the place of a value stands ``{"file_of": JOB}``, ``{"last_frame_of": JOB}`` or ``{"id_of": JOB}``, where ``JOB`` is
a job's record as JSON values. The new job's record keeps what it needs of it; the value is made when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.workflow.job.errors import InputError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

LAST_FRAME = "#last_frame"
"""Behind the path of a video it means its last frame."""

FILE_OF = "file_of"
"""The main file: the master of a video, or the first picture or sound."""
LAST_FRAME_OF = "last_frame_of"
"""The last frame of a video, with which the next shot goes on."""
ID_OF = "id_of"
"""Kling's id of the first result that has one: an element, a voice, a sound, a video."""

_VALUES: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    FILE_OF: lambda job: job["file"],
    LAST_FRAME_OF: lambda job: job["file"] and f"{job['file']}{LAST_FRAME}",
    ID_OF: lambda job: job["output_id"],
}


def reduced(value: Any) -> Any:
    """Return a request in which references carry no more of a job's record than is needed of it."""
    return _replaced(value, lambda form, job: {form: _facts(job)})


def resolved(value: Any) -> Any:
    """Return a request with values in the place of references.

    :raises InputError: when a job has no such result.
    """
    return _replaced(value, _resolve)


def record_of(job: Mapping[str, Any]) -> WorkflowJob:
    """Read a job that another task has returned, by any version of this provider.

    :raises InputError: it is no job.
    """
    try:
        return WorkflowJob.model_validate({"history": [], **job})
    except ValueError as error:
        raise InputError(
            Fault("job", f"{quoted(job)} is not a job", "a job as its task returns it"),
            advice="Pass on the output of a task of the job",
        ) from error


def _replaced(value: Any, replace: Callable[[str, Mapping[str, Any]], Any]) -> Any:
    if isinstance(value, list | tuple):
        return [_replaced(item, replace) for item in value]
    if not isinstance(value, Mapping):
        return value
    form = str(next(iter(value), ""))
    if len(value) == 1 and form in _VALUES and isinstance(value[form], Mapping):
        return replace(form, value[form])
    return {name: _replaced(item, replace) for name, item in value.items()}


def _facts(job: Mapping[str, Any]) -> dict[str, Any]:
    if "output_id" in job:
        return dict(job)
    known = record_of(job)
    outputs = known.result.outputs if known.result else ()
    return {
        "id": known.id,
        "state": str(known.state),
        "file": known.processed_url,
        "output_id": next((one["id"] for one in outputs if one.get("id")), None),
    }


def _resolve(form: str, job: Mapping[str, Any]) -> str:
    facts = _facts(job)
    if facts["state"] != WorkflowState.COMPLETED:
        raise InputError(
            Fault(form, f"job {facts['id']} is {facts['state']}, so that it has no result", "a job that is COMPLETED"),
            advice="Run that job to its end first, or name another one",
        )
    value = _VALUES[form](facts)
    if not value:
        raise InputError(
            Fault(form, f"job {facts['id']} has no such result", "a job whose product makes one"),
            advice="Name a job that made such a file, or another form of reference",
        )
    return value
