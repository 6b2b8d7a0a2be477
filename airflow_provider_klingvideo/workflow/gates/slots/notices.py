"""Notices about slots: what processes tell each other by the names of empty files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Self
from urllib.parse import quote, unquote

from airflow_provider_klingvideo.storage.listing import Entry

# A claim whose job has not ordered by then is another's: its worker has died, or is far too slow.
CLAIM_SECONDS = 180.0
# Kling's listing may lag behind its own answers.
LISTED_WITHIN_SECONDS = 5.0
# Those who wait say so again and again; who has fallen silent does not wait any more.
QUEUE_SECONDS = 45.0
# What a refusal has taught fades: after so long one more is tried, then 2, 4, 8 ... more; the next refusal, which costs
# nothing, teaches anew.
PROBE_SECONDS = 30.0
# The listing shows all tasks of the account: where its packs allow more than ran, the refusal was for the moment.
HASTY_PROBE_SECONDS = 5.0
FORGET_SECONDS = 600.0
# Packs are bought and expire now and then: while jobs wait, they are looked at again and again.
QUOTA_SECONDS = 3600.0
QUOTA_FRESH_SECONDS = 120.0
# Clocks differ, but not so much: what comes from further ahead tells nothing.
LARGEST_SKEW_SECONDS = 3600.0

CLAIM, RUNNING, QUEUE, LIMIT, QUOTA = "claim", "running", "queue", "limit", "quota"
LIVES = {
    CLAIM: CLAIM_SECONDS,
    RUNNING: LISTED_WITHIN_SECONDS,
    QUEUE: QUEUE_SECONDS,
    LIMIT: FORGET_SECONDS,
    QUOTA: QUOTA_SECONDS,
}


@dataclass(frozen=True)
class Notice:
    """A notice of the board.

    :param what: ``claim`` (may order), ``running`` (has ordered), ``queue`` (somebody waits), ``limit`` (learned from a
        refusal) or ``quota`` (what the account's packs allow each model).
    :param subject: the job; of a queue who keeps it; of a limit or quota the number.
    :param at: when it was put up, seconds of the epoch, by the clock of who has put it up.
    :param stored: the same by the store's clock; None where the store does not tell.
    :param entry: number of the ledger's entry that says it; None for a notice that is a file.
    """

    what: str
    pack: str
    model: str
    subject: str
    at: float
    stored: float | None = field(default=None, compare=False)
    entry: int | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The name of its file."""
        parts = (self.what, self.pack, self.model, self.subject, f"{self.at:.3f}")
        return "@".join(quote(part, safe="") for part in parts)

    @property
    def time(self) -> float:
        """When it was put up, by the clock that is the same for all, where there is one."""
        return self.at if self.stored is None else self.stored

    @property
    def life(self) -> float:
        """Seconds for which it tells something."""
        return LIVES.get(self.what, inf)

    def age(self, now: float) -> float:
        """Return the seconds since it was put up; clocks differ, so that it may seem to come from the future."""
        ahead = self.time - now
        return inf if ahead > LARGEST_SKEW_SECONDS else max(0.0, -ahead)

    @classmethod
    def of(cls, name: str, stored: float | None = None) -> Self | None:
        """Read a file's name; None for one that is no notice."""
        try:
            what, pack, model, subject, at = map(unquote, name.split("@"))
            notice = cls(what, pack, model, subject, float(at), stored)
        except ValueError:
            return None
        return notice if notice._is_sound() else None

    def _is_sound(self) -> bool:
        """Whether it says what a notice of its kind says; one with another number would break every look."""
        is_number = self.subject.isascii() and self.subject.isdigit()
        return self.what in LIVES and abs(self.at) < inf and (is_number or self.what not in (LIMIT, QUOTA))


def notices_of(files: Iterable[Entry]) -> list[Notice]:
    """Return the notices among the files of a folder."""
    read = (Notice.of(one.name, stored_at(one)) for one in files if not one.is_folder)
    return [notice for notice in read if notice]


def stored_at(file: Entry) -> float | None:
    """Return when a file was written, seconds of the epoch by the store's clock; None where it does not tell."""
    return file.modified.timestamp() if file.modified else None
