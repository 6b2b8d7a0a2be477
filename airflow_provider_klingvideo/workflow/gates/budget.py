"""Budgets: units that several jobs share, reserved before anything is ordered, settled by what the vendor billed.

A job's claim is an empty file of the budget's folder, whose name tells job and units, so that one listing shows what
is committed. Nothing is locked. A job writes its claim first, lists all claims afterwards, and takes its own back when
they exceed the limit together. Of the jobs that keep their claims, the one that listed last has seen those of all
others, for each of them was written before its own listing; so what is kept never exceeds the limit. That several jobs
take back what one of them could have had is possible; they come again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from airflow_provider_klingvideo.storage.protocols import OpenPath, StorePath, is_there, remove
from airflow_provider_klingvideo.workflow.job.errors import BudgetError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import PaidCall
from airflow_provider_klingvideo.workflow.job.sections import Budget
from airflow_provider_klingvideo.workflow.job.waits import StateWait

UNKNOWN_PRICE = ("fail", "allow")
FOLDER = "budgets"
NONE = Decimal(0)
_MARK = "@"


@dataclass(frozen=True)
class BudgetNeed:
    """What a job needs of its budget, as JSON values.

    :param folder: where the reservations lie, a path or URI.
    :param limit: units of the whole budget, a decimal number as text.
    :param holder: the job.
    :param units: what it needs in all, likewise.
    """

    folder: str
    limit: str
    holder: str
    units: str


@dataclass(frozen=True)
class WaitForBudget(StateWait):
    """Wait until other jobs of the budget have ended for less than they reserved."""

    need: BudgetNeed = field(kw_only=True)


class Claims:
    """The claims of one budget.

    :param folder: where they lie; made with the first of them.
    :param limit: units.
    """

    def __init__(self, folder: StorePath, limit: Decimal) -> None:
        self._folder = folder
        self._limit = limit

    def committed(self) -> Decimal:
        """Add up all claims."""
        return sum(self._by_job().values(), NONE)

    def claim(self, job_id: str, units: Decimal) -> bool:
        """Reserve units for a job, in place of what it has claimed before.

        :returns: whether it has them; otherwise its claim is what it was.
        """
        before = self._by_job()
        own = before.get(job_id, NONE)
        if units > own:
            if sum(before.values(), NONE) - own + units > self._limit:
                return False
            self._write(job_id, units)
            if self.committed() > self._limit:
                remove(self._path(job_id, units))
                return False
        self.settle(job_id, units)
        return True

    def settle(self, job_id: str, units: Decimal) -> None:
        """Set a job's claim to what is certain, whatever the limit says."""
        if units:
            self._write(job_id, units)
        for name in self._names():
            job, _, claimed = name.rpartition(_MARK)
            if job == job_id and Decimal(claimed) != units:
                remove(self._folder / name)

    def _by_job(self) -> dict[str, Decimal]:
        """The claims; of a job that is just changing its own, the larger one counts."""
        claims: dict[str, Decimal] = {}
        for name in self._names():
            job, _, units = name.rpartition(_MARK)
            claims[job] = max(Decimal(units), claims.get(job, NONE))
        return claims

    def _names(self) -> list[str]:
        paths = self._folder.iterdir() if is_there(self._folder) else ()
        return [path.name for path in paths if _MARK in path.name]

    def _write(self, job_id: str, units: Decimal) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path(job_id, units).write_text("")

    def _path(self, job_id: str, units: Decimal) -> StorePath:
        return self._folder / f"{job_id}{_MARK}{units.normalize():f}"


class Reservations:
    """What a job has to do with its budget; nothing, for a job that has none.

    :param open_path: opens the budget's folder.
    """

    def __init__(self, open_path: OpenPath) -> None:
        self._open_path = open_path

    def require_affordable(self, job: WorkflowJob) -> None:
        """Refuse a job that its budget can never cover.

        :raises BudgetError: its price is unknown, or higher than the whole budget.
        """
        budget = job.budget
        if budget is None:
            return
        price = _price_of(job)
        if price is None and budget.unknown_price != "allow":
            raise BudgetError(
                f"The price of this request is on no list, so the budget {budget.name} cannot cover it",
                advice='Set unknown_price to "allow" to count what the vendor will have billed',
            )
        if (price or NONE) > Decimal(budget.units):
            raise BudgetError(f"The request costs {price} units, the whole budget {budget.name} has {budget.units}")

    def shortage(self, job: WorkflowJob) -> str | None:
        """Reserve what the job's next vendor task will cost.

        :returns: what is missing, None when it is reserved.
        """
        budget = job.budget
        if budget is None:
            return None
        price = _price_of(job) or NONE
        claims = self._claims(budget)
        if claims.claim(job.id, _needed(job)):
            return None
        return f"the budget {budget.name} has {budget.units} units, {claims.committed()} are committed, {price} needed"

    def reserve(self, job: WorkflowJob, call: PaidCall) -> None:
        """Reserve what a create request that is about to be sent will cost, and note it with the call.

        :raises BudgetError: the budget is short.
        """
        if missing := self.shortage(job):
            raise BudgetError(f"Not ordered: {missing}")
        price = _price_of(job)
        call.price = None if price is None else f"{price:f}"

    def need_of(self, job: WorkflowJob) -> BudgetNeed:
        """Return what a job that is short of budget needs."""
        budget = job.budget
        assert budget is not None  # noqa: S101 - asked before
        return BudgetNeed(budget.folder, budget.units, job.id, f"{_needed(job):f}")

    def settle(self, job: WorkflowJob) -> None:
        """Set the job's claim to what its vendor tasks have cost, or will have at most."""
        budget = job.budget
        if budget is not None:
            self._claims(budget).settle(job.id, _spent(job))

    def _claims(self, budget: Budget) -> Claims:
        return Claims(self._open_path(budget.folder), Decimal(budget.units))


def _price_of(job: WorkflowJob) -> Decimal | None:
    return Decimal(job.estimate.units) if job.estimate else None


def _spent(job: WorkflowJob) -> Decimal:
    """What the job's calls have cost or may cost; of one that was not sent yet nothing."""
    return sum((call.units for call in job.calls), NONE)


def _needed(job: WorkflowJob) -> Decimal:
    """What the job will have cost once its next task is ordered."""
    return _spent(job) + (_price_of(job) or NONE)
