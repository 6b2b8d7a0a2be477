"""What the assets of a task are told of the videos that it has completed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState

if TYPE_CHECKING:
    from airflow.sdk import Context


def tell_outlets(outlets: Iterable[Any], context: Context, jobs: Sequence[WorkflowJob]) -> None:
    """Give every asset of a task the facts of the videos as its extra.

    :param outlets: the assets.
    :param jobs: the task's; of several jobs the extra has the list, under ``videos``.
    """
    facts = [_facts(job) for job in jobs if job.state is WorkflowState.COMPLETED]
    extra: Any = facts[0] if len(jobs) == 1 and facts else {"videos": facts}
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
        "billed_units": None if job.billed_units is None else f"{job.billed_units:f}",
    }
