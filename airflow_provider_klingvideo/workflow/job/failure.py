"""What a job record says about an error: what is known, and never that no money was spent where it may be."""

from __future__ import annotations

from typing import Any

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import money_of


class AbandonedError(KlingVideoError):
    """We stopped following a job before it ended, because a person or Airflow stopped its task."""

    kind = "abandoned"
    default_advice = "Clear the task to go on; a task that exists at Kling is adopted and not paid again"


class UnexpectedError(KlingVideoError):
    """An exception that this project did not raise itself."""

    kind = "unexpected"


def money_spent(job: WorkflowJob, told: Money = Money.NONE) -> Money:
    """What the record proves about money: its calls, and a task that it names without a call.

    :param told: what was said about it before: it is never taken back.
    """
    proved = money_of(job.calls, told)
    return Money.MAYBE if proved is Money.NONE and job.klingai_job_id and not job.submissions else proved


def failure_data(job: WorkflowJob, error: BaseException) -> tuple[str, dict[str, Any]]:
    """Turn an error into the record's ``error`` line and its ``failure`` facts.

    :param job: the job, in the state in which the error happened.
    :param error: the error; its ``money`` is raised to what the job's calls prove.
    :returns: the line and the facts, ``state`` among them.
    """
    known = error if isinstance(error, KlingVideoError) else UnexpectedError(_describe(error))
    known.money = money_spent(job, known.money)
    return str(known), {**known.detail(), "state": str(job.state)}


def proven_failure(job: WorkflowJob) -> tuple[str | None, dict[str, Any] | None]:
    """Return the error that a job has on record, its word about money raised to what its calls prove by now."""
    if job.error is None or job.failure is None:
        return job.error, job.failure
    told = Money(job.failure.get("money", Money.NONE))
    known = money_spent(job, told)
    # Earlier versions spoke of the vendor.
    told_earlier = told.sentence.replace("Kling", "the vendor")
    error = job.error.replace(told_earlier, told.sentence).replace(told.sentence, known.sentence)
    return error, {**job.failure, "money": known.value}


def abandoned(job: WorkflowJob, cause: str) -> AbandonedError:
    """Make the error for a job that nobody follows any more.

    :param job: the job.
    :param cause: who stopped it, for example ``the task video.generation was marked as failed``.
    """
    handle = job.klingai_job_id or job.external_task_id
    runs_on = f"; the task {handle} at Kling cannot be cancelled and runs on" if handle else ""
    return AbandonedError(f"Abandoned in {job.state}: {cause}{runs_on}")


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
