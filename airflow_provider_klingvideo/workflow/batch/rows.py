"""Requests of a batch from a file: CSV, JSONL, JSON or Parquet, one request per row."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.storage.addresses import shown
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.workflow.batch.placed import PlacedRequest, place_of
from airflow_provider_klingvideo.workflow.batch.tables.cells import cell, is_missing
from airflow_provider_klingvideo.workflow.batch.tables.columns import Columns
from airflow_provider_klingvideo.workflow.batch.tables.content import content_of, text_of
from airflow_provider_klingvideo.workflow.batch.tables.faults import Faults, Rows, UnreadableTableError
from airflow_provider_klingvideo.workflow.batch.tables.limits import TableLimits
from airflow_provider_klingvideo.workflow.batch.tables.objects import (
    RepeatedNames,
    rows_of_json,
    rows_of_jsonl,
    rows_of_list,
)
from airflow_provider_klingvideo.workflow.batch.tables.parquet_rows import rows_of_parquet
from airflow_provider_klingvideo.workflow.batch.tables.separated import rows_of_csv
from airflow_provider_klingvideo.workflow.job.errors import InputError

KEY_COLUMN = "key"
LEGAL_CELL = "plain text or JSON"
ADVICE = "Correct it and try again; nothing was submitted"


def read_rows(
    path: StorePath, *, key_column: str = KEY_COLUMN, limits: TableLimits | None = None
) -> list[dict[str, Any]]:
    """Read one request per row.

    :param path: the file, local or in an object store. The ending of its name tells the format: ``.csv`` (with a
        header), ``.jsonl``, ``.json`` (a list of objects) or ``.parquet``; all but the last in UTF-8, or in UTF-16
        with a byte order mark.
    :param key_column: the column that names a request.
    :param limits: how much is read at most; default: that of :class:`TableLimits`.
    :returns: the requests in order, their values plain JSON values, their text as it was meant; empty cells and empty
        rows are left out. None is no fault: there is nothing to do.
    :raises InputError: telling the format, or everything in the file that is no request, with its place; retryable
        when the store could not be asked.
    """
    suffix = path.name.lower().rpartition(".")[2]
    reader = _READERS.get(suffix)
    if reader is None:
        unknown = Fault(shown(str(path)), f"the format {quoted(suffix)} is unknown", ", ".join(_READERS))
        raise InputError(unknown, advice="Give the file in one of these formats, and the ending that says so")
    table = _Table(path.name, key_column, limits or TableLimits())
    return table.read(lambda: reader(content_of(path, table.limits), table), f"In {shown(str(path))}: {ADVICE}")


def listed_rows(rows: Any, *, key_column: str = KEY_COLUMN, limits: TableLimits | None = None) -> list[dict[str, Any]]:
    """Take requests from a list; see :func:`read_rows`.

    :raises InputError: it is no list, or everything in it that is no request.
    """
    table = _Table("the list of requests", key_column, limits or TableLimits())
    return table.read(lambda: rows_of_list(rows, table.faults), ADVICE)


class _Table:
    """A table that is being read.

    :param source: what it is called in messages.
    :param key_column: the column that names a row.
    :param limits: how much of it is read.
    """

    def __init__(self, source: str, key_column: str, limits: TableLimits) -> None:
        self.limits = limits
        self.faults = Faults(source)
        self.columns = Columns(key_column, self.faults)

    def read(self, rows: Callable[[], Rows], advice: str) -> list[dict[str, Any]]:
        """Return the requests of the rows that have any.

        :raises InputError: all that is wrong.
        """
        requests: list[dict[str, Any]] = []
        try:
            for where, row in rows():
                requests += filter(None, [self._request(where, row)])
                self._require_room(where, len(requests))
        except UnreadableTableError:
            self.faults.require_none(advice)
        self.faults.require_none(advice)
        return requests

    def _require_room(self, where: str, count: int) -> None:
        if count > self.limits.max_rows:
            raise self.faults.end(where, "there are too many rows", self.limits.rows_words)

    def _request(self, where: str, row: Mapping[Any, Any]) -> dict[str, Any]:
        if isinstance(row, RepeatedNames):
            self.faults.add(where, f"{quoted(row.names[0])} is given more than once", "each field once")
        request: dict[str, Any] = {}
        for field, value in zip(self.columns.named(where, row), row.values(), strict=True):
            if field is not None:
                try:
                    request[field] = cell(field, value, self.limits.max_cell)
                except (ValueError, RecursionError) as error:
                    self.faults.add(f"{where}, column {quoted(field)}", f"{quoted(value)} {error}", LEGAL_CELL)
        return PlacedRequest({field: value for field, value in request.items() if value is not None}, where)


def keyed(rows: Iterable[Mapping[str, Any]], key_column: str = KEY_COLUMN) -> dict[str, dict[str, Any]]:
    """Name each request, so that it is known again when rows before it come or go.

    :param rows: the requests, as :func:`read_rows` returns them.
    :param key_column: the column that names a request; it is no part of it. A row without one is named by a hash of
        what it asks for, and its repetitions get ``-2``, ``-3`` ... behind it.
    :returns: the requests by their keys, in order.
    :raises InputError: two rows have the same key.
    """
    requests: dict[str, dict[str, Any]] = {}
    numbers: dict[str, int] = {}
    repetitions: Counter[str] = Counter()
    for number, row in enumerate(rows, start=1):
        fields = {name: value for name, value in row.items() if name != key_column}
        request = PlacedRequest(fields, place_of(row))
        given = row.get(key_column)
        if isinstance(given, bool | list | dict):
            strange = Fault(f"row {number}, column {quoted(key_column)}", f"{quoted(given)} is no key", "a text")
            raise InputError(strange, advice=ADVICE)
        key = _numbered_key(request, repetitions) if is_missing(given) or given == "" else str(given)
        if key in requests:
            first = f"rows {numbers[key]} and {number} (counted from 1, without the header and empty rows)"
            raise InputError(
                Fault(first, f"both have the key {quoted(key)}", "a key of its own for each row"),
                advice=f"Give each row its own value of {key_column!r}, or none; nothing was submitted",
            )
        requests[key], numbers[key] = request, number
    return requests


def content_key(request: Mapping[str, Any]) -> str:
    """Return what a request without a name is named by: what it asks for. No release may change it."""
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _numbered_key(request: Mapping[str, Any], repetitions: Counter[str]) -> str:
    key = content_key(request)
    repetitions[key] += 1
    return key if repetitions[key] == 1 else f"{key}-{repetitions[key]}"


_READERS: Mapping[str, Callable[[bytes, _Table], Rows]] = {
    "csv": lambda content, table: rows_of_csv(
        text_of(content, table.faults), table.columns, table.limits, table.faults
    ),
    "jsonl": lambda content, table: rows_of_jsonl(text_of(content, table.faults), table.faults),
    "json": lambda content, table: rows_of_json(text_of(content, table.faults), table.limits, table.faults),
    "parquet": lambda content, table: rows_of_parquet(content, table.limits, table.faults),
}
