"""How far a render pass is: told to the caller at every step, and to the log every few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PERIOD_SECONDS = 5.0

logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """Takes the seconds of video that are done.

    :param total: seconds of video that there are to do.
    :param tell: called with the done part, 0 to 1.
    :param clock: in seconds.
    """

    total: float
    tell: Callable[[float], None] | None = None
    clock: Callable[[], float] = time.monotonic
    _begun: float = field(init=False)
    _logged: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self._logged = self.clock()

    def __call__(self, seconds: float) -> None:
        """Take the position of the pass."""
        done = min(1.0, seconds / self.total)
        if self.tell:
            self.tell(done)
        now = self.clock()
        if now - self._logged >= PERIOD_SECONDS:
            self._logged = now
            logger.info("Rendering: %s", self._told(seconds, done, now - self._begun))

    def _told(self, seconds: float, done: float, elapsed: float) -> str:
        if not done:
            return "0%"
        return f"{done:.0%}, {seconds / elapsed:.2f} times real time, {elapsed * (1 - done) / done:.0f} s left"
