"""What the work of a state may need before it can go on: the state's task defers by it, an event loop awaits it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class StateWait:
    """The work of a state has to wait. Each kind of wait stands where what it waits for is looked after.

    :param words: why, for a person.
    :param seconds: how long it may last at most; the job's own deadline, whatever anybody asks for.
    """

    words: str
    seconds: float = 0.0

    def within(self, seconds: float) -> Self:
        """Return the same wait, bounded."""
        return replace(self, seconds=seconds)


@dataclass(frozen=True)
class WaitForMoment(StateWait):
    """Wait for a moment only: the clock decides."""
