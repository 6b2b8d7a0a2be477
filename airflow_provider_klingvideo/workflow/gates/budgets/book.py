"""The book of one budget: what is reserved and spent, kept so that it never exceeds the limit."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from airflow_provider_klingvideo.storage.listing import Entry
from airflow_provider_klingvideo.storage.protocols import StorePath, remove
from airflow_provider_klingvideo.workflow.gates.budgets.holdings import (
    NO_UNITS,
    Holdings,
    HoldingsFold,
    Scope,
    Take,
    is_reserved,
    reserving,
    settling,
    total,
)
from airflow_provider_klingvideo.workflow.gates.budgets.old_claims import Claims, by_holder, old_claims
from airflow_provider_klingvideo.workflow.gates.ledger.exactness import is_exact
from airflow_provider_klingvideo.workflow.gates.ledger.ledger import Changes, Ledger, Page


class BudgetBook:
    """The ledger of a budget, and what earlier versions have claimed in the same folder.

    Where the store cannot create exclusively, claims of that older kind serve; the log says so.

    :param folder: the budget's folder; made with the first reservation.
    """

    def __init__(self, folder: StorePath) -> None:
        self._folder = folder
        self._ledger: Ledger[Holdings] = Ledger(folder, HoldingsFold())

    def committed(self) -> Decimal:
        """Add up what is reserved and spent."""
        page = self._ledger.look()
        return total(page.state, claimed(page.files))

    def look(self) -> Page[Holdings]:
        """Return what the book says: one listing, and one read when it has changed."""
        return self._ledger.look()

    def reserve(self, holder: str, take: Take, units: Decimal, limit: Decimal) -> bool:
        """Reserve units for a job, in place of what it holds.

        :param take: who reserves.
        :param limit: units that all jobs may hold together.
        :returns: whether it has them; otherwise it holds what it held, and no less for want of room.
        """
        if not is_exact(self._folder):
            return Claims(self._folder, limit).claim(holder, units, attempt=take.attempt)

        def decide(page: Page[Holdings]) -> Changes:
            return reserving(page.state, claimed(page.files), holder, take, units, limit)

        page = self._ledger.append(decide)
        if not is_reserved(page.state, holder, take, units):
            return False
        self._remove_claims(page, holder)
        return True

    def settle(self, holder: str, take: Take, units: Decimal, scope: Scope = Scope.ATTEMPT) -> None:
        """Set what a job holds to what is certain, whatever the limit says; 0 gives all of it back.

        :param scope: whose reservations that may change.
        """
        if not is_exact(self._folder):
            only_own = scope is Scope.ATTEMPT
            Claims(self._folder, NO_UNITS).settle(holder, units, attempt=take.attempt, only_own=only_own)
            return
        page = self._ledger.look()
        if holder not in page.state and not units:
            self._remove_claims(page, holder)
            return

        def decide(page: Page[Holdings]) -> Changes:
            return settling(page.state, claimed(page.files), holder, take, units, scope)

        page = self._ledger.append(decide, page)
        if holder in page.state or not units:
            self._remove_claims(page, holder)

    def _remove_claims(self, page: Page[Holdings], holder: str) -> None:
        """Remove what an earlier version has claimed for a job, once the ledger says what it holds."""
        for one in old_claims(file.name for file in page.files):
            if one.holder == holder:
                remove(self._folder / one.name)


def claimed(files: Sequence[Entry]) -> dict[str, Decimal]:
    """Return what earlier versions have claimed, by job."""
    return by_holder(old_claims(file.name for file in files))
