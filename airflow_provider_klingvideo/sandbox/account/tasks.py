"""A task of the imitated vendor: its state follows from the clock, nothing has to happen for it to move on."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from airflow_provider_klingvideo.sandbox.account.catalog import Generation, Pack, Sound, frame_size
from airflow_provider_klingvideo.sandbox.account.charges import Charge, Tariff
from airflow_provider_klingvideo.sandbox.account.limits import Limits
from airflow_provider_klingvideo.sandbox.files.media_facts import MediaFacts

DELETED = "deleted"
"""In the details of a result: it cannot be used any more."""

ELEMENT_BIT = 1 << 20
"""Set in the ids of elements; task ids count the tasks of one millisecond and never come as far."""


class Status(StrEnum):
    """As the new generation spells it."""

    SUBMITTED = "submitted"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def terminal(self) -> bool:
        """Whether nothing comes after it; only then a slot is free again."""
        return self in {Status.SUCCEEDED, Status.FAILED}


class Change(NamedTuple):
    """A task enters a status at a time, in milliseconds."""

    at: int
    status: Status


class StoredInput(BaseModel):
    """An input file of a task.

    :param url: where it is fetched; none when it came with the request or is the account's own.
    :param file: name in the media folder; empty for the account's own, whose facts are known.
    :param facts: what was read off it, none before it was looked at.
    """

    role: str
    limits: Limits
    url: str | None
    file: str
    facts: MediaFacts | None = None


class Result(BaseModel):
    """One thing that a task makes.

    :param type: as the new generation names it (``video``, ``image``, ``audio``, ...): a row of the table of shapes.
    :param width: pixels; ``height`` likewise, both 0 where there is nothing to see or it follows from an input.
    :param seconds: length, 0 where it follows from an input.
    :param sound: whether a clip can be heard.
    :param role: what this result is for, where a task has several of a type.
    :param group: of the results that belong together.
    :param hidden: whether it is no entry of its own, only a file that other entries name.
    :param timed: whether the legacy generation shows the length.
    :param legacy_extra: shown in addition by the legacy generation.
    :param details: what else is to be known about it, as JSON.
    """

    type: str = "video"
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    sound: bool = False
    role: str = ""
    group: str = ""
    hidden: bool = False
    timed: bool = True
    legacy_extra: dict[str, Any] = Field(default_factory=dict)
    details: dict[str, Any] = Field(default_factory=dict)

    @property
    def duration(self) -> str:
        """Seconds as Kling writes them, cut after three digits: ``5.041`` for 5."""
        return f"{int(self.seconds * 1000 + 1e-6) / 1000:.3f}"


class Follow(BaseModel):
    """What is only known about a task once its inputs were looked at.

    :param shape: the input whose proportions the picture takes.
    :param wider: how much wider than that input the picture is; ``higher`` likewise.
    :param length: the input whose length the result takes.
    :param unit_price: units for each ``step`` seconds of that length; 0 where the price does not follow from it.
    :param step: seconds that are paid at once, also when they were only begun.
    """

    shape: str = ""
    wider: float = 1.0
    higher: float = 1.0
    length: str = ""
    unit_price: Decimal = Decimal(0)
    step: int = 1

    def units(self, seconds: float) -> Decimal:
        """What a length costs; it is rounded to whole seconds first."""
        return self.unit_price * max(1, math.ceil(round(seconds) / self.step))


class Fate(BaseModel):
    """What is decided about a task when it is created.

    :param failure: the words it fails with, if it is to fail.
    :param stuck: whether it stays in processing for ever.
    :param status_word: shown in place of ``processing``.
    :param without_outputs: whether it succeeds with nothing to show for it.
    :param generation_seconds: in place of the sandbox's own.
    """

    failure: str = ""
    stuck: bool = False
    status_word: str = ""
    without_outputs: bool = False
    generation_seconds: float | None = None


class Task(BaseModel):
    """A task that was accepted.

    :param units: what it costs if it succeeds; an estimate until its inputs were looked at.
    :param tariff: how it is paid.
    :param weight: slots that it takes.
    :param synchronous: whether it ended with the request that made it; no query shows it then.
    :param inputs_checked_at: when its inputs were looked at, in milliseconds; none while that is due.
    :param inputs_failure: what is wrong with them.
    :param announced: how many status changes were sent to its callback address.
    """

    id: str
    external_id: str
    generation: Generation
    product: str
    path: str
    model: str
    prompt: str
    resolution: str
    seconds: int
    sound: Sound
    units: Decimal
    tariff: Tariff = Tariff()
    pack: Pack
    weight: int
    results: list[Result]
    inputs: list[StoredInput]
    follow: Follow
    details: dict[str, Any]
    synchronous: bool
    terminal_callbacks_only: bool
    watermark: bool
    callback_url: str
    base_url: str
    fate: Fate
    created_at: int
    processing_at: int
    finish_at: int
    inputs_checked_at: int | None = None
    inputs_failure: str = ""
    announced: int = 0

    @property
    def failure(self) -> str:
        """Why it fails, empty if it does not."""
        return self.inputs_failure or self.fate.failure

    @property
    def element_id(self) -> int:
        """The id of the element that it makes: a number, for that is what legacy bodies carry."""
        return int(self.id) | ELEMENT_BIT

    @property
    def heard(self) -> bool:
        """Whether there is anything to hear in what it was made from."""
        return any(item.facts.sound for item in self.inputs if item.facts)

    @property
    def timeline(self) -> list[Change]:
        """Every status that is certain to come, and when."""
        changes = [Change(self.created_at, Status.SUBMITTED), Change(self.processing_at, Status.PROCESSING)]
        if self.inputs_checked_at is None or (self.fate.stuck and not self.inputs_failure):
            return changes
        due = self.processing_at if self.inputs_failure else self.finish_at
        end = Status.FAILED if self.failure else Status.SUCCEEDED
        return [*changes, Change(max(due, self.inputs_checked_at), end)]

    def change_at(self, now: int) -> Change:
        """The status at a time, and since when."""
        return [change for change in self.timeline if change.at <= now or change.status is Status.SUBMITTED][-1]

    def learn(self) -> None:
        """Take over what follows from the inputs, which were looked at without finding anything wrong."""
        facts = {item.role: item.facts for item in reversed(self.inputs) if item.facts}
        if shape := facts.get(self.follow.shape):
            size = round(shape.width * self.follow.wider), round(shape.height * self.follow.higher)
            for result in self.results:
                result.width, result.height = frame_size(size, self.resolution)
        if length := facts.get(self.follow.length):
            for result in self.results:
                result.seconds = length.seconds
            self.seconds = round(length.seconds)
            if self.follow.unit_price:
                self.units = self.follow.units(length.seconds)

    @property
    def reserved(self) -> Charge:
        """What it takes if it succeeds."""
        return self.tariff.charge(self.units)

    def billed(self, status: Status) -> Charge:
        """What is taken: only success costs."""
        return self.tariff.charge(self.units if status is Status.SUCCEEDED else Decimal(0))


def trimmed(units: Decimal) -> str:
    """A decimal as Kling writes it: ``3``, not ``3.0``."""
    return f"{units.normalize():f}"
