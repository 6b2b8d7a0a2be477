"""What the assets of a task are told of the videos that it has completed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState

if TYPE_CHECKING:
    from airflow.sdk import Context


def tell_of_video(outlets: Iterable[Any], context: Context, job: WorkflowJob) -> None:
    """Give every asset of a task the facts of its completed video as the extra."""
    _tell(outlets, context, _facts(job))


def tell_of_videos(outlets: Iterable[Any], context: Context, jobs: Iterable[WorkflowJob]) -> None:
    """Give every asset of a task the list of its completed videos, under ``videos``, as the extra."""
    _tell(outlets, context, {"videos": [_facts(job) for job in jobs if job.state is WorkflowState.COMPLETED]})


def _tell(outlets: Iterable[Any], context: Context, extra: dict[str, Any]) -> None:
    for outlet in outlets:
        context["outlet_events"][outlet].extra = extra


def _facts(job: WorkflowJob) -> dict[str, Any]:
    main: Mapping[str, Any] = next(
        (one for one in job.files.artifacts.values() if one["path"] == job.processed_url), {}
    )
    return {
        "job_id": job.id,
        "klingai_job_id": job.klingai_job_id,
        "path": job.processed_url,
        "sha256": main.get("sha256"),
        "seconds": job.result and job.result.seconds,
        **job.bill_columns,
    }
