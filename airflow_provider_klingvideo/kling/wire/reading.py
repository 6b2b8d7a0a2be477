"""Reading values of the vendor's answers tolerantly: what makes no sense is nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_klingvideo._urls import without_queries

# Far beyond any amount, length or time; larger ones overflow when they are added up or printed.
LARGEST_EXPONENT = 20
LONGEST_WORDS = 2000
"""Characters; what Kling says travels through databases and logs."""

# What moves the cursor of a terminal, begins a command for it or a new line, or turns the order of letters.
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PICTURES = {chr(code): chr(0x2400 + code) for code in range(0x20)} | {"\x7f": "\u2421"}
_SHOWN = {**_PICTURES, "\t": " ", "\n": " ", "\r": " "}


def harmless(text: str) -> str:
    """Make a text one that can be printed in a line: it commands no terminal and begins no line of a log.

    Tabs and ends of lines become spaces. What else controls something becomes its picture (U+2400 and following) or
    U+FFFD, one character for one.
    """
    return _COMMANDS.sub(lambda found: _SHOWN.get(found[0], "\ufffd"), text)


def list_of(value: Any) -> list[Mapping[str, Any]]:
    """The objects of an array."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def mapping_of(value: Any) -> Mapping[str, Any]:
    """An object, empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def text_of(value: Any) -> str:
    """A text or a whole number as text; empty for anything else: an object is no id, and no URL.

    Kling's texts come in here, and are made harmless here: they end up in logs, on terminals, in messages and records.
    """
    return harmless(exact_text_of(value))


def exact_text_of(value: Any) -> str:
    """The same as it came, for what is compared with a text of ours."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def words_of(value: Any) -> str:
    """What Kling says to a person: harmless, without signed queries, and of a bounded length; empty for nothing."""
    words = without_queries(harmless(str(value)[: 2 * LONGEST_WORDS])) if value else ""
    return words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]}..."


def decimal_of(value: Any) -> Decimal | None:
    """A number, or a text that is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= LARGEST_EXPONENT else None


def amount_of(value: Any) -> Decimal | None:
    """What something costs; a negative price is none."""
    number = decimal_of(value)
    return number if number is not None and number >= 0 else None


def seconds_of(value: Any) -> float | None:
    """A number of seconds."""
    number = decimal_of(value)
    return float(number) if number is not None else None


def whole_number(value: Any) -> int:
    """A whole number, 0 for anything else."""
    number = decimal_of(value)
    return int(number) if number is not None else 0


def time_of(milliseconds: Any) -> datetime | None:
    """A time in Unix milliseconds, aware."""
    number = decimal_of(milliseconds)
    try:
        return datetime.fromtimestamp(float(number) / 1000, UTC) if number is not None else None
    except (OverflowError, OSError, ValueError):
        return None
