"""Requests of a batch from a file: CSV, JSONL, JSON or Parquet, one request per row."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_provider_klingvideo._json import RepeatedNames
from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.client.fields import meaning_of_cell
from airflow_provider_klingvideo.kling.client.unmeant import is_comment
from airflow_provider_klingvideo.storage.addresses import shown
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.workflow.batch.placed import WHOLE_ROW, PlacedRequest, faults_in, place_of
from airflow_provider_klingvideo.workflow.batch.tables.cells import cell, is_missing
from airflow_provider_klingvideo.workflow.batch.tables.columns import Columns
from airflow_provider_klingvideo.workflow.batch.tables.content import content_of, text_of
from airflow_provider_klingvideo.workflow.batch.tables.faults import Faults, Rows, UnreadableTableError
from airflow_provider_klingvideo.workflow.batch.tables.limits import TableLimits
from airflow_provider_klingvideo.workflow.batch.tables.objects import (
    rows_of_json,
    rows_of_jsonl,
    rows_of_list,
)
from airflow_provider_klingvideo.workflow.batch.tables.parquet_rows import rows_of_parquet
from airflow_provider_klingvideo.workflow.batch.tables.separated import rows_of_csv
from airflow_provider_klingvideo.workflow.job.errors import InputError

KEY_COLUMN = "key"
ADVICE = "Correct it and try again; nothing was submitted"

FORMATS_ADVICE = "Give the file in one of these formats (spreadsheets export CSV), and the ending that says so"


def read_rows(
    path: StorePath, *, key_column: str = KEY_COLUMN, limits: TableLimits | None = None, keeps_faulty: bool = False
) -> list[dict[str, Any]]:
    """Read one request per row.

    :param path: the file, local or in an object store. The ending of its name tells the format: ``.csv`` (with a
        header), ``.jsonl`` or ``.ndjson``, ``.json`` (a list of objects) or ``.parquet``; all but the last in UTF-8,
        or in UTF-16 with a byte order mark.
    :param key_column: the column that names a request.
    :param limits: how much is read at most; default: that of :class:`TableLimits`.
    :param keeps_faulty: whether a row with faults in its cells is returned with them (see :class:`PlacedRequest`);
        otherwise the file is refused.
    :returns: the requests in order, their values plain JSON values, their text as it was meant; empty cells and empty
        rows are left out. None is no fault: there is nothing to do.
    :raises InputError: telling the format, or everything in the file that is no request, with its place; retryable
        when the store could not be asked.
    """
    suffix = path.name.lower().rpartition(".")[2]
    reader = _READERS.get(suffix)
    if reader is None:
        unknown = Fault(shown(str(path)), f"the format {quoted(suffix)} is unknown", ", ".join(_READERS))
        raise InputError(unknown, advice=FORMATS_ADVICE)
    table = _Table(path.name, key_column, limits or TableLimits(), keeps_faulty)
    return table.read(lambda: reader(content_of(path, table.limits), table), f"In {shown(str(path))}: {ADVICE}")


def listed_rows(
    rows: Any, *, key_column: str = KEY_COLUMN, limits: TableLimits | None = None, keeps_faulty: bool = False
) -> list[dict[str, Any]]:
    """Take requests from a list, or from its JSON text; see :func:`read_rows`.

    :raises InputError: it is no list, or everything in it that is no request.
    """
    table = _Table("the list of requests", key_column, limits or TableLimits(), keeps_faulty)
    if isinstance(rows, str):
        return table.read(lambda: rows_of_json(rows, table.limits, table.faults), ADVICE)
    return table.read(lambda: rows_of_list(rows, table.faults), ADVICE)


class _Table:
    """A table that is being read.

    :param source: what it is called in messages.
    :param key_column: the column that names a row.
    :param limits: how much of it is read.
    :param keeps_faulty: see :func:`read_rows`.
    """

    def __init__(self, source: str, key_column: str, limits: TableLimits, keeps_faulty: bool) -> None:
        self.limits = limits
        self._keeps_faulty = keeps_faulty
        self.faults = Faults(source)
        self.columns = Columns(key_column, self.faults)

    def read(self, rows: Callable[[], Rows], advice: str) -> list[dict[str, Any]]:
        """Return the requests of the rows that have any.

        :raises InputError: all that is wrong.
        """
        requests: list[dict[str, Any]] = []
        try:
            for where, row in rows():
                request = self._request(where, row)
                requests += [request] if request or request.faults else []
                self._require_room(where, len(requests))
        except UnreadableTableError:
            self.faults.require_none(advice)
        self.faults.require_none(advice)
        return requests

    def _require_room(self, where: str, count: int) -> None:
        if count > self.limits.max_rows:
            raise self.faults.end(where, "there are too many rows", self.limits.rows_words)

    def _request(self, where: str, row: Mapping[Any, Any]) -> PlacedRequest:
        fields, found = self._cells(zip(self.columns.named(where, row), row.values(), strict=True))
        if isinstance(row, RepeatedNames):
            found.append(Fault(WHOLE_ROW, f"{quoted(row.names[0])} is given more than once", "each field once"))
        first = next(iter(row.values()), None)
        if not found and isinstance(first, str) and is_comment(first):
            found.append(Fault(WHOLE_ROW, f"{quoted(first)} looks like a comment", "a row that is ordered, or none"))
        if not self._keeps_faulty:
            for one in found:
                self.faults.add(_joined(where, one.where), one.what, one.legal)
        return PlacedRequest(fields, where, found)

    def _cells(self, cells: Iterable[tuple[str | None, Any]]) -> tuple[dict[str, Any], list[Fault]]:
        """The fields of a row that hold something, and what is wrong with the others."""
        fields: dict[str, Any] = {}
        found: list[Fault] = []
        for field, value in cells:
            try:
                fields |= {} if field is None else {field: cell(field, value, self.limits.max_cell)}
            except (ValueError, RecursionError) as error:
                found.append(Fault(str(field), f"{quoted(value)} {error}", meaning_of_cell(str(field)).legal))
        return {field: value for field, value in fields.items() if value is not None}, found


def _joined(where: str, column: str) -> str:
    return where if column == WHOLE_ROW else f"{where}, column {quoted(column)}"


def keyed(rows: Iterable[Mapping[str, Any]], key_column: str = KEY_COLUMN) -> dict[str, dict[str, Any]]:
    """Name each request, so that it is known again when rows before it come or go.

    :param rows: the requests, as :func:`read_rows` returns them.
    :param key_column: the column that names a request; it is no part of it. A row without one is named by a hash of
        what it asks for, and its repetitions get ``-2``, ``-3`` ... behind it.
    :returns: the requests by their keys, in order.
    :raises InputError: two rows have the same key.
    """
    requests: dict[str, dict[str, Any]] = {}
    places: dict[str, str] = {}
    repetitions: Counter[str] = Counter()
    for number, row in enumerate(rows, start=1):
        fields = {name: value for name, value in row.items() if name != key_column}
        place = place_of(row) or f"row {number}"
        request = PlacedRequest(fields, place_of(row), faults_in(row))
        given = row.get(key_column)
        if isinstance(given, bool | list | dict):
            strange = Fault(f"{place}, column {quoted(key_column)}", f"{quoted(given)} is no key", "a text")
            raise InputError(strange, advice=ADVICE)
        key = _numbered_key(request, repetitions) if is_missing(given) or given == "" else str(given)
        if key in requests:
            both = Fault(f"{places[key]} and {place}", f"both have the key {quoted(key)}", "a key of its own for each")
            advice = f"Give each row its own value of {key_column!r}, or none; nothing was submitted"
            raise InputError(both, advice=advice)
        requests[key], places[key] = request, place
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
    **dict.fromkeys(
        ("jsonl", "ndjson"), lambda content, table: rows_of_jsonl(text_of(content, table.faults), table.faults)
    ),
    "json": lambda content, table: rows_of_json(text_of(content, table.faults), table.limits, table.faults),
    "parquet": lambda content, table: rows_of_parquet(content, table.limits, table.faults),
}
