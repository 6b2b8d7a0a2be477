"""For how long an answer asks to wait: the one place at which ``Retry-After`` is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A longer pause is more likely a mistake of a server or a gateway than a wish, and a job that comes back after an hour
# finds out for the price of one request whether it still holds.
LONGEST_ASKED_SECONDS = 3600.0

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")


def seconds_asked(headers: Iterable[str]) -> float | None:
    """Read the values of the header, each a number of seconds or a date.

    :param headers: the values as they came; one line may hold several, separated by commas.
    :returns: the longest pause that is asked for, 0 for a date that is over, never more than
        :data:`LONGEST_ASKED_SECONDS`; None where nothing can be read.
    """
    # A date has a comma behind its weekday, without which it says the same.
    asked = [_seconds(part.strip()) for header in headers for part in header.split(",")]
    known = [seconds for seconds in asked if seconds is not None]
    return min(max(0.0, *known), LONGEST_ASKED_SECONDS) if known else None


def _seconds(text: str) -> float | None:
    try:
        return float(text) if _NUMBER.fullmatch(text) else _seconds_until(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        # What the standard library raises for a date that is none depends on the text.
        return None


def _seconds_until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
