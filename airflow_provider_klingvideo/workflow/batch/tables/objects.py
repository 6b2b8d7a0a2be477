"""Rows as JSON objects: a line each, or in one list; and lists that another task has made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airflow_provider_klingvideo._json import read_rows_json
from airflow_provider_klingvideo.errors import quoted
from airflow_provider_klingvideo.workflow.batch.tables.faults import Faults, Rows
from airflow_provider_klingvideo.workflow.batch.tables.limits import TableLimits

LEGAL_LIST = "a list of JSON objects, one for each row"
LEGAL_ROW = 'a JSON object, such as {"prompt": "A fox"}'
# Objects and lists of one row: a request with all its parts has some thirty.
MOST_BRACKETS = 1_000
BRACKETS_OF_A_ROW = 5
"""On the average of a large file."""


def rows_of_jsonl(text: str, faults: Faults) -> Rows:
    """Return the rows of a file with a JSON object in each line; blank lines are none.

    :raises UnreadableTableError: a line has more than a request can have; the fault is noted.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            _require_few(line, f"line {number}", MOST_BRACKETS, faults)
            for value in _values(line, number, faults):
                yield from _row(f"line {number}", value, faults)


def rows_of_json(text: str, limits: TableLimits, faults: Faults) -> Rows:
    """Return the rows of a file with a list of JSON objects.

    :raises UnreadableTableError: it has more than so many rows can have; the fault is noted.
    """
    _require_few(text, "", max(MOST_BRACKETS, BRACKETS_OF_A_ROW * limits.max_rows), faults)
    for value in _values(text, 1, faults):
        yield from rows_of_list(value, faults)


def rows_of_list(value: Any, faults: Faults) -> Rows:
    """Return the rows of a list.

    :raises UnreadableTableError: it is no list; the fault is noted.
    """
    if not isinstance(value, list | tuple):
        raise faults.end("", f"{quoted(value)} is no list", LEGAL_LIST)
    for number, entry in enumerate(value, start=1):
        yield from _row(f"entry {number}", entry, faults)


def _row(where: str, value: Any, faults: Faults) -> Rows:
    if isinstance(value, dict):
        yield where, value
    else:
        faults.add(where, f"{quoted(value)} is no object", LEGAL_ROW)


def _require_few(text: str, where: str, most: int, faults: Faults) -> None:
    """Count what becomes objects before they are made: each takes some hundred times the memory of its brackets."""
    if text.count("[") + text.count("{") > most:
        raise faults.end(where, f"it has more than {most} brackets", LEGAL_LIST)


def _values(text: str, first_line: int, faults: Faults) -> Sequence[Any]:
    """Parse a text; the list is empty when it is no JSON."""
    try:
        return [read_rows_json(text)]
    except json.JSONDecodeError as error:
        where = f"line {first_line + error.lineno - 1}, column {error.colno}"
        faults.add(where, f"it is no JSON: {error.msg}", LEGAL_ROW)
    except (ValueError, RecursionError) as error:
        faults.add(f"line {first_line}", f"it cannot be read: {error}", LEGAL_ROW)
    return []
