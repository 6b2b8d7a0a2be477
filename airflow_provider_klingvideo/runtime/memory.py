"""A second memory of a job's tasks at Kling: the state store that Airflow 3.3 keeps for every task instance.

The job record stays the truth. Should it be lost (a folder was emptied, a bucket was changed), what was ordered before
is not: a task that runs again reminds the new record of it. Airflow below 3.3 has no such store; there the
deterministic external id alone leads back to the task.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, merged_calls

if TYPE_CHECKING:
    from airflow.sdk import Context

KEY = "klingai_tasks"

log = logging.getLogger(__name__)
_calls = TypeAdapter(list[PaidCall])


def remember(context: Context, job: WorkflowJob) -> None:
    """Keep what was ordered for a job; it is on record already, so that a failure here is told and no more."""
    store = _store(context)
    if store is None or not job.calls:
        return
    try:
        store.set(KEY, {"job_id": job.id, "calls": _calls.dump_python(job.calls, mode="json")})
    except Exception as error:  # noqa: BLE001 - a paid task is on record and must not fail for its copy
        log.warning("The calls of job %s are on record, but not in Airflow's state store: %s", job.id, error)


def remind(context: Context, job: WorkflowJob) -> None:
    """Add to a job's record what was ordered for it before and the record does not know."""
    store = _store(context)
    known = {call.key for call in job.calls}
    lost = [call for call in _remembered(store, job) if call.key not in known] if store else []
    if lost:
        names = ", ".join(call.external_task_id or call.what for call in lost)
        log.warning("The record of job %s had lost %s", job.id, names)
        job.calls = merged_calls(job.calls, lost)


def _store(context: Context) -> Any:
    return context.get("task_state_store")


def _remembered(store: Any, job: WorkflowJob) -> list[PaidCall]:
    try:
        kept = store.get(KEY) or {}
        if kept.get("job_id") != job.id:
            return []
        if "submissions" in kept:
            # What versions before the typed calls kept.
            return WorkflowJob.model_validate({"history": [], "submissions": kept["submissions"]}).calls
        return _calls.validate_python(kept["calls"])
    except Exception as error:  # noqa: BLE001 - the external id leads back to the task without this copy
        log.warning("What Airflow's state store has about job %s cannot be read: %s", job.id, error)
        return []
