"""A task of the imitated vendor: its state follows from the clock, nothing has to happen for it to move on."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, Field

from airflow_provider_klingvideo.sandbox.catalog import FRAMES_PER_SECOND, Generation, Product, Sound


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


class InputImage(BaseModel):
    """An input image; its bytes lie in a file of the media folder."""

    role: str
    url: str | None
    file: str


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

    :param inputs_checked_at: when its input images were looked at, in milliseconds; none while that is due.
    :param inputs_failure: what is wrong with them.
    :param announced: how many status changes were sent to its callback address.
    """

    id: str
    external_id: str
    generation: Generation
    product: Product
    path: str
    model: str
    prompt: str
    resolution: str
    aspect_ratio: str | None
    seconds: int
    sound: Sound
    units: Decimal
    images: list[InputImage] = Field(default_factory=list)
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
    def frames(self) -> int:
        """The vendor's clips are one frame longer than was asked for."""
        return FRAMES_PER_SECOND * self.seconds + 1

    @property
    def duration(self) -> str:
        """Seconds as the vendor writes them, cut after three digits: ``5.041`` for 5."""
        return f"{self.frames * 1000 // FRAMES_PER_SECOND / 1000:.3f}"

    @property
    def failure(self) -> str:
        """Why it fails, empty if it does not."""
        return self.inputs_failure or self.fate.failure

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

    def billed(self, status: Status) -> Decimal:
        """Units that are deducted: only success costs."""
        return self.units if status is Status.SUCCEEDED else Decimal(0)


def trimmed(units: Decimal) -> str:
    """A decimal as the vendor writes it: ``3``, not ``3.0``."""
    return f"{units.normalize():f}"
