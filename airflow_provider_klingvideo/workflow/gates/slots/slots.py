"""Slots: who of those that wait may order next, without asking Kling for more than it gives.

What Kling runs now is known from its own listing, so that other users of the account count. What is about to be
ordered, and what Kling has taught by its refusals, is known from a board that all processes share. A job that may go is
given a claim. Claims are entered into a ledger one after another, each in full knowledge of those before it, so that
there are never more than slots. Where the store can keep no ledger, claims are read again after they were written, and
of more claims than slots the later ones are taken back. What still goes wrong Kling refuses, free of charge.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_provider_klingvideo.kling import PRODUCTS, Task
from airflow_provider_klingvideo.workflow.gates.ledger.ledger import Changes, Page
from airflow_provider_klingvideo.workflow.gates.slots.board import SlotBoard, View, view_of
from airflow_provider_klingvideo.workflow.gates.slots.marks import Marks, dropping, putting
from airflow_provider_klingvideo.workflow.gates.slots.notices import (
    CLAIM,
    LIMIT,
    LISTED_WITHIN_SECONDS,
    QUEUE,
    QUEUE_SECONDS,
    QUOTA,
    QUOTA_FRESH_SECONDS,
    RUNNING,
    Notice,
    notices_of,
)
from airflow_provider_klingvideo.workflow.gates.slots.occupancy import Occupancy, Place, SlotRules
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.waits import StateWait

__all__ = ["FOLDER", "Place", "SlotBoard", "SlotRules", "Slots", "Standing", "WaitForSlot", "place_of"]

FOLDER = "slots"


def place_of(job: WorkflowJob) -> Place:
    """Return the place of a validated job."""
    entered = job.entered_at(WorkflowState.QUEUED) or job.created_at
    return Place(
        job.id,
        PRODUCTS[job.kind].pack,
        job.model,
        job.priority,
        entered.timestamp(),
    )


@dataclass(frozen=True)
class WaitForSlot(StateWait):
    """Wait for a free slot."""

    place: Place = field(kw_only=True)


class Standing(StrEnum):
    """How a job stands before it looks for a slot."""

    UNLIMITED = "unlimited"
    CLAIMED = "claimed"
    WAITING = "waiting"


@dataclass(frozen=True)
class _Look:
    """One look for slots.

    :param pack: of all that wait.
    :param waiting: who waits.
    :param in_flight: what Kling runs of the pack.
    :param queue: the name of the queue that all of them wait in; None for a job that comes anew.
    :param began: when Kling was asked what runs, or a moment later, by ``time.monotonic``.
    """

    pack: str
    waiting: Collection[Place]
    in_flight: Sequence[Task]
    queue: str | None
    began: float

    def candidates(self, occupancy: Occupancy) -> list[Place]:
        """Return those that overtake nobody."""
        claimed = {one.subject for one in occupancy.claims}
        return [
            place
            for place in self.waiting
            if self.queue or place.job_id in claimed or not occupancy.others_wait(place.model)
        ]

    def is_late(self) -> bool:
        """Whether what Kling runs may be known wrongly by now: what has been ordered since is listed, but not here."""
        return time.monotonic() - self.began > LISTED_WITHIN_SECONDS


class Slots:
    """Gives slots, and keeps the board.

    :param board: the notices of the connection.
    :param rules: the user's limits.
    """

    def __init__(self, board: SlotBoard, rules: SlotRules) -> None:
        self._board = board
        self.rules = rules

    def standing(self, place: Place) -> Standing:
        """Tell whether a job may order already, without asking Kling."""
        listing = self._board.files()
        if not self._occupancy(place.pack, (), notices_of(listing.files)).is_limited(place.model):
            return Standing.UNLIMITED
        claims = self._occupancy(place.pack, (), self._board.view(listing).notices).claims
        return Standing.CLAIMED if any(one.subject == place.job_id for one in claims) else Standing.WAITING

    def grant(self, waiting: Collection[Place], in_flight: Sequence[Task], *, queue: str | None = None) -> set[str]:
        """Give slots to those whose turn it is.

        :param waiting: places of one pack.
        :param in_flight: what Kling runs of this pack.
        :param queue: the name of the queue that all of them wait in; None for a job that comes anew, which overtakes no
            queue.
        :returns: the ids of the jobs that may order now.
        """
        look = _Look(next(iter(waiting)).pack, waiting, in_flight, queue, time.monotonic())
        listing = self._board.files()
        occupancy = self._occupancy(look.pack, in_flight, notices_of(listing.files))
        if not any(occupancy.is_limited(one.model) for one in waiting):
            admitted = occupancy.admissible(look.candidates(occupancy))
        else:
            view, told = self._view_for(look, self._board.view(listing))
            occupancy = self._occupancy(look.pack, in_flight, view.notices, told)
            enter = self._enter_claims if self._board.is_exact() else self._put_claims
            admitted = enter(look, view, told)
        self._board.take_down(occupancy.stale())
        granted = {one.job_id for one in admitted}
        if queue:
            self._keep_queue(queue, look.pack, {one.model for one in waiting if one.job_id not in granted}, occupancy)
        return granted

    def why_full(self, place: Place, in_flight: Sequence[Task]) -> str:
        """Tell a person why a job that was given no slot has to wait.

        :param in_flight: what Kling runs of its pack.
        """
        return self._occupancy(place.pack, in_flight, self._board.view().notices).why_full(place.model)

    def ordered(self, place: Place) -> None:
        """Note that a job has ordered: its claim becomes a running task of its model."""
        view = self._view_of_limited(place)
        claims = [one for one in view.notices if one.what == CLAIM and one.subject == place.job_id] if view else []
        if view is None or not claims:
            return
        if any(one.entry is not None for one in claims):
            self._board.enter(lambda page: _running(page.state, place, _now()), view.page)
        else:
            self._board.put([Notice(RUNNING, place.pack, place.model, place.job_id, _now())])
        self._board.take_down(one for one in claims if one.entry is None)

    def give_back(self, place: Place) -> None:
        """Note that a job will not order now, or that its task has ended."""
        if view := self._view_of_limited(place):
            mine = [one for one in view.notices if one.what in (CLAIM, RUNNING) and one.subject == place.job_id]
            self._board.take_down(mine, view.page)

    def wants_quota(self, pack: str) -> bool:
        """Whether the account's packs are worth asking for: the user names no limit, and nobody has asked lately."""
        occupancy = self._listed(pack)
        is_fresh = any(occupancy.age(one) < QUOTA_FRESH_SECONDS for one in occupancy.quotas())
        return self.rules.total is None and not is_fresh

    def knows_quota(self, pack: str) -> bool:
        """Whether the account's packs were asked for."""
        return bool(self._listed(pack).quotas())

    def allowed(self, pack: str, quota: int | None) -> None:
        """Note how many tasks of each model the account's packs allow; None where their names do not say it."""
        known = self._listed(pack).quotas()
        self._replace(known, Notice(QUOTA, pack, "", str(quota or 0), _now()))

    def refused(self, place: Place, in_flight: Sequence[Task]) -> None:
        """Learn from a create that Kling refused for want of a slot."""
        view = self._board.view()
        occupancy = self._occupancy(place.pack, in_flight, view.notices)
        mine = [one for one in view.notices if one.what in (CLAIM, RUNNING) and one.subject == place.job_id]
        self._board.take_down(mine, view.page)
        known = [one for one in occupancy.notices if one.what == LIMIT and one.model == place.model]
        # What was ordered a moment ago and is not listed counts once it is: this is told of what was listed.
        limit = max(1, occupancy.listed(place.model))
        self._replace(known, Notice(LIMIT, place.pack, place.model, str(limit), _now()))

    def _view_for(self, look: _Look, view: View) -> tuple[View, float | None]:
        """Ask the store for its present when jobs have to wait for what may have ended by now."""
        occupancy = self._occupancy(look.pack, look.in_flight, view.notices)
        if len(occupancy.admissible(look.waiting)) == len(look.waiting) or not occupancy.is_doubtful():
            return view, None
        told, listing = self._board.store_time()
        return self._board.view(listing), told

    def _enter_claims(self, look: _Look, view: View, told: float | None) -> list[Place]:
        """Give slots by the ledger: of several that do so in the same moment, each one sees those before it."""
        admitted: list[Place] = []

        def decide(page: Page[Marks]) -> Changes:
            nonlocal admitted
            occupancy = self._occupancy(look.pack, look.in_flight, view_of(page).notices, told)
            admitted = occupancy.admissible(look.candidates(occupancy))
            claims = self._claims_for(admitted, occupancy)
            if claims and look.is_late():
                lost = {one.subject for one in claims}
                admitted, claims = [one for one in admitted if one.job_id not in lost], []
            puts = [putting(CLAIM, one.pack, one.model, one.subject, one.at) for one in claims]
            over = [one.subject for one in occupancy.over if one.entry is not None]
            return [*dropping(over), *puts] if puts else []

        self._board.enter(decide, view.page)
        return admitted

    def _put_claims(self, look: _Look, view: View, told: float | None) -> list[Place]:
        """Give slots by claims that are read again after they were written."""
        occupancy = self._occupancy(look.pack, look.in_flight, view.notices, told)
        admitted = occupancy.admissible(look.candidates(occupancy))
        claims = self._claims_for(admitted, occupancy)
        if not claims:
            return admitted
        self._board.put(claims)
        late = self._occupancy(look.pack, look.in_flight, self._board.read(), told).surplus(claims)
        self._board.take_down(late)
        lost = {one.subject for one in late}
        return [one for one in admitted if one.job_id not in lost]

    def _claims_for(self, admitted: Iterable[Place], occupancy: Occupancy) -> list[Notice]:
        claimed, now = {one.subject for one in occupancy.claims}, _now()
        return [
            Notice(CLAIM, occupancy.pack, one.model, one.job_id, now)
            for one in admitted
            if one.job_id not in claimed and occupancy.is_limited(one.model)
        ]

    def _view_of_limited(self, place: Place) -> View | None:
        """Read the board for a job whose model is limited; what it says of another one ends by itself."""
        listing = self._board.files()
        is_limited = self._occupancy(place.pack, (), notices_of(listing.files)).is_limited(place.model)
        return self._board.view(listing) if is_limited else None

    def _listed(self, pack: str) -> Occupancy:
        """Return what the files of the board say, for what the ledger does not tell."""
        return self._occupancy(pack, (), notices_of(self._board.files().files))

    def _occupancy(
        self, pack: str, in_flight: Sequence[Task], notices: Iterable[Notice], told: float | None = None
    ) -> Occupancy:
        return Occupancy(pack, in_flight, notices, self.rules, _now(), told)

    def _replace(self, known: Iterable[Notice], notice: Notice) -> None:
        self._board.put([notice])
        self._board.take_down(one for one in known if one != notice)

    def _keep_queue(self, queue: str, pack: str, models: Collection[str], occupancy: Occupancy) -> None:
        """Say who waits, a third of its life before the last word about it ends."""
        own, now = [one for one in occupancy.notices if one.what == QUEUE and one.subject == queue], _now()
        fresh = {one.model for one in own if one.model in models and 0 <= now - one.at < QUEUE_SECONDS / 3}
        self._board.put(Notice(QUEUE, pack, model, queue, now) for model in models if model not in fresh)
        self._board.take_down(one for one in own if one.model not in fresh)


def _running(marks: Marks, place: Place, now: float) -> Changes:
    mark = marks.get(place.job_id)
    if mark is None or mark.what == RUNNING:
        return []
    return [putting(RUNNING, place.pack, place.model, place.job_id, now)]


def _now() -> float:
    """The present time as a notice tells it."""
    return round(utc_now().timestamp(), 3)
