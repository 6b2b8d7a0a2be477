"""Budgets: units that several jobs share, reserved before anything is ordered, settled by what Kling has billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from airflow_provider_klingvideo.storage.protocols import OpenPath
from airflow_provider_klingvideo.workflow.gates.budget_book import BudgetBook
from airflow_provider_klingvideo.workflow.gates.budget_queue import BudgetNeed
from airflow_provider_klingvideo.workflow.gates.holdings import NO_UNITS, Scope, Take, as_text
from airflow_provider_klingvideo.workflow.job.errors import BudgetError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob

UNKNOWN_PRICE = ("fail", "allow")
FOLDER = "budgets"


@dataclass(frozen=True)
class Budget:
    """What jobs may spend together.

    :param name: tells budgets apart.
    :param units: the limit, a decimal number as text.
    :param folder: where its ledger lies, a path or URI.
    :param unknown_price: what to do with a job whose price is on no list: ``fail``, or ``allow`` it and count what
        Kling will have billed.
    """

    name: str
    units: str
    folder: str
    unknown_price: str = "fail"

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, the form in which a job's metadata carries them as ``budget``."""
        return asdict(self)


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
        budget = _budget_of(job)
        if budget is None:
            return
        price = _price_of(job)
        if price is None and budget.unknown_price != "allow":
            raise BudgetError(
                f"The price of this request is on no list, so the budget {budget.name} cannot cover it",
                advice='Set unknown_price to "allow" to count what Kling will have billed',
            )
        if (price or NO_UNITS) > Decimal(budget.units):
            raise BudgetError(f"The request costs {price} units, the whole budget {budget.name} has {budget.units}")

    def shortage(self, job: WorkflowJob) -> str | None:
        """Reserve what the job's next task at Kling will cost, as long as nobody has sent anything for it.

        :returns: what is missing, None when it is reserved.
        """
        return self._missing(job, attempt="")

    def need(self, job: WorkflowJob) -> BudgetNeed | None:
        """Return what a job waits for whose budget is short; None for a job without a budget."""
        budget = _budget_of(job)
        if budget is None:
            return None
        return BudgetNeed(budget.folder, budget.units, job.id, as_text(_needed(job)))

    def reserve(self, job: WorkflowJob) -> bool:
        """Reserve what the create request that is about to be sent will cost, and note it with the submission.

        Another try of the same job can give it back no more, unless it orders the same.

        :returns: whether the record has changed.
        :raises BudgetError: the budget is short.
        """
        if missing := self._missing(job, attempt=self._attempt):
            raise BudgetError(f"Not ordered: {missing}")
        price = _price_of(job)
        if _budget_of(job) is None or price is None:
            return False
        for one in job.submissions:
            if one.external_task_id == job.external_task_id:
                one.units = f"{price:f}"
        return True

    def settle(self, job: WorkflowJob) -> None:
        """Set what the job holds to what its tasks at Kling have cost, or will have cost at most."""
        budget = _budget_of(job)
        if budget is not None:
            self._book(budget).settle(job.id, _take_of(job, self._attempt), _spent(job), _scope_of(job))

    def _missing(self, job: WorkflowJob, *, attempt: str) -> str | None:
        budget = _budget_of(job)
        if budget is None:
            return None
        book, limit = self._book(budget), Decimal(budget.units)
        if book.reserve(job.id, _take_of(job, attempt), _needed(job), limit):
            return None
        price = _price_of(job) or NO_UNITS
        return f"the budget {budget.name} has {budget.units} units, {book.committed()} are committed, {price} needed"

    def _book(self, budget: Budget) -> BudgetBook:
        if budget.folder not in self._books:
            self._books[budget.folder] = BudgetBook(self._open_path(budget.folder))
        return self._books[budget.folder]


def _budget_of(job: WorkflowJob) -> Budget | None:
    given: Mapping[str, Any] | None = job.metadata.get("budget")
    return Budget(**given) if given else None


def _price_of(job: WorkflowJob) -> Decimal | None:
    known = job.metadata.get("estimate")
    return Decimal(known["units"]) if known else None


def _take_of(job: WorkflowJob, attempt: str) -> Take:
    return Take(job.revision, job.external_task_id or "", attempt)


def _scope_of(job: WorkflowJob) -> Scope:
    """What a settlement is about: a job that has ended, an order whose end is known, or a try that gives up."""
    if job.is_terminal:
        return Scope.REVISION
    ordered = any(one.task_id and one.external_task_id == job.external_task_id for one in job.submissions)
    return Scope.ORDER if ordered else Scope.ATTEMPT


def _needed(job: WorkflowJob) -> Decimal:
    """What the job holds once its next task at Kling is ordered."""
    return _spent(job, without=job.external_task_id) + (_price_of(job) or NO_UNITS)


def _spent(job: WorkflowJob, *, without: str | None = None) -> Decimal:
    """What the job's tasks at Kling have cost or may cost; of one that is about to be ordered nothing yet."""
    return sum(
        (
            Decimal(one.units)
            for one in job.submissions
            if one.units and one.outcome != "refused" and not (one.task_id is None and one.external_task_id == without)
        ),
        NO_UNITS,
    )
