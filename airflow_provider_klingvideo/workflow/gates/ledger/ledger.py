"""A ledger: what several processes decide one after another, without a server and without a lock.

Its entries are numbered files of one folder. A writer reads what it has not read yet, decides, and tries to create the
next number; of several exactly one succeeds, and the others read its entry and decide again. So every entry was decided
in full knowledge of all before it, and no decision has ever to be taken back.

An entry carries its changes and, as long as that is small, the whole state after it, so that a reader needs the newest
one only. Of a larger state every so many entries are a checkpoint. What lies far enough before the newest entry is
removed. A removed number could be created a second time, by a writer that was held up in between for a very long time:
such a writer looks again, and decides anew when its entry may be one of those that nobody reads any more. For this,
deciding must be repeatable: who finds that the ledger says already what it wants enters nothing.

Files that are no entries are passed over. One that has the next number keeps it, and the next entry takes the one
after it.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.exclusive import create
from airflow_provider_klingvideo.storage.listing import Entry, entries
from airflow_provider_klingvideo.storage.protocols import StorePath, remove
from airflow_provider_klingvideo.storage.writing import read_whole

log = logging.getLogger(__name__)

S = TypeVar("S")
Changes = Sequence[Any]
"""What an entry says, as JSON values."""

# An entry carries the whole state up to this size; of a larger one every so many entries do.
WHOLE_BYTES = 64 * 1024
CHECKPOINT_EVERY = 32
# So many of the newest entries are never removed, a checkpoint among them, nor are others before they are so old: who
# reads them has the time.
KEEP = 64
KEEP_SECONDS = 60.0
# Every so many entries their writer tidies, and removes so many at most.
TIDY_EVERY = 32
TIDY_AT_ONCE = 2 * TIDY_EVERY
# A writer that took longer than this from its look to its entry makes sure that the entry counts. It is far less than
# KEEP_SECONDS, so that a quicker writer cannot have met a number that was removed.
SLOW_SECONDS = 5.0
# So often a folder is looked at again that others change meanwhile.
LOOKS = 5
# So often a writer decides again, after longer and longer pauses, before it gives up.
ATTEMPTS = 100
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.5

_NAME = re.compile(r"(\d{6,12})\.json")
# What reading the content of a file raises that no writer of this ledger has written.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError)


class BusyLedgerError(StorageError, OSError):
    """So many others write that an entry of one's own found no place.

    It is an ``OSError`` as well: who only tells others something goes on when the store fails.
    """

    kind = "busy_ledger"
    default_money = Money.NONE
    default_advice = "Try again later; nothing was reserved and nothing was ordered"


class Fold(Protocol[S]):
    """What the entries of a ledger mean; pure functions."""

    @property
    def empty(self) -> S:
        """The state before the first entry."""

    def apply(self, state: S, number: int, changes: Changes) -> S:
        """Return the state after an entry.

        :raises ValueError: the changes mean nothing, whatever the state; any of ``UNREADABLE``.
        """

    def dump(self, state: S) -> Any:
        """Return a state as JSON values."""

    def load(self, stored: Any) -> S:
        """Read what :meth:`dump` has returned.

        :raises ValueError: it has not; any of ``UNREADABLE``.
        """


class Moment(NamedTuple):
    """A time by two clocks of this machine: one stands still while the machine sleeps, the other one may be set."""

    steady: float
    wall: float

    @classmethod
    def now(cls) -> Moment:
        """Return the present."""
        return cls(time.monotonic(), time.time())

    def seconds_ago(self) -> float:
        """Return how long ago that was, by the clock which says the longer time."""
        now = Moment.now()
        return max(now.steady - self.steady, now.wall - self.wall)


@dataclass(frozen=True)
class Listing:
    """What lies in a folder.

    :param files: all its files.
    :param looked: when they were listed, or a moment before.
    """

    files: tuple[Entry, ...]
    looked: Moment

    @classmethod
    def of(cls, folder: StorePath) -> Listing:
        """List a folder."""
        looked = Moment.now()
        return cls(tuple(entries(folder)), looked)


@dataclass(frozen=True)
class Page(Generic[S]):
    """What a ledger says at one moment.

    :param number: the newest number that is taken, 0 before the first.
    :param state: what all entries together say.
    :param checkpoint: the newest number whose entry carries the whole state, 0 when there is none.
    :param listing: what lay in the folder, files of others included.
    """

    number: int
    state: S
    checkpoint: int
    listing: Listing

    @property
    def files(self) -> tuple[Entry, ...]:
        """The files of the folder."""
        return self.listing.files

    @property
    def written(self) -> dict[int, float]:
        """When the entries were written that are still there, by number: seconds of the epoch by the store's clock."""
        times = ((_number_of(one.name), one.modified) for one in self.files)
        return {number: modified.timestamp() for number, modified in times if number and modified}


Decide = Callable[[Page[S]], Changes]
"""Decides, by what a ledger says, what is to be entered; nothing when it says already what is wanted. It is called
again when somebody else was quicker."""


class _ChangedMeanwhileError(Exception):
    """What was listed is not there any more, or a part of it was not listed."""


@dataclass(frozen=True)
class _Read(Generic[S]):
    changes: Changes
    state: S | None


@dataclass(frozen=True)
class _Base(Generic[S]):
    number: int
    state: S
    checkpoint: int


class Ledger(Generic[S]):
    """The ledger of one folder, whose store must be proved to create exclusively.

    :param folder: where the entries lie; other files may lie there as well.
    :param fold: what the entries mean.
    """

    def __init__(self, folder: StorePath, fold: Fold[S]) -> None:
        self._folder = folder
        self._fold = fold
        self._known: Page[S] | None = None

    def look(self, listing: Listing | None = None, *, taken: int = 0) -> Page[S]:
        """Read what has been entered: by one listing, and one read unless the state is very large.

        :param listing: of the folder, when the caller has just made one.
        :param taken: a number that is known to be taken, whether it is listed or not.
        """
        for is_last in [False] * (LOOKS - 1) + [True]:
            try:
                self._known = self._page(listing or Listing.of(self._folder), taken, is_last=is_last)
            except _ChangedMeanwhileError:
                listing = None
            else:
                return self._known
        raise AssertionError("the last look reads what it can")

    def append(self, decide: Decide[S], page: Page[S] | None = None) -> Page[S]:
        """Enter what is decided, in full knowledge of all entries before it.

        :param decide: see :data:`Decide`.
        :param page: what was read just now, if it was.
        :returns: what the ledger says now.
        :raises BusyLedgerError: others were quicker, again and again.
        """
        page = self.look() if page is None else page
        for attempt in range(ATTEMPTS):
            changes = decide(page)
            if not changes:
                return page
            entered = self._enter(page, changes)
            if entered is not None:
                return entered
            time.sleep(random.uniform(0, min(LONGEST_PAUSE, SHORTEST_PAUSE * 2**attempt)))  # noqa: S311
            page = self.look(taken=page.number + 1)
        raise BusyLedgerError(f"{self._folder} was written by others {ATTEMPTS} times in a row")

    def _page(self, listing: Listing, taken: int, *, is_last: bool) -> Page[S]:
        known = self._known
        if known and known.files == listing.files and taken <= known.number:
            return replace(known, listing=listing)
        numbers = _numbers(listing.files) | ({taken} if taken else set())
        base, later = self._read_back(numbers, is_last=is_last)
        newest = max(later, default=base.number)
        self._require_unbroken(numbers, base.number, newest, is_last=is_last)
        state = base.state
        for number in sorted(later):
            state = self._fold.apply(state, number, later[number])
        while newest + 1 in numbers:
            newest += 1
        return Page(newest, state, base.checkpoint, listing)

    def _read_back(self, numbers: set[int], *, is_last: bool) -> tuple[_Base[S], dict[int, Changes]]:
        """Read from the newest entry back to one after which the whole state is known.

        :param numbers: those that are taken; in the last look, those that prove free are removed from it.
        """
        known, later = self._known, dict[int, Changes]()
        for number in sorted(numbers, reverse=True):
            if known and number == known.number:
                return _Base(number, known.state, known.checkpoint), later
            try:
                read = self._read(number)
            except FileNotFoundError:
                if not is_last:
                    raise _ChangedMeanwhileError from None
                numbers.discard(number)
                continue
            if read is not None and read.state is not None:
                return _Base(number, read.state, number), later
            if read is not None:
                later[number] = read.changes
        return _Base(0, self._fold.empty, 0), later

    def _require_unbroken(self, numbers: set[int], first: int, last: int, *, is_last: bool) -> None:
        """Have the folder listed again when entries are missing in between.

        They were removed since the listing, or are not listed although they are there: a listing is of no one moment.
        """
        if numbers.issuperset(range(first + 1, last)):
            return
        if not is_last:
            raise _ChangedMeanwhileError
        log.warning("Entries between %s and %s of %s are missing", first, last, self._folder)

    def _read(self, number: int) -> _Read[S] | None:
        """Read an entry; None for what is none.

        :raises FileNotFoundError: there is no such file.
        """
        path = self._path(number)
        try:
            stored = read_whole(path)
        except IsADirectoryError:
            return None
        try:
            content = json.loads(stored)
            changes, state = list(content["changes"]), content.get("state")
            if state is not None:
                return _Read(changes, self._fold.load(state))
            # Whether changes mean anything depends on no state, and must be known before they count as an entry.
            self._fold.apply(self._fold.empty, number, changes)
            return _Read(changes, None)
        except UNREADABLE as error:
            log.warning("%s is passed over, it is no entry: %s", path, error)
            return None

    def _enter(self, page: Page[S], changes: Changes) -> Page[S] | None:
        """Create the next entry; None when somebody else has, or when it may be one that nobody reads."""
        number = page.number + 1
        state = self._fold.apply(page.state, number, changes)
        content = {"changes": changes, "state": self._fold.dump(state)}
        whole = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        checkpoint = number
        if len(whole) > WHOLE_BYTES and number - page.checkpoint < CHECKPOINT_EVERY:
            del content["state"]
            whole = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
            checkpoint = page.checkpoint
        if not create(self._path(number), whole):
            return None
        if page.listing.looked.seconds_ago() > SLOW_SECONDS and self.look(taken=number).number - number >= KEEP:
            return None
        if number % TIDY_EVERY == 0:
            self._tidy(page.files, number - KEEP)
        self._known = Page(number, state, checkpoint, page.listing)
        return self._known

    def _tidy(self, files: Sequence[Entry], last: int) -> None:
        """Remove old entries, the oldest first, so that those which are left follow one another."""
        aged = {number: one for one in files if (number := _number_of(one.name)) is not None}
        newest = max((one.modified for one in aged.values() if one.modified), default=None)
        for number in sorted(number for number in aged if number <= last)[:TIDY_AT_ONCE]:
            written = aged[number].modified
            if not newest or not written or (newest - written).total_seconds() < KEEP_SECONDS:
                return
            try:
                remove(self._path(number))
            except Exception as error:  # noqa: BLE001 - clients of stores raise what they like
                # What was entered stands; the next writer tidies as well.
                log.warning("%s could not be removed: %s", self._path(number), error)
                return

    def _path(self, number: int) -> StorePath:
        return self._folder / _name(number)


def _name(number: int) -> str:
    return f"{number:06d}.json"


def _numbers(files: Sequence[Entry]) -> set[int]:
    return {number for one in files if not one.is_folder and (number := _number_of(one.name)) is not None}


def _number_of(name: str) -> int | None:
    matched = _NAME.fullmatch(name)
    number = int(matched[1]) if matched else 0
    return number if number and name == _name(number) else None
