"""How long to pause before something is tried again: as long as Kling asks, never past a deadline."""

from __future__ import annotations


def bounded_pause(asked: float | None, *, least: float, left: float) -> float:
    """Return how long to pause.

    :param asked: seconds that Kling asked to wait (``error.retry_after``); None where it asked for nothing.
    :param least: seconds to pause in any case.
    :param left: seconds until the deadline of what waits; it comes before ``least``, and is 0 once it has passed.
    :returns: seconds from ``least`` to ``left``.
    """
    # In this order a NaN counts as nothing.
    return max(0.0, min(max(least, asked or 0.0), left))
