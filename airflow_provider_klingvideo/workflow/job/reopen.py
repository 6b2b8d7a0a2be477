"""Taking up an ended job again, after a task was cleared: the ended record is kept, a new revision goes on."""

from __future__ import annotations

from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.states import WorkflowState


class NotReachedError(ValueError):
    """A job cannot be taken up in a state that it never reached."""


def reopened(job: WorkflowJob, state: WorkflowState) -> WorkflowJob:
    """Return the next revision of a job, as it was when it last entered ``state``.

    What the job knows about tasks at Kling stays, so that a task that was paid for is adopted instead of ordered again.

    :param job: any job; it is not changed.
    :param state: a state on the job's path.
    :raises NotReachedError: when the job never was in that state.
    """
    path = job.path
    if state not in path:
        raise NotReachedError(
            f"Job {job.id} is {job.state} and never reached {state} "
            f"(it went {' > '.join(path)}). Clear the task of an earlier state."
        )
    length = len(path) - 1 - path[::-1].index(state)
    return job.model_copy(
        deep=True,
        update={
            "state": state,
            "history": [entry.model_copy(deep=True) for entry in job.history[:length]],
            "error": None,
            "failure": None,
            "revision": job.revision + 1,
            "updated_at": utc_now(),
        },
    )
