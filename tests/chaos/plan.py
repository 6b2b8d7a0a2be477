"""What goes wrong in a run, drawn from a seed: the same seed draws the same faults."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .points import POINTS, Victim

Action = Mapping[str, Any]

CREATE: Mapping[str, str] = {"method": "POST", "path": "/text-to-video/*"}
QUERY: Mapping[str, str] = {"method": "GET", "path": "/tasks"}
DOWNLOAD: Mapping[str, str] = {"method": "GET", "path": "/media/*"}

COMPLETED, FAILED = "COMPLETED", "FAILED"
QUIET_SHARE = 0.25
"""The share of videos of which nothing is wrong by themselves; the events of the run strike them, too."""
MOST_FAULTS = 2
KILLED_SHARE = 0.35
VICTIMS: Sequence[Victim] = ("task", "task", "task", "worker")


@dataclass(frozen=True)
class Fault:
    """A row of the table of the vendor's faults.

    :param where: which requests of the video it strikes.
    :param action: what the sandbox does, see its documentation.
    :param times: bounds of how often it strikes; None for always.
    :param end: the state in which it leaves the video.
    """

    where: Mapping[str, str]
    action: Action
    times: tuple[int, int] | None = (1, 1)
    end: str = COMPLETED


def refuse(code: int, **more: Any) -> Action:
    """The vendor refuses with a business code."""
    return {"type": "refuse", "code": code, **more}


FAULTS: Mapping[str, Fault] = {
    # Creates
    "create: connection closed, nothing stored": Fault(CREATE, {"type": "drop_before"}, (1, 2)),
    "create: stored, connection closed": Fault(CREATE, {"type": "drop_after"}),
    "create: stored, 5002": Fault(CREATE, {"type": "store_then_error", "code": 5002}),
    "create: gateway page 502, nothing stored": Fault(CREATE, {"type": "html", "http_status": 502}, (1, 2)),
    "create: stored, gateway page 504": Fault(CREATE, {"type": "html", "http_status": 504, "store": True}),
    "create: stored, answer breaks off": Fault(CREATE, {"type": "half_body", "fraction": 0.4}),
    "create: no slot (1303)": Fault(CREATE, refuse(1303), (1, 3)),
    "create: too many requests (1302)": Fault(CREATE, {"type": "rate_limit"}, (1, 2)),
    "create: vendor in trouble (5000)": Fault(CREATE, refuse(5000), (1, 2)),
    "create: slow": Fault(CREATE, {"type": "slow", "seconds": 2}),
    "create: content refused (1301)": Fault(CREATE, refuse(1301), None, FAILED),
    # Tasks
    "task: the vendor fails it": Fault(CREATE, {"type": "fail_task", "message": "Risk control"}, None, FAILED),
    "task: stuck for ever": Fault(CREATE, {"type": "stuck"}, None, FAILED),
    "task: succeeded with nothing to show": Fault(CREATE, {"type": "succeed_without_outputs"}, None, FAILED),
    "task: unknown status word": Fault(CREATE, {"type": "status_word", "word": "reviewing"}, None),
    # Questions
    "query: connection closed": Fault(QUERY, {"type": "drop_before"}, (1, 4)),
    "query: answer breaks off": Fault(QUERY, {"type": "half_body"}, (1, 3)),
    "query: gateway page 502": Fault(QUERY, {"type": "html", "http_status": 502}, (1, 4)),
    "query: vendor in trouble (5001)": Fault(QUERY, refuse(5001), (1, 4)),
    "query: too many requests (1302)": Fault(QUERY, {"type": "rate_limit", "headers": {"Retry-After": "3"}}, (1, 2)),
    "query: task missing from the answer": Fault(QUERY, {"type": "omit_from_batch"}, (1, 3)),
    "query: answer in small pieces": Fault(QUERY, {"type": "slow_body", "seconds": 2}, (1, 2)),
    "query: answer drips": Fault(QUERY, {"type": "drip", "seconds": 0.2, "piece_bytes": 64}),
    "query: half of a character": Fault(QUERY, {"type": "half_character", "fields": ["message", "name"]}, (1, 3)),
    "query: slow": Fault(QUERY, {"type": "slow", "seconds": 2}, (1, 2)),
    # Downloads
    "download: address expired (403)": Fault(DOWNLOAD, {"type": "expired_url"}),
    "download: address gone (404)": Fault(DOWNLOAD, {"type": "expired_url", "http_status": 404}),
    "download: cut file": Fault(DOWNLOAD, {"type": "truncate_media", "fraction": 0.5}),
    "download: page in place of the file": Fault(DOWNLOAD, {"type": "html_media"}),
    "download: connection closed half-way": Fault(DOWNLOAD, {"type": "drop_media_at", "fraction": 0.5}, (1, 3)),
    "download: server in trouble (503)": Fault(DOWNLOAD, refuse(5000, http_status=503), (1, 2)),
    "download: slow": Fault(DOWNLOAD, {"type": "slow", "seconds": 2}),
    "download: in small pieces": Fault(DOWNLOAD, {"type": "slow_body", "seconds": 3}),
}

EVENTS: Mapping[str, int] = {
    "SIGKILL of a task's process": 3,
    "SIGKILL of the triggerer": 2,
    "SIGKILL of the scheduler with its tasks": 1,
    "SIGKILL of the scheduler alone": 1,
    "SIGKILL of the sandbox": 1,
    "crash of the database": 1,
    "1303 storm: one slot left": 1,
    "somebody else's tasks take slots": 1,
}
"""Events of the whole run, and how often each happens."""


@dataclass(frozen=True)
class Kill:
    """A process of a video dies at a named point.

    :param point: a row of :data:`~chaos.points.POINTS`.
    :param victim: who dies with it.
    """

    point: str
    victim: Victim


@dataclass(frozen=True)
class PlannedVideo:
    """A logical video and what goes wrong with it.

    :param faults: names of rows of :data:`FAULTS`, to how often they strike; None for always.
    """

    number: str
    faults: Mapping[str, int | None]
    kills: Sequence[Kill]

    @property
    def request(self) -> dict[str, Any]:
        """What is ordered."""
        return {"prompt": f"A red fox #{self.number} in the snow", "model": "kling-2.5-turbo"}

    @property
    def end(self) -> str:
        """The state in which its faults leave it."""
        return FAILED if any(FAULTS[name].end == FAILED for name in self.faults) else COMPLETED

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The faults as rules of the sandbox."""
        return [
            {
                "match": {**FAULTS[name].where, "prompt_contains": f"#{self.number} "},
                "action": dict(FAULTS[name].action),
                "times": times,
            }
            for name, times in self.faults.items()
        ]


@dataclass(frozen=True)
class Event:
    """Something that strikes the whole run.

    :param name: a row of :data:`EVENTS`.
    :param at: the share of the videos that are at the vendor or further when it strikes, 0 to 1.
    """

    name: str
    at: float


@dataclass(frozen=True)
class Plan:
    """All that goes wrong in one run."""

    seed: int
    videos: Sequence[PlannedVideo]
    events: Sequence[Event]

    def counts(self) -> Counter[str]:
        """How many there are of each kind of fault."""
        kills = (f"killed at {kill.point}" for video in self.videos for kill in video.kills)
        faults = (name for video in self.videos for name in video.faults)
        return Counter([*faults, *kills, *(event.name for event in self.events)])


def drawn(seed: int, count: int) -> Plan:
    """Draw a plan.

    :param count: how many videos are ordered.
    """
    lot = random.Random(seed)
    videos = [_video(lot, f"{number:03}") for number in range(count)]
    struck = [name for name, times in EVENTS.items() for _ in range(times)]
    lot.shuffle(struck)
    # One after the other: each has the time to show its effect.
    events = [Event(name, (number + lot.random()) / (len(struck) + 1)) for number, name in enumerate(struck)]
    return Plan(seed, videos, events)


def _video(lot: random.Random, number: str) -> PlannedVideo:
    names = [] if lot.random() < QUIET_SHARE else lot.sample(sorted(FAULTS), lot.randint(1, MOST_FAULTS))
    kills = [Kill(lot.choice(sorted(POINTS)), lot.choice(VICTIMS))] if lot.random() < KILLED_SHARE else []
    faults = {name: (times := FAULTS[name].times) and lot.randint(*times) for name in names}
    return PlannedVideo(number, faults, kills)
