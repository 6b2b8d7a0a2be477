"""Budgets: units that several jobs share, reserved before anything is ordered, settled by what the vendor billed.

A job's claim is an empty file of the budget's folder, whose name tells job and units, so that one listing shows what
is committed. Nothing is locked. A job writes its claim first, lists all claims afterwards, and takes its own back when
they exceed the limit together. Of the jobs that keep their claims, the one that listed last has seen those of all
others, for each of them was written before its own listing; so what is kept never exceeds the limit. That several jobs
take back what one of them could have had is possible; they come again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_klingvideo.storage.protocols import OpenPath, StorePath, is_there, remove
from airflow_provider_klingvideo.workflow.job.errors import BudgetError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob

UNKNOWN_PRICE = ("fail", "allow")
FOLDER = "budgets"
NONE = Decimal(0)
_MARK = "@"


@dataclass(frozen=True)
class Budget:
    """What jobs may spend together.

    :param name: tells budgets apart.
    :param units: the limit, a decimal number as text.
    :param folder: where the claims lie, a path or URI.
    :param unknown_price: what to do with a job whose price is on no list: ``fail``, or ``allow`` it and count what the
        vendor will have billed.
    """

    name: str
    units: str
    folder: str
    unknown_price: str = "fail"

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, the form in which a job's metadata carries them as ``budget``."""
        return asdict(self)


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
        budget = _budget_of(job)
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
        budget = _budget_of(job)
        if budget is None:
            return None
        price = _price_of(job) or NONE
        claims = self._claims(budget)
        if claims.claim(job.id, _spent(job, without=job.external_task_id) + price):
            return None
        return f"the budget {budget.name} has {budget.units} units, {claims.committed()} are committed, {price} needed"

    def reserve(self, job: WorkflowJob) -> bool:
        """Reserve what the create request that is about to be sent will cost, and note it with the submission.

        :returns: whether the record has changed.
        :raises BudgetError: the budget is short.
        """
        if missing := self.shortage(job):
            raise BudgetError(f"Not ordered: {missing}")
        price = _price_of(job)
        if _budget_of(job) is None or price is None:
            return False
        for one in job.submissions:
            if one.external_task_id == job.external_task_id:
                one.units = f"{price:f}"
        return True

    def settle(self, job: WorkflowJob) -> None:
        """Set the job's claim to what its vendor tasks have cost, or will have at most."""
        budget = _budget_of(job)
        if budget is not None:
            self._claims(budget).settle(job.id, _spent(job))

    def _claims(self, budget: Budget) -> Claims:
        return Claims(self._open_path(budget.folder), Decimal(budget.units))


def _budget_of(job: WorkflowJob) -> Budget | None:
    given: Mapping[str, Any] | None = job.metadata.get("budget")
    return Budget(**given) if given else None


def _price_of(job: WorkflowJob) -> Decimal | None:
    known = job.metadata.get("estimate")
    return Decimal(known["units"]) if known else None


def _spent(job: WorkflowJob, *, without: str | None = None) -> Decimal:
    """What the job's vendor tasks have cost or may cost; of one that is about to be ordered nothing yet."""
    return sum(
        (
            Decimal(one.units)
            for one in job.submissions
            if one.units and one.outcome != "refused" and not (one.task_id is None and one.external_task_id == without)
        ),
        NONE,
    )
