"""JSON text that people and other programs write, read strictly: no value in it is a guess."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_klingvideo._text import require_printable
from airflow_provider_klingvideo._words import harmless

MOST_DIGITS = 40
"""Of a whole number; Python needs long for thousands of them."""

Pairs = Sequence[tuple[str, Any]]


class RepeatedNames(dict[str, Any]):
    """An object that names a field more than once, so that nobody can tell which value is meant.

    :param pairs: its fields as they were written.
    """

    def __init__(self, pairs: Pairs) -> None:
        super().__init__(pairs)
        self.names = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]


def read_json(text: str) -> Any:
    """Return the value of a JSON text.

    :raises ValueError: telling what is wrong with it; ``json.JSONDecodeError`` where it is no JSON.
    :raises RecursionError: it is nested too deep.
    """
    value = json.loads(text, object_pairs_hook=_plain_object, parse_constant=_no_constant, parse_int=whole_number)
    for one in texts_in(value):
        require_printable(one)
    return value


def read_rows_json(text: str) -> Any:
    """Return the value of a JSON text that holds rows; what is wrong with a single one of them is left to its reader.

    :returns: the value; NaN, which data frames write for an empty cell, as such, and objects that name a field more
        than once as :class:`RepeatedNames`.
    :raises ValueError: see :func:`read_json`.
    """
    return json.loads(text, object_pairs_hook=_any_object, parse_constant=_nan, parse_int=whole_number)


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, the names in its objects included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in (*value, *value.values()):
            yield from texts_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_in(one)


def whole_number(digits: str) -> int:
    """Return a whole number.

    :raises ValueError: it is longer than any that means something.
    """
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def _any_object(pairs: Pairs) -> dict[str, Any]:
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else RepeatedNames(pairs)


def _plain_object(pairs: Pairs) -> dict[str, Any]:
    found = _any_object(pairs)
    if isinstance(found, RepeatedNames):
        raise ValueError(f"`{harmless(found.names[0])}` is given more than once in one object")  # noqa: TRY004
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _nan(name: str) -> float:
    return float("nan") if name == "NaN" else _no_constant(name)
