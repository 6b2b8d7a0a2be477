"""The gate at which a person approves or rejects what a job will cost."""

from __future__ import annotations

from airflow_provider_klingvideo.workflow.gates.consent import (
    WaitForPerson,
    answer_of_rule,
    asked_about,
    is_at_kling,
    keep_answer,
    needs_answer,
    question_of,
    require_allowed,
    tell_question,
    words_of,
)
from airflow_provider_klingvideo.workflow.gates.gate import GateMeans
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.waits import StateWait


class ApprovalGate:
    """Lets a job pass that a person has approved, or that nobody has to be asked about.

    :param means: the parts that gates work with.
    """

    def __init__(self, means: GateMeans) -> None:
        self._means = means

    async def wait_for(self, job: WorkflowJob, *, looks: bool) -> StateWait | None:
        """Look for the answer on the job's record; without one, put the question there.

        :raises RejectedError: a person has rejected the job.
        :raises NoAnswerError: nobody has answered in time.
        """
        if job.approval is None or job.approval.rule is None:
            return None
        about = asked_about(job, await self._means.fingerprint_of(job), self._means.take)
        if not needs_answer(job, about) or is_at_kling(job, about):
            return None
        answer, now = job.approval.answer_to(about), utc_now()
        if answer is not None:
            require_allowed(answer)
            return None
        question, is_new = question_of(job, about, now)
        if is_new:
            tell_question(job, question, self._means.journal)
        if question.until <= now:
            keep_answer(job, answer_of_rule(job, about, now), self._means.journal)
            return None
        reservations = self._means.reservations
        return WaitForPerson(
            f"a person has to approve it (price: {words_of(about.price)})",
            (question.until - now).total_seconds(),
            question=question,
            users=job.approval.rule.users,
            left=await self._means.run_blocking(lambda: reservations.left(job)),
        )

    async def release(self, job: WorkflowJob) -> None:
        """Keep everything: a job holds nothing here that others could use."""
