"""A second memory of a job's vendor tasks: the state store that Airflow 3.3 keeps for every task instance.

The job record stays the truth. Should it be lost (a folder was emptied, a bucket was changed), what was ordered before
is not: a task that runs again reminds the new record of it. Airflow below 3.3 has no such store; there the
deterministic external id alone leads back to the task.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_provider_klingvideo.workflow.job.job import Submission, WorkflowJob

if TYPE_CHECKING:
    from airflow.sdk import Context

KEY = "klingai_tasks"

log = logging.getLogger(__name__)
_submissions = TypeAdapter(list[Submission])


def remember(context: Context, job: WorkflowJob) -> None:
    """Keep what was submitted for a job; it is on record already, so that a failure here is told and no more."""
    store = _store(context)
    if store is None:
        return
    try:
        store.set(KEY, {"job_id": job.id, "submissions": _submissions.dump_python(job.submissions, mode="json")})
    except Exception as error:  # noqa: BLE001 - a paid task is on record and must not fail for its copy
        log.warning("The vendor tasks of job %s are on record, but not in Airflow's state store: %s", job.id, error)


def remind(context: Context, job: WorkflowJob) -> None:
    """Add to a job's record what was submitted for it before and the record does not know."""
    store = _store(context)
    known = {one.external_task_id for one in job.submissions}
    lost = [one for one in _remembered(store, job) if one.external_task_id not in known] if store else []
    if lost:
        log.warning("The record of job %s had lost %s", job.id, ", ".join(one.external_task_id for one in lost))
        job.submissions[:0] = lost


def _store(context: Context) -> Any:
    return context.get("task_state_store")


def _remembered(store: Any, job: WorkflowJob) -> list[Submission]:
    try:
        kept = store.get(KEY) or {}
        return _submissions.validate_python(kept["submissions"]) if kept.get("job_id") == job.id else []
    except Exception as error:  # noqa: BLE001 - the external id leads back to the task without this copy
        log.warning("What Airflow's state store has about job %s cannot be read: %s", job.id, error)
        return []
