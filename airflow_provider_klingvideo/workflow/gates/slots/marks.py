"""What the ledger of a slot board says: which jobs may order, and which have. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_klingvideo.workflow.gates.ledger.ledger import Changes
from airflow_provider_klingvideo.workflow.gates.slots.notices import CLAIM, RUNNING, Notice

PUT, DROP, DATE = "put", "drop", "date"


@dataclass(frozen=True)
class Mark:
    """A job that has a slot.

    :param what: ``claim`` (may order) or ``running`` (has ordered).
    :param number: of the entry that has made it so.
    :param at: when that was, seconds of the epoch, by the clock of who has made the entry.
    :param stored: the same by the store's clock; None as long as nobody has noted it.
    """

    what: str
    pack: str
    model: str
    number: int
    at: float
    stored: float | None = None


Marks = Mapping[str, Mark]
"""By job."""


class MarksFold:
    """The fold of a board's ledger."""

    empty: Marks = {}  # noqa: RUF012 - never changed

    def apply(self, state: Marks, number: int, changes: Changes) -> Marks:
        """Return the state after an entry."""
        marks = dict(state)
        for one in changes:
            job = str(one["job"])
            if one["do"] == PUT:
                marks[job] = _mark(one["what"], one["pack"], one["model"], number, one["at"], None)
            elif one["do"] == DATE:
                entry, stored = int(one["number"]), float(one["stored"])
                if job in marks and marks[job].number == entry:
                    marks[job] = replace(marks[job], stored=stored)
            else:
                marks.pop(job, None)
        return marks

    def dump(self, state: Marks) -> Any:
        """Return a state as JSON values."""
        return {job: [one.what, one.pack, one.model, one.number, one.at, one.stored] for job, one in state.items()}

    def load(self, stored: Any) -> Marks:
        """Read a state."""
        return {str(job): _mark(*fields) for job, fields in stored.items()}


def putting(what: str, pack: str, model: str, job: str, at: float) -> Mapping[str, Any]:
    """Return the change by which a job may order, or has."""
    return {"do": PUT, "job": job, "what": what, "pack": pack, "model": model, "at": at}


def dropping(jobs: Iterable[str]) -> Changes:
    """Return the changes by which jobs have their slots no more."""
    return [{"do": DROP, "job": job} for job in jobs]


def dating(marks: Marks, written: Mapping[int, float]) -> Changes:
    """Return the changes that note when marks were made, while the files of their entries still tell.

    :param written: when each entry was written, by the store's clock.
    """
    return [
        {"do": DATE, "job": job, "number": one.number, "stored": written[one.number]}
        for job, one in marks.items()
        if one.stored is None and one.number in written
    ]


def as_notices(marks: Marks, written: Mapping[int, float]) -> list[Notice]:
    """Return marks in the form of the board's notices."""
    return [
        Notice(one.what, one.pack, one.model, job, one.at, one.stored or written.get(one.number), one.number)
        for job, one in marks.items()
    ]


def _mark(what: str, pack: str, model: str, number: int, at: float, stored: float | None) -> Mark:
    return Mark(_kind(what), str(pack), str(model), int(number), float(at), None if stored is None else float(stored))


def _kind(what: str) -> str:
    if what not in (CLAIM, RUNNING):
        raise ValueError(f"{what!r} is no mark")
    return what
