"""What the ledger of a budget says: who holds how many units, and who may change that. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from airflow_provider_klingvideo.workflow.gates.ledger import Changes

NO_UNITS = Decimal(0)


class Take(NamedTuple):
    """Which try has made a reservation, and for what.

    :param revision: the revision of the job: one more each time the ended job is taken up again.
    :param order: what is ordered with it, by an id that is ordered once only.
    :param attempt: tells the tries of one revision apart; empty as long as nothing is sent that could cost the units,
        so that any try may give them back.
    """

    revision: int = 1
    order: str = ""
    attempt: str = ""


class Scope(StrEnum):
    """Whose reservation of its job a settlement may change.

    A try that has only lost touch goes on beside its successor. What it gives back must be its own.
    """

    ATTEMPT = "attempt"
    """That of this very try, or one with which nothing was sent: the try will not order now."""
    ORDER = "order"
    """The one for this order, whichever try has made it: its end is known."""
    REVISION = "revision"
    """Any of this revision or an earlier one: the job has ended."""


@dataclass(frozen=True)
class Reservation:
    """Units that a job holds, spent or about to be spent."""

    units: Decimal
    take: Take

    def may_be_changed(self, take: Take, scope: Scope) -> bool:
        """Whether a settlement by a try may change it."""
        is_earlier = self.take.revision <= take.revision
        return {
            Scope.ATTEMPT: is_earlier and self.take.attempt in ("", take.attempt),
            Scope.ORDER: self.take.order == take.order,
            Scope.REVISION: is_earlier,
        }[scope]

    def stays_before(self, take: Take) -> bool:
        """Whether it was made to be spent, while the other one of the same revision is not yet."""
        return bool(self.take.attempt) and not take.attempt and self.take.revision == take.revision


Holdings = Mapping[str, Reservation]
"""By job."""


class HoldingsFold:
    """The fold of a budget's ledger: each change sets what one job holds."""

    empty: Holdings = {}  # noqa: RUF012 - never changed

    def apply(self, state: Holdings, number: int, changes: Changes) -> Holdings:
        """Return the state after an entry."""
        held = {**state, **{str(one["holder"]): _reservation(one["units"], one["take"]) for one in changes}}
        return {holder: reservation for holder, reservation in held.items() if reservation.units}

    def dump(self, state: Holdings) -> Any:
        """Return a state as JSON values."""
        return {holder: [as_text(one.units), *one.take] for holder, one in state.items()}

    def load(self, stored: Any) -> Holdings:
        """Read a state."""
        return {str(holder): _reservation(units, take) for holder, (units, *take) in stored.items()}


def total(held: Holdings, claims: Mapping[str, Decimal]) -> Decimal:
    """Add up what is held.

    :param claims: what earlier versions have claimed; a job that the ledger knows counts as the ledger says.
    """
    old = (units for holder, units in claims.items() if holder not in held)
    return sum((one.units for one in held.values()), sum(old, NO_UNITS))


def own(held: Holdings, claims: Mapping[str, Decimal], holder: str) -> Decimal:
    """Return what a job holds or has claimed."""
    return held[holder].units if holder in held else claims.get(holder, NO_UNITS)


def fits(held: Holdings, claims: Mapping[str, Decimal], holder: str, units: Decimal, limit: Decimal) -> bool:
    """Whether a job may hold so many units in place of what it holds now; fewer than now it always may."""
    before = own(held, claims, holder)
    return units <= before or total(held, claims) - before + units <= limit


def reserving(
    held: Holdings, claims: Mapping[str, Decimal], holder: str, take: Take, units: Decimal, limit: Decimal
) -> Changes:
    """Decide what to enter for a reservation: nothing when it stands, or cannot be made."""
    if is_reserved(held, holder, take, units) or is_overtaken(held, holder, take):
        return []
    before = held.get(holder)
    take = before.take if before and before.stays_before(take) else take
    return [_change(holder, units, take)] if fits(held, claims, holder, units, limit) else []


def is_reserved(held: Holdings, holder: str, take: Take, units: Decimal) -> bool:
    """Whether a try has its units."""
    reservation = held.get(holder)
    if reservation is None:
        return not units
    if reservation.stays_before(take):
        return reservation.units >= units
    return reservation == Reservation(units, take)


def is_overtaken(held: Holdings, holder: str, take: Take) -> bool:
    """Whether the job has been taken up again since the revision of this try, and holds units by that."""
    return holder in held and held[holder].take.revision > take.revision


def settling(
    held: Holdings, claims: Mapping[str, Decimal], holder: str, take: Take, units: Decimal, scope: Scope
) -> Changes:
    """Decide what to enter for a settlement: nothing when it is somebody else's reservation, or settled already."""
    reservation = held.get(holder)
    if reservation is None:
        return [_change(holder, units, take)] if units and units != claims.get(holder) else []
    if reservation.units == units or not reservation.may_be_changed(take, scope):
        return []
    return [_change(holder, units, reservation.take)]


def as_text(units: Decimal) -> str:
    """Write units, the same number always alike."""
    return f"{units.normalize():f}"


def units_of(text: str) -> Decimal:
    """Read units.

    :raises ValueError: :func:`as_text` has not written this; also ``ArithmeticError``.
    """
    units = Decimal(text)
    if not units.is_finite() or units < 0 or as_text(units) != text:
        raise ValueError(f"{text!r} are no units")
    return units


def _change(holder: str, units: Decimal, take: Take) -> Mapping[str, Any]:
    return {"holder": holder, "units": as_text(units), "take": list(take)}


def _reservation(units: str, take: Sequence[Any]) -> Reservation:
    revision, order, attempt = take
    return Reservation(units_of(units), Take(int(revision), str(order), str(attempt)))
