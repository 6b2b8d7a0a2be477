"""Slots: who of those that wait may order next, without asking the vendor for more than it gives.

What the vendor runs now is known from its own listing, so that other users of the account count. What is about to be
ordered, and what the vendor has taught by its refusals, is known from notices: empty files of one folder, whose names
say everything, so that one listing of the folder tells all processes the same. Nothing is locked. A job that may go is
given a claim; all claims are read again afterwards, and of more claims than slots the later ones are taken back. What
still goes wrong the vendor refuses, free of charge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Self
from urllib.parse import quote, unquote

from airflow_provider_klingvideo.kling import PRODUCTS, Task
from airflow_provider_klingvideo.storage.protocols import StorePath, is_there, remove
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob, utc_now
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.waiting.following import kind_of

FOLDER = "slots"
# A claim whose job has not ordered by then is another's: its worker has died, or is far too slow.
CLAIM_SECONDS = 180.0
# The vendor's listing may lag behind its own answers.
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

CLAIM, RUNNING, QUEUE, LIMIT, QUOTA = "claim", "running", "queue", "limit", "quota"
_LIVES = {
    CLAIM: CLAIM_SECONDS,
    RUNNING: LISTED_WITHIN_SECONDS,
    QUEUE: QUEUE_SECONDS,
    LIMIT: FORGET_SECONDS,
    QUOTA: QUOTA_SECONDS,
}


@dataclass(frozen=True)
class Place:
    """A job's place among those that wait for a slot.

    :param job_id: the job.
    :param pack: whose slots it needs: ``video``, ``image`` or ``try_on``.
    :param model: which model's.
    :param priority: the higher one goes first.
    :param since: when it entered the queue, seconds of the epoch; of the same priority the older one goes first.
    """

    job_id: str
    pack: str
    model: str
    priority: int = 0
    since: float = 0.0

    @property
    def order(self) -> tuple[int, float, str]:
        """What places are sorted by."""
        return -self.priority, self.since, self.job_id


def place_of(job: WorkflowJob) -> Place:
    """Return the place of a validated job."""
    entered = job.entered_at(WorkflowState.QUEUED) or job.created_at
    return Place(
        job.id,
        PRODUCTS[kind_of(job)].pack,
        str(job.metadata["model"]),
        int(job.metadata.get("priority") or 0),
        entered.timestamp(),
    )


@dataclass(frozen=True)
class SlotRules:
    """What the user says.

    :param total: tasks of a pack that may run at once; None for as many as the vendor takes.
    :param models: the same by model.
    """

    total: int | None = None
    models: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """A notice of the board.

    :param what: ``claim`` (may order), ``running`` (has ordered), ``queue`` (somebody waits), ``limit`` (learned from a
        refusal) or ``quota`` (what the account's packs allow each model).
    :param subject: the job; of a queue who keeps it; of a limit or quota the number.
    :param at: when it was put up, seconds of the epoch.
    """

    what: str
    pack: str
    model: str
    subject: str
    at: float

    @property
    def name(self) -> str:
        """The name of its file."""
        parts = (self.what, self.pack, self.model, self.subject, f"{self.at:.3f}")
        return "@".join(quote(part, safe="") for part in parts)

    @classmethod
    def of(cls, name: str) -> Self | None:
        """Read a file's name; None for one that is no notice."""
        try:
            what, pack, model, subject, at = map(unquote, name.split("@"))
            return cls(what, pack, model, subject, float(at))
        except ValueError:
            return None


class SlotBoard:
    """The notices of one connection.

    :param folder: where they lie; made with the first of them.
    """

    def __init__(self, folder: StorePath) -> None:
        self._folder = folder

    def read(self) -> list[Notice]:
        """Return all notices."""
        paths = self._folder.iterdir() if is_there(self._folder) else ()
        return [notice for path in paths if (notice := Notice.of(path.name))]

    def put(self, notices: Iterable[Notice]) -> None:
        """Put notices up."""
        for notice in notices:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / notice.name).write_text("")

    def take_down(self, notices: Iterable[Notice]) -> None:
        """Remove notices; one that is gone already does not matter."""
        for notice in notices:
            remove(self._folder / notice.name)


class Occupancy:
    """What takes the slots of one pack at one moment.

    :param pack: the pack.
    :param in_flight: what the vendor runs of it.
    :param notices: the board.
    :param rules: the user's limits.
    :param now: seconds of the epoch.
    """

    def __init__(
        self, pack: str, in_flight: Sequence[Task], notices: Iterable[Notice], rules: SlotRules, now: float
    ) -> None:
        self.pack = pack
        self.rules = rules
        self.now = now
        self.notices = [notice for notice in notices if notice.pack == pack]
        self.running = {job for task in in_flight if (job := _job_of(task))}
        models = {one.subject: one.model for one in self.notices if one.what in (CLAIM, RUNNING)}
        # A task of unknown model, somebody else's, may take any model's slot.
        self._models = [models.get(_job_of(task)) for task in in_flight]
        self.claims = [one for one in self.notices if one.what == CLAIM and one.subject not in self.running]
        self.claims = [one for one in self.claims if self.age(one) < CLAIM_SECONDS]
        # Ordered a moment ago, and not listed yet.
        self._coming = [
            one
            for one in self.notices
            if one.what == RUNNING and one.subject not in self.running and self.age(one) < LISTED_WITHIN_SECONDS
        ]
        self.total = len(in_flight) + len(self._coming)

    def taken(self, model: str) -> int:
        """Count what may take slots of a model: the vendor's tasks, and what has just been ordered."""
        return self.listed(model) + sum(one.model == model for one in self._coming)

    def listed(self, model: str) -> int:
        """Count the vendor's tasks that may take slots of a model."""
        return sum(one in (None, model) for one in self._models)

    def learned(self, model: str) -> float:
        """Return how many tasks of a model the vendor has been seen to take at once; infinite when nothing is known."""
        limits = [
            self._faded(one, max(int(one.subject), self.listed(model)))
            for one in self.notices
            if one.what == LIMIT and one.model == model and self.age(one) < FORGET_SECONDS
        ]
        return min(limits, default=inf)

    def _faded(self, notice: Notice, limit: int) -> int:
        is_contradicted = int(notice.subject) < self.quota() < inf
        probe = HASTY_PROBE_SECONDS if is_contradicted else PROBE_SECONDS
        return limit + int(2 ** (self.age(notice) // probe)) - 1

    def quota(self) -> float:
        """Return how many tasks of each model the account's packs allow; infinite when that is not known."""
        said = self.quotas()
        return (int(max(said, key=lambda one: one.at).subject) or inf) if said else inf

    def quotas(self) -> list[Notice]:
        """Return what was noted lately of the account's packs; 0 where their names do not say what they allow."""
        return [one for one in self.notices if one.what == QUOTA and self.age(one) < QUOTA_SECONDS]

    def limits(self, model: str) -> tuple[float, float]:
        """Return the limits of the pack and of a model, infinite where there is none."""
        total = inf if self.rules.total is None else self.rules.total
        return total, min(self.rules.models.get(model, inf), self.quota(), self.learned(model))

    def is_limited(self, model: str) -> bool:
        """Whether any limit is known."""
        return min(self.limits(model)) < inf

    def admissible(self, waiting: Iterable[Place]) -> list[Place]:
        """Return those that may order now, by priority and age; those of a full model do not hold up the others."""
        claimed = {one.subject for one in self.claims}
        room = _Room(self, [one.model for one in self.claims])
        ordered = sorted(waiting, key=lambda one: one.order)
        return [place for place in ordered if place.job_id in claimed or room.take(place.model)]

    def surplus(self, claims: Collection[Notice]) -> list[Notice]:
        """Return those of some claims for which there is no room beside all others: the later ones."""
        room = _Room(self, [])
        in_turn = sorted(self.claims, key=lambda one: (one.at, one.subject))
        return [claim for claim in in_turn if not room.take(claim.model) and claim in claims]

    def others_wait(self, model: str) -> bool:
        """Whether somebody keeps a queue for a model, whom a newcomer must not overtake."""
        return any(one.what == QUEUE and one.model == model and self.age(one) < QUEUE_SECONDS for one in self.notices)

    def stale(self) -> list[Notice]:
        """Return what tells nothing any more."""
        return [one for one in self.notices if self.age(one) >= _LIVES.get(one.what, inf) and not self._runs(one)]

    def age(self, notice: Notice) -> float:
        """Seconds since a notice was put up; clocks of several machines differ."""
        return max(0.0, self.now - notice.at)

    def _runs(self, notice: Notice) -> bool:
        return notice.what == RUNNING and notice.subject in self.running


class _Room:
    """What is still free while claims are counted one after another."""

    def __init__(self, occupancy: Occupancy, claimed: Iterable[str]) -> None:
        self._occupancy = occupancy
        self._models = list(claimed)

    def take(self, model: str) -> bool:
        """Take a slot of a model, if there is one."""
        total, of_model = self._occupancy.limits(model)
        if self._occupancy.total + len(self._models) >= total:
            return False
        if self._occupancy.taken(model) + self._models.count(model) >= of_model:
            return False
        self._models.append(model)
        return True


class Standing(StrEnum):
    """How a job stands before it looks for a slot."""

    UNLIMITED = "unlimited"
    CLAIMED = "claimed"
    WAITING = "waiting"


class Slots:
    """Gives slots, and keeps the board.

    :param board: the notices of the connection.
    :param rules: the user's limits.
    """

    def __init__(self, board: SlotBoard, rules: SlotRules) -> None:
        self._board = board
        self.rules = rules

    def standing(self, place: Place) -> Standing:
        """Tell whether a job may order already, without asking the vendor."""
        occupancy = self._occupancy(place.pack, ())
        if any(one.subject == place.job_id for one in occupancy.claims):
            return Standing.CLAIMED
        return Standing.WAITING if occupancy.is_limited(place.model) else Standing.UNLIMITED

    def grant(self, waiting: Collection[Place], in_flight: Sequence[Task], *, queue: str | None = None) -> set[str]:
        """Give slots to those whose turn it is.

        :param waiting: places of one pack.
        :param in_flight: what the vendor runs of this pack.
        :param queue: the name of the queue that all of them wait in; None for a job that comes anew, which overtakes no
            queue.
        :returns: the ids of the jobs that may order now.
        """
        pack = next(iter(waiting)).pack
        occupancy = self._occupancy(pack, in_flight)
        self._board.take_down(occupancy.stale())
        claimed = {one.subject for one in occupancy.claims}
        candidates = [
            place for place in waiting if queue or place.job_id in claimed or not occupancy.others_wait(place.model)
        ]
        admitted = occupancy.admissible(candidates)
        now = _now()
        limited = [one for one in admitted if one.job_id not in claimed and occupancy.is_limited(one.model)]
        claims = [Notice(CLAIM, pack, one.model, one.job_id, now) for one in limited]
        if claims:
            self._board.put(claims)
            late = self._occupancy(pack, in_flight).surplus(claims)
            self._board.take_down(late)
            lost = {one.subject for one in late}
            admitted = [one for one in admitted if one.job_id not in lost]
        granted = {one.job_id for one in admitted}
        if queue:
            self._keep_queue(queue, pack, {one.model for one in waiting if one.job_id not in granted}, occupancy)
        return granted

    def ordered(self, place: Place) -> None:
        """Note that a job has ordered: its claim becomes a running task of its model."""
        claims = [one for one in self._board.read() if one.what == CLAIM and one.subject == place.job_id]
        if claims:
            now = _now()
            self._board.put([Notice(RUNNING, place.pack, place.model, place.job_id, now)])
            self._board.take_down(claims)

    def give_back(self, place: Place) -> None:
        """Note that a job will not order now, or that its task has ended."""
        self._board.take_down(one for one in self._board.read() if one.subject == place.job_id)

    def wants_quota(self, pack: str) -> bool:
        """Whether the account's packs are worth asking for: the user names no limit, and nobody has asked lately."""
        occupancy = self._occupancy(pack, ())
        is_fresh = any(occupancy.age(one) < QUOTA_FRESH_SECONDS for one in occupancy.quotas())
        return self.rules.total is None and not is_fresh

    def knows_quota(self, pack: str) -> bool:
        """Whether the account's packs were asked for."""
        return bool(self._occupancy(pack, ()).quotas())

    def allowed(self, pack: str, quota: int | None) -> None:
        """Note how many tasks of each model the account's packs allow; None where their names do not say it."""
        known, now = self._occupancy(pack, ()).quotas(), _now()
        self._board.put([Notice(QUOTA, pack, "", str(quota or 0), now)])
        self._board.take_down(one for one in known if one.at < now)

    def refused(self, place: Place, in_flight: Sequence[Task]) -> None:
        """Learn from a create that the vendor refused for want of a slot."""
        self.give_back(place)
        occupancy = self._occupancy(place.pack, in_flight)
        known = [one for one in occupancy.notices if one.what == LIMIT and one.model == place.model]
        # What was ordered a moment ago and is not listed counts once it is: this is told of what was listed.
        limit = max(1, occupancy.listed(place.model))
        now = _now()
        self._board.put([Notice(LIMIT, place.pack, place.model, str(limit), now)])
        self._board.take_down(one for one in known if one.at < now)

    def _occupancy(self, pack: str, in_flight: Sequence[Task]) -> Occupancy:
        return Occupancy(pack, in_flight, self._board.read(), self.rules, _now())

    def _keep_queue(self, queue: str, pack: str, models: Collection[str], occupancy: Occupancy) -> None:
        """Say who waits, a third of its life before the last word about it ends."""
        own = [one for one in occupancy.notices if one.what == QUEUE and one.subject == queue]
        fresh = {one.model for one in own if one.model in models and occupancy.age(one) < QUEUE_SECONDS / 3}
        self._board.put(Notice(QUEUE, pack, model, queue, occupancy.now) for model in models if model not in fresh)
        self._board.take_down(one for one in own if one.model not in fresh)


def _now() -> float:
    """The present time as a notice tells it."""
    return round(utc_now().timestamp(), 3)


def _job_of(task: Task) -> str:
    """The job that ordered a task, by its external id, see ``SubmissionProtocol``; empty for somebody else's."""
    return (task.external_id or "").rpartition("-")[0].rpartition("-")[0]
