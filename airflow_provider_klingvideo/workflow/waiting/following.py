"""Following a job's task at Kling: from the record to a watch, one question, and back into the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import AsyncKlingClient, GenerationFailedError, registry
from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.workflow.job.errors import (
    GenerationTimeoutError,
    NoResultError,
    PollingLostError,
)
from airflow_provider_klingvideo.workflow.job.failure import abandoned
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, Verdict, utc_now
from airflow_provider_klingvideo.workflow.job.sections import Result
from airflow_provider_klingvideo.workflow.job.waits import StateWait
from airflow_provider_klingvideo.workflow.waiting.last_question import LAST_QUESTION_SECONDS, answered_within
from airflow_provider_klingvideo.workflow.waiting.watch import Ended, GenerationWatch, Outcome, PollPolicy, Wait


@dataclass(frozen=True)
class WaitForTask(StateWait):
    """Wait until Kling has finished a task.

    :param watch: decides when to ask, and what an answer means.
    """

    watch: GenerationWatch = field(kw_only=True)


class NotOrderedError(ValueError):
    """A job has no task at Kling yet."""


def task_id_of(job: WorkflowJob) -> str:
    """Kling's id of the task that the job follows.

    :raises NotOrderedError: when nothing was ordered yet.
    """
    if job.klingai_job_id is None:
        raise NotOrderedError(f"Job {job.id} has no task at Kling yet; it is {job.state}.")
    return job.klingai_job_id


def followed_call(job: WorkflowJob) -> PaidCall:
    """Return the create that made the task which the job follows.

    :raises NotOrderedError: the record names none.
    """
    call = job.call_of_task(task_id_of(job))
    if call is None:
        raise NotOrderedError(f"The record of job {job.id} does not say how task {job.klingai_job_id} was ordered.")
    return call


def accepted_at(job: WorkflowJob) -> datetime:
    """When Kling accepted the task that the job follows."""
    call = followed_call(job)
    return call.accepted_at or call.intended_at


def watch_of(
    job: WorkflowJob,
    generation_seconds: float,
    policy: PollPolicy,
    window: tuple[float, float] | None = None,
) -> GenerationWatch:
    """Make the watch over an ordered job.

    :param generation_seconds: how long Kling may take, counted from the moment when it accepted the task, so that no
        retry of ours prolongs it.
    :param window: when such tasks ended lately, see :class:`GenerationWatch`.
    """
    accepted = accepted_at(job)
    return GenerationWatch(
        task_id_of(job),
        submitted_at=accepted,
        deadline=accepted + timedelta(seconds=generation_seconds),
        typical_seconds=registry().typical_seconds(job.kind, job.model),
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


def has_result(job: WorkflowJob) -> bool:
    """Whether it is on record what Kling has made of the task that the job follows."""
    return followed_call(job).verdict == "succeeded" and job.result is not None


async def result_of(job: WorkflowJob, client: AsyncKlingClient) -> None:
    """Make sure that the result is on record, asking once where nobody has waited for it.

    :raises KlingVideoError: when there is no result, or the task still runs (somebody marked the sensor as successful).
    """
    if has_result(job):
        return
    decision = await poll_once(client, watch_of(job, 0, PollPolicy()), job.kind)
    if isinstance(decision, Wait) or decision.outcome is Outcome.TIMED_OUT:
        raise abandoned(job, "nobody waited for Kling to finish the task")
    conclude(job, decision)


def conclude(job: WorkflowJob, ended: Ended) -> None:
    """Write down how the wait for a job's task ended.

    :raises KlingVideoError: when there is no result, of the class that fits, with Kling's words.
    """
    call = followed_call(job)
    if ended.outcome in _VERDICTS:
        call.verdict = _VERDICTS[ended.outcome]
        call.bill = Bill.model_validate(ended.bill) if ended.bill else call.bill
    if ended.answer:
        job.vendor_answer = ended.answer
    if ended.outcome is not Outcome.SUCCEEDED:
        raise _ERRORS[ended.outcome](job, ended)
    job.result = Result(video_url=ended.video_url, seconds=ended.seconds, bill=call.bill, outputs=ended.outputs)


def result_facts(job: WorkflowJob) -> dict[str, Any]:
    """Return what the history tells of the step to POST_PROCESSING."""
    return job.result.model_dump(mode="json") if job.result else {}


def _failed(job: WorkflowJob, ended: Ended) -> KlingVideoError:
    return GenerationFailedError(
        f"Kling failed to generate task {job.klingai_job_id}",
        vendor_message=ended.message,
        money=followed_call(job).money,
    )


_VERDICTS: dict[Outcome, Verdict] = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.NO_RESULT: "succeeded",
    Outcome.FAILED: "failed",
}
_ERRORS: dict[Outcome, Callable[[WorkflowJob, Ended], KlingVideoError]] = {
    Outcome.FAILED: _failed,
    Outcome.NO_RESULT: lambda job, ended: NoResultError(ended.message),
    Outcome.TIMED_OUT: lambda job, ended: GenerationTimeoutError(ended.message),
    Outcome.LOST: lambda job, ended: PollingLostError(f"Lost track of task {job.klingai_job_id}: {ended.message}"),
}
