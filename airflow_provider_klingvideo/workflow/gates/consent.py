"""Asking a person before a job is ordered: what is asked, when, and what an answer allows. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from airflow_provider_klingvideo.workflow.job.errors import NoAnswerError, NotApprovedError, RejectedError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.journal import Event, Journal
from airflow_provider_klingvideo.workflow.job.sections import Answer, Approval, ApprovalRule, Asked, Question
from airflow_provider_klingvideo.workflow.job.waits import StateWait


@dataclass(frozen=True)
class WaitForPerson(StateWait):
    """Wait until a person has approved or rejected the job.

    :param question: as it stands on the job's record.
    :param users: who may answer, empty for everybody whom Airflow lets.
    :param left: what is left of the job's budget, in words; None without one.
    """

    question: Question = field(kw_only=True)
    users: list[dict[str, str]] = field(kw_only=True, default_factory=list)
    left: str | None = field(kw_only=True, default=None)

    def within(self, seconds: float) -> Self:
        """Return the same wait: its own deadline comes first, and a person's time does not count for the queue."""
        return self if self.seconds <= seconds else super().within(seconds)


def with_rule(approval: Approval | None, rule: ApprovalRule | None) -> Approval | None:
    """Return what is on record about approval under another rule: what was answered stays."""
    if approval is None and rule is None:
        return None
    return (approval or Approval()).model_copy(update={"rule": rule})


def asked_about(job: WorkflowJob, fingerprint: str, take: int) -> Asked:
    """Return what a person is asked about."""
    return Asked(fingerprint=fingerprint, take=take, price=price_of(job))


def price_of(job: WorkflowJob) -> str | None:
    """Return what the job is expected to cost in units, a paid look before it included; None when unknown."""
    estimate = job.estimate
    if estimate is None or estimate.units is None:
        return None
    return f"{Decimal(estimate.units) + Decimal(estimate.preparation or 0):f}"


def needs_answer(job: WorkflowJob, about: Asked) -> bool:
    """Whether a person has to be asked: an unknown price may be any."""
    rule = job.approval.rule if job.approval else None
    if rule is None:
        return False
    return rule.above is None or about.price is None or Decimal(about.price) > Decimal(rule.above)


def is_at_kling(job: WorkflowJob, about: Asked) -> bool:
    """Whether Kling has the task already: it is adopted, which costs nothing more."""
    same = (call for call in job.submissions if call.fingerprint == about.fingerprint and call.take >= about.take)
    return any(call.task_id is not None and call.verdict != "failed" for call in same)


def question_of(job: WorkflowJob, about: Asked, now: datetime) -> tuple[Question, bool]:
    """Return the question on a job's record that asks this, and whether it is new; another one takes its place.

    A new revision gets a new one: somebody has cleared the job that nobody had answered for.
    """
    approval = job.approval
    if approval is None or approval.rule is None:
        raise NotApprovedError(f"Nobody can be asked about job {job.id}: it has no rule")
    known = approval.question
    if known is not None and known.about == about and known.revision == job.revision:
        return known, False
    question = Question(about=about, revision=job.revision, until=now + timedelta(seconds=approval.rule.seconds))
    job.approval = approval.model_copy(update={"question": question})
    return question, True


def keep_answer(job: WorkflowJob, answer: Answer, journal: Journal) -> None:
    """Put an answer on a job's record; the first one to a question holds."""
    approval = job.approval or Approval()
    if approval.answer_to(answer.about) is not None:
        return
    job.approval = approval.model_copy(update={"answers": [*approval.answers, answer]})
    journal.write(Event.ANSWERED, job, approved=answer.is_approved, by=answer.by, **_facts(answer.about))


def tell_question(job: WorkflowJob, question: Question, journal: Journal) -> None:
    """Tell the journal of a new question."""
    journal.write(Event.ASKED, job, until=question.until.isoformat(), **_facts(question.about))


def answer_of_rule(job: WorkflowJob, about: Asked, now: datetime) -> Answer:
    """Return what holds when nobody has answered in time.

    :raises NoAnswerError: the job is cancelled then.
    """
    rule = job.approval.rule if job.approval else None
    if rule is not None and rule.on_no_answer == "order":
        return Answer(about=about, is_approved=True, at=now)
    limit = f"{rule.seconds:.0f} s" if rule else "the time given"
    raise NoAnswerError(f"Nobody approved the job within {limit} (price: {words_of(about.price)})")


def require_allowed(answer: Answer) -> None:
    """Let pass what was approved.

    :raises RejectedError: it was rejected.
    """
    if not answer.is_approved:
        raise RejectedError(
            f"{answer.by or 'Somebody'} rejected the job at {answer.at:%Y-%m-%d %H:%M:%S} UTC "
            f"(price: {words_of(answer.about.price)})"
        )


def require_consent(job: WorkflowJob, fingerprint: str, take: int) -> None:
    """Let only that be sent which was approved where it has to be: the last look before money moves.

    :raises NotApprovedError: nobody was asked about this request, take and price.
    :raises RejectedError: it was rejected.
    """
    about = asked_about(job, fingerprint, take)
    if not needs_answer(job, about):
        return
    answer = job.approval.answer_to(about) if job.approval else None
    if answer is None:
        raise NotApprovedError(
            f"A person has to approve job {job.id}, and nobody has approved this request, take and price"
        )
    require_allowed(answer)


def words_of(price: str | None) -> str:
    """Say a price."""
    return f"{price} units" if price is not None else "unknown"


def _facts(about: Asked) -> dict[str, Any]:
    return {"price": about.price, "take": about.take}
