"""The cells of a row: as JSON has them, within limits, and as their writer meant them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

from airflow_provider_klingvideo._json import RepeatedNames
from airflow_provider_klingvideo.errors import quoted
from airflow_provider_klingvideo.kling.client.fields import cell_as_meant
from airflow_provider_klingvideo.workflow.batch.tables.limits import DEEPEST

LARGEST_EXACT = 2**53
"""Behind it a floating-point number is no longer the whole number that was written."""


def cell(name: str, value: Any, max_cell: int) -> Any:
    """Return what a cell holds.

    :param name: the field of its column.
    :param value: as the file's format has it.
    :param max_cell: characters of the longest text.
    :returns: a JSON value; None where it holds nothing.
    :raises ValueError: telling what is wrong with it.
    """
    if is_missing(value):
        return None
    meant = cell_as_meant(name, _Plain(max_cell).value(value))
    return None if meant == "" else meant


def is_missing(value: Any) -> bool:
    """Whether a value is None, or NaN, which is what data frames write for it."""
    return value is None or value != value


class _Plain:
    """Makes JSON values of what the formats have.

    :param max_cell: characters of the longest text.
    """

    def __init__(self, max_cell: int) -> None:
        self._max_cell = max_cell
        self._converters: tuple[tuple[Any, Callable[[Any, int], Any]], ...] = (
            (str, self._text),
            (int | None, lambda value, _: value),
            (float | Decimal, lambda value, _: _number(value)),
            (date | time, lambda value, _: value.isoformat()),
            (list | tuple, lambda value, depth: [self.value(one, depth) for one in value]),
            (Mapping, self._object),
        )

    def value(self, value: Any, depth: int = 0) -> Any:
        if depth > DEEPEST:
            raise ValueError(f"is nested deeper than {DEEPEST} levels")
        for types, convert in self._converters:
            if isinstance(value, types):
                return convert(value, depth + 1)
        raise ValueError(f"holds {type(value).__name__}, which is no type of JSON")

    def _text(self, text: str, _depth: int) -> str:
        if len(text) > self._max_cell:
            raise ValueError(f"has a text of {len(text)} characters, at most {self._max_cell}")
        return text

    def _object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        if isinstance(value, RepeatedNames):
            raise ValueError(  # noqa: TRY004 - it is the value that is wrong
                f"gives {quoted(value.names[0])} more than once in one object"
            )
        if strange := [name for name in value if not isinstance(name, str)]:
            raise ValueError(f"has {quoted(strange[0])} as the name of a field, which is no text")
        # Parquet has each field of a structure in every row.
        return {name: self.value(one, depth) for name, one in value.items() if not is_missing(one)}


def _number(value: float | Decimal) -> int | float:
    """Return a whole number as such: one empty cell makes a data frame write 5.0 for every 5 of its column."""
    try:
        whole = int(value)
    except (OverflowError, ValueError):
        raise ValueError("is no number of JSON") from None
    if abs(whole) > LARGEST_EXACT and isinstance(value, float):
        raise ValueError("has lost digits; write it as text or as a whole number")
    return whole if whole == value else float(value)
