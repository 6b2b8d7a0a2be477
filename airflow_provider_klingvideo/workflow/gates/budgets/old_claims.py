"""Claims on a budget without exclusive creation: of earlier versions, and where a store offers nothing better.

A job's claim is an empty file of the budget's folder, whose name tells job, try and units, so that one listing shows
what is committed. A job writes its claim first, lists all claims afterwards, and takes its own back when they exceed
the limit together. Of the jobs that keep their claims, the one that listed last has seen those of all others; so what
is kept does not exceed the limit, as long as listings show what was written. That several jobs take back what one of
them could have had is possible; they come again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from airflow_provider_klingvideo.storage.listing import entries
from airflow_provider_klingvideo.storage.protocols import StorePath, remove
from airflow_provider_klingvideo.storage.writing import write_whole
from airflow_provider_klingvideo.workflow.gates.budgets.holdings import NO_UNITS, as_text, units_of

_NAME = re.compile(r"(?P<holder>.+?)(?:~(?P<attempt>[0-9a-f]{8}))?@(?P<units>[0-9.]+)", re.DOTALL)


class OldClaim(NamedTuple):
    """A claim, as the name of its file tells it.

    :param attempt: the try that has written it; empty for one of an earlier version.
    """

    holder: str
    attempt: str
    units: Decimal

    @property
    def name(self) -> str:
        """The name of its file."""
        attempt = f"~{self.attempt}" if self.attempt else ""
        return f"{self.holder}{attempt}@{as_text(self.units)}"

    @classmethod
    def of(cls, name: str) -> OldClaim | None:
        """Read a file's name; None for one that is no claim."""
        matched = _NAME.fullmatch(name)
        try:
            return matched and cls(matched["holder"], matched["attempt"] or "", units_of(matched["units"]))
        except (ValueError, ArithmeticError):
            return None


def old_claims(names: Iterable[str]) -> list[OldClaim]:
    """Return the claims among the files of a folder."""
    return [claim for name in names if (claim := OldClaim.of(name))]


def by_holder(claims: Iterable[OldClaim]) -> dict[str, Decimal]:
    """Return what each job has claimed: of several claims, while it changes its own, the largest."""
    largest: dict[str, Decimal] = {}
    for one in claims:
        largest[one.holder] = max(one.units, largest.get(one.holder, NO_UNITS))
    return largest


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
        return sum(by_holder(self._all()).values(), NO_UNITS)

    def claim(self, holder: str, units: Decimal, *, attempt: str = "") -> bool:
        """Reserve units for a job, in place of what it has claimed before.

        :param attempt: eight hexadecimal digits that no other try has, so that none takes back another one's claim;
            empty as long as nothing is sent that could cost the units.
        :returns: whether it has them; otherwise its claim is what it was.
        """
        claims, claim = self._all(), OldClaim(holder, attempt, units)
        own = [one for one in claims if one.holder == holder]
        if not attempt and any(one.attempt and one.units >= units for one in own):
            return True
        # What another try has claimed may be taken back by it at any moment, so that it counts for nothing here.
        if units > max((one.units for one in own if one.attempt == attempt), default=NO_UNITS):
            others = by_holder(one for one in claims if one.holder != holder)
            if sum(others.values(), NO_UNITS) + units > self._limit:
                return False
            self._write(claim)
            if self.committed() > self._limit:
                remove(self._folder / claim.name)
                return False
        for one in own:
            if one != claim and one.attempt in ("", attempt):
                remove(self._folder / one.name)
        return True

    def settle(self, holder: str, units: Decimal, *, attempt: str = "", only_own: bool = False) -> None:
        """Set a job's claim to what is certain, whatever the limit says.

        :param only_own: leave what other tries have claimed, and may be spending, as it is.
        """
        claim = OldClaim(holder, attempt, units)
        if units:
            self._write(claim)
        for one in self._all():
            if one.holder == holder and one != claim and (one.attempt in ("", attempt) or not only_own):
                remove(self._folder / one.name)

    def _all(self) -> list[OldClaim]:
        return old_claims(file.name for file in entries(self._folder))

    def _write(self, claim: OldClaim) -> None:
        write_whole(self._folder / claim.name, b"")
