"""The board of a connection: what processes tell each other about its slots, in one folder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_klingvideo.storage.protocols import StorePath, remove
from airflow_provider_klingvideo.storage.stores import store_key
from airflow_provider_klingvideo.storage.writing import write_whole
from airflow_provider_klingvideo.workflow.gates.ledger.exactness import is_exact
from airflow_provider_klingvideo.workflow.gates.ledger.ledger import Changes, Decide, Ledger, Listing, Page
from airflow_provider_klingvideo.workflow.gates.slots.marks import Marks, MarksFold, as_notices, dating, dropping
from airflow_provider_klingvideo.workflow.gates.slots.notices import Notice, notices_of, stored_at

log = logging.getLogger(__name__)

# Written to learn what time it is in the store.
CLOCK_NAME = "clock"
_timeless: set[tuple[object, ...]] = set()


@dataclass(frozen=True)
class View:
    """What the board says at one moment.

    :param page: what its ledger says.
    :param notices: all of it as notices: the files, and who has a slot by the ledger.
    """

    page: Page[Marks]
    notices: Sequence[Notice]


class SlotBoard:
    """The notices of one connection.

    Who has a slot is decided in a ledger, where the store can create files exclusively. All else, and where it cannot
    this as well, are notices: empty files whose names say everything, so that one listing tells all processes the same.

    :param folder: where they lie; made with the first of them.
    """

    def __init__(self, folder: StorePath) -> None:
        self._folder = folder
        self._ledger: Ledger[Marks] = Ledger(folder, MarksFold())

    def files(self) -> Listing:
        """List the folder."""
        return Listing.of(self._folder)

    def view(self, listing: Listing | None = None) -> View:
        """Read everything: by one listing, and one read when anybody has a slot.

        :param listing: of the folder, that was made just now.
        """
        view = view_of(self._ledger.look(listing))
        if any(one.stored is None for one in view.notices):
            _say_timeless(self._folder)
        return view

    def read(self) -> list[Notice]:
        """Return all notices."""
        return list(self.view().notices)

    def enter(self, decide: Decide[Marks], page: Page[Marks]) -> None:
        """Let the ledger say who has a slot; see :meth:`Ledger.append`."""

        def decide_and_date(page: Page[Marks]) -> Changes:
            changes = decide(page)
            return [*dating(page.state, page.written), *changes] if changes else []

        self._ledger.append(decide_and_date, page)

    def put(self, notices: Iterable[Notice]) -> None:
        """Put notices up as files."""
        for notice in notices:
            write_whole(self._folder / notice.name, b"")

    def take_down(self, notices: Iterable[Notice], page: Page[Marks] | None = None) -> None:
        """Remove notices; one that is gone already does not matter.

        :param page: what the ledger said just now.
        """
        marked = {}
        for notice in notices:
            if notice.entry is None:
                remove(self._folder / notice.name)
            else:
                marked[notice.subject] = notice.entry
        if marked:
            self._drop(marked, page or self._ledger.look())

    def is_exact(self) -> bool:
        """Whether a ledger can be kept; see :func:`is_exact`."""
        return is_exact(self._folder)

    def store_time(self) -> tuple[float | None, Listing]:
        """Ask the store for the present, by writing a file.

        :returns: seconds of the epoch, None where the store tells no times; and the listing that has shown it.
        """
        write_whole(self._folder / CLOCK_NAME, b"")
        listing = self.files()
        told = next((stored_at(one) for one in listing.files if one.name == CLOCK_NAME), None)
        return told, listing

    def _drop(self, marked: Mapping[str, int], page: Page[Marks]) -> None:
        """Take slots away, unless the job has got another one meanwhile."""

        def decide(page: Page[Marks]) -> Changes:
            state = page.state
            return dropping(job for job, number in marked.items() if job in state and state[job].number == number)

        self.enter(decide, page)


def _say_timeless(folder: StorePath) -> None:
    if (store := store_key(folder)) not in _timeless:
        _timeless.add(store)
        log.warning("The store of %s tells no times: claims of slots end by the clock of this machine", folder)


def view_of(page: Page[Marks]) -> View:
    """Return what a page of the ledger and the files beside it say."""
    return View(page, [*notices_of(page.files), *as_notices(page.state, page.written)])
