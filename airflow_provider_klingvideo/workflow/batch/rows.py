"""Requests of a batch from a file: CSV, JSONL, JSON or Parquet, one request per row."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from io import StringIO
from typing import Any

from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.workflow.batch.parquet import from_parquet
from airflow_provider_klingvideo.workflow.batch.placed import PlacedRequest, place_of
from airflow_provider_klingvideo.workflow.job.errors import InputError

Fault = Callable[[str], None]
"""Takes note of a fault, so that all of them are told at once."""
Rows = Iterator[tuple[str, Any]]
"""Where each row stands, in words, and the row."""


def read_rows(path: StorePath) -> list[dict[str, Any]]:
    """Read one request per row.

    :param path: the file, local or in an object store. The ending of its name tells the format: ``.csv`` (with a
        header), ``.jsonl``, ``.json`` (a list of objects) or ``.parquet``; all but the last in UTF-8.
    :returns: the requests in order, their values plain JSON values; empty cells and empty rows are left out.
    :raises InputError: naming the format, or everything in the file that is no request; retryable when the store
        could not be asked.
    """
    suffix = path.name.lower().rpartition(".")[2]
    reader = _READERS.get(suffix)
    if reader is None:
        raise InputError(f"{path}: the format {suffix!r} is unknown; it is one of {', '.join(_READERS)}")
    content = _content(path)
    return _requests(str(path), lambda fault: reader(content, fault))


def listed_rows(rows: Any) -> list[dict[str, Any]]:
    """Take requests from a list; see :func:`read_rows`.

    :raises InputError: it is no list, or everything in it that is no request.
    """
    return _requests("The list of requests", lambda fault: _entries(rows, fault))


def _requests(source: str, read: Callable[[Fault], Rows]) -> list[dict[str, Any]]:
    faults: list[str] = []
    requests = [PlacedRequest(_request(where, row, faults.append), where) for where, row in read(faults.append)]
    if faults:
        raise InputError(f"{source}: {'; '.join(faults)}", advice="Mend it; nothing was submitted")
    given: list[dict[str, Any]] = [request for request in requests if request]
    if not given:
        raise InputError(f"{source} has no requests")
    return given


def keyed(rows: Iterable[Mapping[str, Any]], key_column: str = "key") -> dict[str, dict[str, Any]]:
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
        key = _content_key(request, repetitions) if _is_empty(given) else str(given)
        if key in requests:
            raise InputError(
                f"Rows {numbers[key]} and {number} have the same key {key!r} (rows are counted from 1, without the "
                "header and empty rows)",
                advice=f"Give each row its own value of {key_column!r}, or none; nothing was submitted",
            )
        requests[key], numbers[key] = request, number
    return requests


def _content_key(request: Mapping[str, Any], repetitions: Counter[str]) -> str:
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"))
    key = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    repetitions[key] += 1
    return key if repetitions[key] == 1 else f"{key}-{repetitions[key]}"


def _content(path: StorePath) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        advice = "Check the path; the worker must be able to read it"
        raise InputError(f"There is no file {path}", advice=advice) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}", retryable=True) from error


def _request(where: str, row: Any, fault: Fault) -> dict[str, Any]:
    if not isinstance(row, dict):
        fault(f"{where} is no JSON object")
        return {}
    request = {}
    for name, value in row.items():
        if not _is_empty(value):
            try:
                request[name] = _plain(value)
            except (ValueError, RecursionError) as error:
                fault(f"{where}, column {name!r}: {error}")
    return request


def _is_empty(value: Any) -> bool:
    return _is_missing(value) or value == ""


def _is_missing(value: Any) -> bool:
    """Whether a value is None, or NaN, which is what data frames write for it."""
    return value is None or value != value


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    for types, convert in _PLAIN:
        if isinstance(value, types):
            return convert(value)
    raise ValueError(f"{type(value).__name__} is no type of JSON")


def _number(value: float | Decimal) -> int | float:
    """Return a whole number as such: one empty cell makes a data frame write 5.0 for every 5 of its column."""
    try:
        whole = int(value)
    except OverflowError:
        raise ValueError(f"{value} is no number of JSON") from None
    return whole if whole == value else float(value)


def _as_it_is(value: Any) -> Any:
    return value


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str | int | None, _as_it_is),
    (float | Decimal, _number),
    (date | time, lambda value: value.isoformat()),
    (list, lambda value: [_plain(item) for item in value]),
    # Parquet has each field of a structure in every row.
    (dict, lambda value: {name: _plain(item) for name, item in value.items() if not _is_missing(item)}),
)


def _csv(text: str, fault: Fault) -> Rows:
    lines = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        header = next(filter(None, lines), [])
        for name, count in Counter(filter(None, header)).items():
            if count > 1:
                fault(f"the header names {name!r} {count} times")
        for cells in lines:
            if len(cells) > len(header):
                fault(f"line {lines.line_num} has more cells than the header")
            yield f"line {lines.line_num}", {name: cell for name, cell in zip(header, cells, strict=False) if name}
    except csv.Error as error:
        fault(f"line {lines.line_num} is no CSV: {error}")


def _jsonl(text: str, fault: Fault) -> Rows:
    for number, line in enumerate(StringIO(text, newline=""), start=1):
        if given := line.strip():
            for value in _json_value(given, number, fault):
                yield f"line {number}", value


def _json(text: str, fault: Fault) -> Rows:
    for value in _json_value(text, 1, fault):
        yield from _entries(value, fault)


def _entries(value: Any, fault: Fault) -> Rows:
    if isinstance(value, list):
        yield from ((f"entry {number}", entry) for number, entry in enumerate(value, start=1))
    else:
        fault("it is no list of JSON objects")


def _json_value(text: str, first_line: int, fault: Fault) -> list[Any]:
    """Parse a text; the list is empty when it is no JSON."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError as error:
        fault(f"line {first_line + error.lineno - 1} is no JSON: {error.msg}")
    except (ValueError, RecursionError) as error:
        fault(f"line {first_line} cannot be read: {error}")
    return []


def _parquet(content: bytes, fault: Fault) -> Rows:
    try:
        rows = from_parquet(content)
    except ValueError as error:
        fault(f"it is no Parquet file that can be read: {error}")
        return
    yield from ((f"row {number}", row) for number, row in enumerate(rows, start=1))


def _of_text(read: Callable[[str, Fault], Rows]) -> Callable[[bytes, Fault], Rows]:
    def reader(content: bytes, fault: Fault) -> Rows:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            fault(f"line {line} is no UTF-8 (byte {error.object[error.start]:#04x}); save the file as UTF-8")
            return
        yield from read(text, fault)

    return reader


_READERS: Mapping[str, Callable[[bytes, Fault], Rows]] = {
    "csv": _of_text(_csv),
    "jsonl": _of_text(_jsonl),
    "json": _of_text(_json),
    "parquet": _parquet,
}
