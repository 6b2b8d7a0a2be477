"""Reading values of Kling's answers tolerantly: what makes no sense is nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_klingvideo._urls import without_queries
from airflow_provider_klingvideo._words import harmless

# Far beyond any amount, length or time; larger ones overflow when they are added up or printed.
LARGEST_EXPONENT = 20
# What begins an expression, a statement or a comment of Jinja.
_BEGINS_TEMPLATE = re.compile(r"\{(?=[{%#])")
LONGEST_WORDS = 2000
"""Characters; what Kling says travels through databases and logs."""


def _inert(text: str) -> str:
    """Make a text harmless for a reader, a terminal, a log, and for a template: a DAG may put it into one."""
    return _BEGINS_TEMPLATE.sub("{ ", harmless(text))


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
    return _inert(exact_text_of(value))


def exact_text_of(value: Any) -> str:
    """The same as it came, for what is compared with a text of ours."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def words_of(value: Any) -> str:
    """What Kling says to a person: harmless, without signed queries, and of a bounded length; empty for nothing."""
    words = without_queries(_inert(str(value)[: 2 * LONGEST_WORDS])) if value else ""
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
