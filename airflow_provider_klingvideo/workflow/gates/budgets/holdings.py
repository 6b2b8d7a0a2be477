"""What the ledger of a budget says: who holds how many units, and who may change that. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from airflow_provider_klingvideo.workflow.gates.ledger.ledger import Changes

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
    """Units that a job holds, spent or about to be spent.

    :param revision: see :class:`Take`.
    :param order: see :class:`Take`.
    :param attempts: the tries that may spend them, for the same order, so that they are spent once; empty as long as
        none is about to.
    """

    units: Decimal
    revision: int
    order: str
    attempts: tuple[str, ...] = ()

    def is_for(self, take: Take) -> bool:
        """Whether it is for the same order as a try's, in the same revision."""
        return (self.revision, self.order) == (take.revision, take.order)

    def stays_before(self, take: Take) -> bool:
        """Whether it was made to be spent, while the other one of the same revision is not yet."""
        return bool(self.attempts) and not take.attempt and self.revision == take.revision

    def is_of(self, take: Take) -> bool:
        """Whether a try is one of those that may spend it."""
        return self.is_for(take) and take.attempt in (self.attempts or ("",))

    def joined(self, take: Take, units: Decimal) -> Reservation:
        """Return it with a try beside the others, who may still spend what they have reserved."""
        if self.stays_before(take):
            return replace(self, units=units)
        others = [one for one in self.attempts if one != take.attempt] if self.is_for(take) and take.attempt else []
        new = reservation_of(take, units)
        return replace(new, units=max(units, self.units), attempts=(*others, take.attempt)) if others else new

    def settled(self, take: Take, units: Decimal, scope: Scope) -> Reservation:
        """Return it after a settlement by a try: unchanged where that is none of its business."""
        is_earlier = self.revision <= take.revision
        if scope is Scope.ATTEMPT and is_earlier and self.attempts:
            return self._left_by(take.attempt, units)
        is_meant = self.order == take.order if scope is Scope.ORDER else is_earlier
        return replace(self, units=units) if is_meant else self

    def _left_by(self, attempt: str, units: Decimal) -> Reservation:
        others = tuple(one for one in self.attempts if one != attempt)
        return replace(self, attempts=others) if others else replace(self, units=units)


Holdings = Mapping[str, Reservation]
"""By job."""


class HoldingsFold:
    """The fold of a budget's ledger: each change sets what one job holds."""

    empty: Holdings = {}  # noqa: RUF012 - never changed

    def apply(self, state: Holdings, number: int, changes: Changes) -> Holdings:
        """Return the state after an entry."""
        held = {**state, **{str(holder): _reservation(*fields) for holder, *fields in changes}}
        return {holder: reservation for holder, reservation in held.items() if reservation.units}

    def dump(self, state: Holdings) -> Any:
        """Return a state as JSON values."""
        return {holder: _stored(one) for holder, one in state.items()}

    def load(self, stored: Any) -> Holdings:
        """Read a state."""
        return {str(holder): _reservation(*fields) for holder, fields in stored.items()}


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
    new = before.joined(take, units) if before else reservation_of(take, units)
    return [_change(holder, new)] if fits(held, claims, holder, new.units, limit) else []


def is_reserved(held: Holdings, holder: str, take: Take, units: Decimal) -> bool:
    """Whether a try has its units."""
    reservation = held.get(holder)
    if reservation is None:
        return not units
    if reservation.stays_before(take) or len(reservation.attempts) > 1:
        return reservation.units >= units and (not take.attempt or reservation.is_of(take))
    return reservation.units == units and reservation.is_of(take)


def is_overtaken(held: Holdings, holder: str, take: Take) -> bool:
    """Whether the job has been taken up again since the revision of this try, and holds units by that."""
    return holder in held and held[holder].revision > take.revision


def settling(
    held: Holdings, claims: Mapping[str, Decimal], holder: str, take: Take, units: Decimal, scope: Scope
) -> Changes:
    """Decide what to enter for a settlement: nothing when it is somebody else's reservation, or settled already."""
    before = held.get(holder)
    if before is None:
        return [_change(holder, reservation_of(take, units))] if units and units != claims.get(holder) else []
    after = before.settled(take, units, scope)
    return [] if after == before else [_change(holder, after)]


def reservation_of(take: Take, units: Decimal) -> Reservation:
    """Return what a try reserves where nothing was reserved before."""
    return Reservation(units, take.revision, take.order, (take.attempt,) if take.attempt else ())


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


def _change(holder: str, reservation: Reservation) -> Sequence[Any]:
    return [holder, *_stored(reservation)]


def _stored(reservation: Reservation) -> Sequence[Any]:
    return [as_text(reservation.units), reservation.revision, reservation.order, *reservation.attempts]


def _reservation(units: str, revision: int, order: str, *attempts: str) -> Reservation:
    return Reservation(units_of(units), int(revision), str(order), tuple(str(one) for one in attempts))
