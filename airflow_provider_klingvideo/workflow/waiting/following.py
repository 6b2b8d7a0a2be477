"""Following a job's vendor task: from the record to a watch, one question, and back into the record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.kling import AsyncKlingClient, GenerationFailedError, registry
from airflow_provider_klingvideo.workflow.job.errors import (
    GenerationTimeoutError,
    NoResultError,
    PollingLostError,
)
from airflow_provider_klingvideo.workflow.job.failure import abandoned
from airflow_provider_klingvideo.workflow.job.job import Submission, WorkflowJob, utc_now
from airflow_provider_klingvideo.workflow.waiting.last_question import LAST_QUESTION_SECONDS, answered_within
from airflow_provider_klingvideo.workflow.waiting.watch import Ended, GenerationWatch, Outcome, PollPolicy, Wait

RESULT_FACTS = ("video_url", "billed_units", "seconds", "outputs")


def kind_of(job: WorkflowJob) -> str:
    """The product that a validated job asks for."""
    return str(job.metadata["kind"])


def task_id_of(job: WorkflowJob) -> str:
    """The vendor's id of the task that the job follows.

    :raises ValueError: when nothing was submitted yet.
    """
    if job.klingai_job_id is None:
        raise ValueError(f"Job {job.id} has no vendor task yet; it is {job.state}.")
    return job.klingai_job_id


def accepted_at(job: WorkflowJob) -> datetime:
    """When the vendor accepted the task that the job follows."""
    submission = _followed(job)
    return submission.accepted_at or submission.intended_at


def watch_of(
    job: WorkflowJob,
    generation_seconds: float,
    policy: PollPolicy,
    window: tuple[float, float] | None = None,
) -> GenerationWatch:
    """Make the watch over a submitted job.

    :param generation_seconds: how long the vendor may take, counted from the moment when it accepted the task, so that
        no retry of ours prolongs it.
    :param window: when such tasks ended lately, see :class:`GenerationWatch`.
    """
    accepted = accepted_at(job)
    return GenerationWatch(
        task_id_of(job),
        submitted_at=accepted,
        deadline=accepted + timedelta(seconds=generation_seconds),
        typical_seconds=registry().typical_seconds(kind_of(job), str(job.metadata["model"])),
        window=window,
        policy=policy,
    )


async def poll_once(client: AsyncKlingClient, watch: GenerationWatch, kind: str) -> Wait | Ended:
    """Ask once about one task; the watch says what the answer means.

    The deadline ends a question, too; only the last one may take a little longer.
    """
    try:
        async with answered_within(max(watch.seconds_left(utc_now()), LAST_QUESTION_SECONDS)):
            tasks = await client.get_tasks([watch.task_id], kind=kind)
    except KlingVideoError as error:
        return watch.on_error(error, utc_now())
    return watch.on_task(tasks.get(watch.task_id), utc_now())


async def settle(job: WorkflowJob, client: AsyncKlingClient) -> dict[str, Any]:
    """Return what :func:`conclude` found for a job whose wait is over, asking once where nobody has waited.

    :raises KlingVideoError: when there is no result, or the task still runs (somebody marked the sensor as successful).
    """
    if _followed(job).outcome == "succeeded" and "outputs" in job.metadata:
        return {name: job.metadata.get(name) for name in RESULT_FACTS}
    decision = await poll_once(client, watch_of(job, 0, PollPolicy()), kind_of(job))
    if isinstance(decision, Wait) or decision.outcome is Outcome.TIMED_OUT:
        raise abandoned(job, "nobody waited for the vendor's task to finish")
    return conclude(job, decision)


def conclude(job: WorkflowJob, ended: Ended) -> dict[str, Any]:
    """Write down how the wait for a job's task ended.

    :returns: the facts for the history of the transition to POST_PROCESSING.
    :raises KlingVideoError: when there is no result, of the class that fits, with the vendor's words.
    """
    submission = _followed(job)
    if ended.outcome in _VENDOR_SAID:
        submission.outcome = _VENDOR_SAID[ended.outcome]
        submission.units = submission.units if ended.billed_units is None else ended.billed_units
    if ended.answer:
        job.metadata["vendor_answer"] = ended.answer
    if ended.outcome is not Outcome.SUCCEEDED:
        raise _ERRORS[ended.outcome](job, ended)
    facts = {name: getattr(ended, name) for name in RESULT_FACTS}
    job.metadata.update(facts)
    return facts


def _followed(job: WorkflowJob) -> Submission:
    task_id = task_id_of(job)
    return next(one for one in reversed(job.submissions) if one.task_id == task_id)


def _failed(job: WorkflowJob, ended: Ended) -> KlingVideoError:
    free = ended.billed_units is not None and Decimal(ended.billed_units) == 0
    return GenerationFailedError(
        f"The vendor failed to generate task {job.klingai_job_id}",
        vendor_message=ended.message,
        money=Money.NONE if free else Money.MAYBE,
    )


_VENDOR_SAID: dict[Outcome, Literal["succeeded", "failed"]] = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.NO_RESULT: "succeeded",
    Outcome.FAILED: "failed",
}
_ERRORS: dict[Outcome, Callable[[WorkflowJob, Ended], KlingVideoError]] = {
    Outcome.FAILED: _failed,
    Outcome.NO_RESULT: lambda job, ended: NoResultError(ended.message),
    Outcome.TIMED_OUT: lambda job, ended: GenerationTimeoutError(ended.message),
    Outcome.LOST: lambda job, ended: PollingLostError(f"Task {job.klingai_job_id} is out of sight: {ended.message}"),
}
