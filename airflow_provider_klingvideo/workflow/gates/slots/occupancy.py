"""What takes the slots of a pack at one moment, and who of those that wait may go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from airflow_provider_klingvideo.kling import Task
from airflow_provider_klingvideo.workflow.gates.slots.notices import (
    CLAIM,
    HASTY_PROBE_SECONDS,
    LIMIT,
    PROBE_SECONDS,
    QUEUE,
    QUOTA,
    RUNNING,
    Notice,
)
from airflow_provider_klingvideo.workflow.ordering.external_id import ExternalId

LISTED_SOON = (CLAIM, RUNNING)
# By more than this no clock that is right differs from another one.
TOLERATED_SECONDS = 5.0


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


@dataclass(frozen=True)
class SlotRules:
    """What the user says.

    :param total: tasks of a pack that may run at once; None for as many as Kling takes.
    :param models: the same by model.
    """

    total: int | None = None
    models: Mapping[str, int] = field(default_factory=dict)


class Occupancy:
    """What takes the slots of one pack at one moment.

    What was learned, and who waits, are hints: their age is told by the present of this machine, or by the store's
    where that is known to be later. A claim is more: it ends by the store's clock alone.

    :param pack: the pack.
    :param in_flight: what Kling runs of it.
    :param notices: the board.
    :param rules: the user's limits.
    :param now: seconds of the epoch, by the clock of this machine.
    :param told: the present by the store's clock, when it was asked just now; None before that.
    """

    def __init__(
        self,
        pack: str,
        in_flight: Sequence[Task],
        notices: Iterable[Notice],
        rules: SlotRules,
        now: float,
        told: float | None = None,
    ) -> None:
        self.pack = pack
        self.rules = rules
        self.notices = [notice for notice in notices if notice.pack == pack]
        self.running = {job for task in in_flight if (job := _job_of(task))}
        self._now = now
        self._told = told
        self._newest = max((one.stored for one in self.notices if one.stored is not None), default=-inf)
        models = {one.subject: one.model for one in self.notices if one.what in (CLAIM, RUNNING)}
        # A task of unknown model, somebody else's, may take any model's slot.
        self._models = [models.get(_job_of(task)) for task in in_flight]
        waited_for = [one for one in self.notices if one.what in LISTED_SOON and one.subject not in self.running]
        living = [one for one in waited_for if not self._is_over(one)]
        self.over = [one for one in waited_for if self._is_over(one)]
        self.claims = list({one.subject: one for one in living if one.what == CLAIM}.values())
        # Ordered a moment ago, and not listed yet.
        self._coming = [one for one in living if one.what == RUNNING]
        self.total = len(in_flight) + len(self._coming)

    def taken(self, model: str) -> int:
        """Count what may take slots of a model: Kling's tasks, and what has just been ordered."""
        return self.listed(model) + sum(one.model == model for one in self._coming)

    def listed(self, model: str) -> int:
        """Count Kling's tasks that may take slots of a model."""
        return sum(one in (None, model) for one in self._models)

    def learned(self, model: str) -> float:
        """Return how many tasks of a model Kling has been seen to take at once; infinite when nothing is known."""
        limits = [
            self._faded(one, max(int(one.subject), self.listed(model)))
            for one in self._fresh(LIMIT)
            if one.model == model
        ]
        return min(limits, default=inf)

    def _faded(self, notice: Notice, limit: int) -> int:
        is_contradicted = int(notice.subject) < self.quota() < inf
        probe = HASTY_PROBE_SECONDS if is_contradicted else PROBE_SECONDS
        return limit + int(2 ** (self.age(notice) // probe)) - 1

    def quota(self) -> float:
        """Return how many tasks of each model the account's packs allow; infinite when that is not known."""
        said = self.quotas()
        return (int(max(said, key=lambda one: one.time).subject) or inf) if said else inf

    def quotas(self) -> list[Notice]:
        """Return what was noted lately of the account's packs; 0 where their names do not say what they allow."""
        return self._fresh(QUOTA)

    def limits(self, model: str) -> tuple[float, float]:
        """Return the limits of the pack and of a model, infinite where there is none."""
        total = inf if self.rules.total is None else self.rules.total
        return total, min(self.rules.models.get(model, inf), self.quota(), self.learned(model))

    def why_full(self, model: str) -> str:
        """Tell a person why no slot of a model is free: how many are taken of how many, and whose limit that is."""
        of_model = self.taken(model) + sum(one.model == model for one in self.claims)
        limits: tuple[tuple[int, float, str], ...] = (
            (self.total + len(self.claims), inf if self.rules.total is None else self.rules.total, "the connection"),
            (of_model, self.rules.models.get(model, inf), f"the connection for {model}"),
            (of_model, self.quota(), "the account's packs"),
            (of_model, self.learned(model), "Kling, as its last refusals have shown"),
        )
        full = (f"{taken} of {limit:g} taken (limit of {whose})" for taken, limit, whose in limits if taken >= limit)
        return f"no slot is free: {next(full, 'other jobs wait longer or with a higher priority')}"

    def is_limited(self, model: str) -> bool:
        """Whether any limit is known."""
        return min(self.limits(model)) < inf

    def admissible(self, waiting: Iterable[Place]) -> list[Place]:
        """Return those that may order now, by priority and age; those of a full model do not hold up the others."""
        claimed = {one.subject for one in self.claims}
        room = _Room(self, [one.model for one in self.claims])
        ordered = sorted(waiting, key=lambda one: one.order)
        return [place for place in ordered if place.job_id in claimed or room.take(place.model)]

    def surplus(self, own: Collection[Notice]) -> list[Notice]:
        """Return those of one's own claims for which there is no room beside all that were there before them.

        Of the same moment are those of others first: they may not have seen this one.
        """
        room = _Room(self, [])
        in_turn = sorted(self.claims, key=lambda one: (one.time, one in own, one.subject))
        return [claim for claim in in_turn if not room.take(claim.model) and claim in own]

    def others_wait(self, model: str) -> bool:
        """Whether somebody keeps a queue for a model, whom a newcomer must not overtake."""
        return any(one.model == model for one in self._fresh(QUEUE))

    def is_doubtful(self) -> bool:
        """Whether something may take its slot no more, if the clock of this machine is right; the store's will tell."""
        doubted = (one for one in (*self.claims, *self._coming) if one.stored is not None)
        return any(one.age(self._now) >= one.life or one.time > self._now + TOLERATED_SECONDS for one in doubted)

    def stale(self) -> list[Notice]:
        """Return the files that tell nothing any more."""
        files = (one for one in self.notices if one.entry is None and not self._runs(one))
        return [one for one in files if self._is_over(one)]

    def age(self, notice: Notice) -> float:
        """Seconds since a hint was given."""
        return notice.age(max(self._now, self._newest))

    def _runs(self, notice: Notice) -> bool:
        return notice.what == RUNNING and notice.subject in self.running

    def _fresh(self, what: str) -> list[Notice]:
        return [one for one in self.notices if one.what == what and self.age(one) < one.life]

    def _is_over(self, notice: Notice) -> bool:
        """Whether a notice tells nothing any more, by the one clock that all share, where there is one."""
        if notice.stored is None:
            return notice.age(self._now) >= notice.life
        if self._told is not None:
            return notice.age(self._told) >= notice.life
        # A claim is given away only when the store has just told its present: a file's time may have been set.
        return notice.what != CLAIM and notice.age(self._newest) >= notice.life


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


def _job_of(task: Task) -> str:
    """The job that ordered a task, by its external id, see ``SubmissionProtocol``; empty for somebody else's."""
    ours = ExternalId.parse(task.external_id)
    return ours.job_id if ours else ""
