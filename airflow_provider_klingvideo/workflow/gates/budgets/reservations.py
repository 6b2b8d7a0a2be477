"""Budgets: units that several jobs share, reserved before anything is ordered, settled by what Kling has billed."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from uuid import uuid4

from airflow_provider_klingvideo.storage.protocols import OpenPath
from airflow_provider_klingvideo.workflow.gates.budgets.book import BudgetBook
from airflow_provider_klingvideo.workflow.gates.budgets.holdings import NO_UNITS, Scope, Take, as_text
from airflow_provider_klingvideo.workflow.gates.budgets.queue import BudgetNeed
from airflow_provider_klingvideo.workflow.job.errors import BudgetError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import CREATE, PaidCall
from airflow_provider_klingvideo.workflow.job.sections import Budget
from airflow_provider_klingvideo.workflow.job.waits import StateWait

FOLDER = "budgets"


@dataclass(frozen=True)
class WaitForBudget(StateWait):
    """Wait until other jobs of the budget have ended for less than they reserved."""

    need: BudgetNeed = field(kw_only=True)


class Reservations:
    """What a job has to do with its budget; nothing, for a job that has none.

    :param open_path: opens the budget's folder.
    """

    def __init__(self, open_path: OpenPath) -> None:
        self._open_path = open_path
        self._attempt = uuid4().hex[:8]
        self._books: dict[str, BudgetBook] = {}

    def require_affordable(self, job: WorkflowJob) -> None:
        """Refuse a job that its budget can never cover.

        :raises BudgetError: its price is unknown, or higher than the whole budget.
        """
        budget = job.budget
        if budget is None:
            return
        if _estimated(job) is None and budget.unknown_price != "allow":
            raise BudgetError(
                f"The price of this request is on no list, so the budget {budget.name} cannot cover it{_reason(job)}",
                advice='Set unknown_price to "allow" to count what Kling will have billed',
            )
        price = _price_of(job)
        if price > Decimal(budget.units):
            at_least = "" if _estimated(job) else "at least "
            raise BudgetError(
                f"The request costs {at_least}{price} units, the whole budget {budget.name} has {budget.units}"
            )

    def shortage(self, job: WorkflowJob) -> str | None:
        """Reserve what the job's next task at Kling will cost, as long as nobody has sent anything for it.

        :returns: what is missing, None when it is reserved.
        """
        return self._missing(job, None, attempt="")

    def need(self, job: WorkflowJob) -> BudgetNeed | None:
        """Return what a job waits for whose budget is short; None for a job without a budget."""
        budget = job.budget
        if budget is None:
            return None
        return BudgetNeed(budget.folder, budget.units, job.id, as_text(_needed(job, None)))

    def left(self, job: WorkflowJob) -> str | None:
        """Say what is left of a job's budget; None for a job without a budget."""
        budget = job.budget
        if budget is None:
            return None
        committed = self._book(budget).committed()
        return f"{Decimal(budget.units) - committed:f} of {budget.units} units ({budget.name})"

    def reserve(self, job: WorkflowJob, call: PaidCall) -> None:
        """Reserve what a create request that is about to be sent will cost, and note it with the call.

        Another try of the same job can give it back no more, unless it orders the same.

        :raises BudgetError: the budget is short.
        """
        if missing := self._missing(job, call, attempt=self._attempt):
            raise BudgetError(f"Not ordered: {missing}")
        call.price = _estimated(job) or (job.estimate.least if job.estimate else None)

    def settle(self, job: WorkflowJob) -> None:
        """Set what the job holds to what its calls have cost, or will have cost at most."""
        if job.budget is not None:
            self._book(job.budget).settle(job.id, _take_of(job, self._attempt), _spent(job, None), _scope_of(job))

    def _missing(self, job: WorkflowJob, call: PaidCall | None, *, attempt: str) -> str | None:
        budget = job.budget
        if budget is None:
            return None
        book = self._book(budget)
        if book.reserve(job.id, _take_of(job, attempt), _needed(job, call), Decimal(budget.units)):
            return None
        return (
            f"the budget {budget.name} has {budget.units} units, {book.committed()} are committed, "
            f"{_price_of(job, call)} needed"
        )

    def _book(self, budget: Budget) -> BudgetBook:
        if budget.folder not in self._books:
            self._books[budget.folder] = BudgetBook(self._open_path(budget.folder))
        return self._books[budget.folder]


def _reason(job: WorkflowJob) -> str:
    return f": {job.estimate.why}" if job.estimate and job.estimate.why else ""


def _estimated(job: WorkflowJob) -> str | None:
    """What the job's next task will cost; None where only Kling can tell."""
    return job.estimate.units if job.estimate else None


def _price_of(job: WorkflowJob, create: PaidCall | None = None) -> Decimal:
    """What the job's next task will cost, as far as is known, with the paid look that has yet to come before it.

    :param create: the one that is about to be ordered, None where that is not known yet.
    """
    if job.estimate is None:
        return NO_UNITS
    look = NO_UNITS if _has_looked(job, create) else Decimal(job.estimate.preparation or 0)
    return Decimal(job.estimate.units or job.estimate.least or 0) + look


def _has_looked(job: WorkflowJob, create: PaidCall | None) -> bool:
    """Whether the job has the answer of a look that it can be ordered with, for this very request where it is known."""
    looks = [call for call in job.calls if call.what != CREATE and call.was_taken and not call.is_over]
    return any(create is None or look.fingerprint == create.fingerprint for look in looks)


def _take_of(job: WorkflowJob, attempt: str) -> Take:
    return Take(job.revision, job.external_task_id or "", attempt)


def _scope_of(job: WorkflowJob) -> Scope:
    """What a settlement is about: a job that has ended, an order whose end is known, or a try that gives up."""
    if job.is_terminal:
        return Scope.REVISION
    ordered = any(call.was_taken and call.external_task_id == job.external_task_id for call in job.submissions)
    return Scope.ORDER if ordered else Scope.ATTEMPT


def _needed(job: WorkflowJob, call: PaidCall | None) -> Decimal:
    """What the job holds once its next task at Kling is ordered.

    :param call: the one that is about to be ordered, None where that is not known yet.
    """
    return _spent(job, call) + _price_of(job, call)


def _spent(job: WorkflowJob, without: PaidCall | None) -> Decimal:
    """What the job's calls have cost or may cost."""
    return sum((call.units for call in job.calls if call is not without), NO_UNITS)
