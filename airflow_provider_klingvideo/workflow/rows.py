"""Requests of a batch, one per row: from CSV, JSONL, JSON or Parquet, each row known by a key that stays."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from airflow_provider_klingvideo.workflow.creation import given_fields
from airflow_provider_klingvideo.workflow.errors import InputError
from airflow_provider_klingvideo.workflow.paths import RecordPath

KEY = "key"
_KEY_DIGITS = 12


def read_rows(path: RecordPath) -> list[dict[str, Any]]:
    """Read one request per row.

    :param path: a file, local or in an object store; its ending tells the format: ``.csv`` (with a header), ``.jsonl``,
        ``.json`` (a list of objects) or ``.parquet``.
    :returns: the requests in order; cells that are empty are left out.
    :raises InputError: the file is missing, of another format, or every fault in it with its line.
    """
    suffix = path.name.lower().rpartition(".")[2]
    reader = _READERS.get(suffix)
    if reader is None:
        raise InputError(f"{path}: the format {suffix!r} is unknown; it is one of {', '.join(_READERS)}")
    try:
        rows, faults = reader(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}", advice="Save it as UTF-8") from error
    if faults:
        raise InputError(f"{path}: {'; '.join(faults)}", advice="Mend the file; nothing was submitted")
    if not rows:
        raise InputError(f"{path} has no requests")
    return rows


def keyed(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give every row a key: the one that it names in ``key``, else one made of what it asks for.

    A row without a key of its own that is edited is another row. Equal rows are counted, so that each is a video.

    :returns: key to request, in order.
    :raises InputError: naming the rows that have the same key.
    """
    requests: dict[str, dict[str, Any]] = {}
    first: dict[str, int] = {}
    equal: Counter[str] = Counter()
    faults = []
    for number, row in enumerate(rows, start=1):
        request = given_fields(row)
        key = str(request.pop(KEY, "")) or _numbered(_hash(request), equal)
        if key in requests:
            faults.append(f"rows {first[key]} and {number} have the key {key!r}")
        requests[key], first[key] = request, first.get(key, number)
    if faults:
        raise InputError("; ".join(faults), advice="Give each row a key of its own; nothing was submitted")
    return requests


def _numbered(name: str, seen: Counter[str]) -> str:
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def _hash(request: Mapping[str, Any]) -> str:
    canonical = json.dumps(to_jsonable_python(request, fallback=str), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_KEY_DIGITS]


Read = tuple[list[dict[str, Any]], list[str]]


def _csv(content: bytes) -> Read:
    reader = csv.DictReader(_text(content).splitlines(keepends=True), strict=True)
    rows, faults = [], []
    try:
        for row in reader:
            if None in row:
                faults.append(f"line {reader.line_num} has more cells than the header")
            rows.append({key: value for key, value in row.items() if key and value})
    except csv.Error as error:
        faults.append(f"line {reader.line_num + 1} is no CSV: {error}")
    return [row for row in rows if row], faults


def _jsonl(content: bytes) -> Read:
    rows, faults = [], []
    for number, line in enumerate(_text(content).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            faults.append(f"line {number} is no JSON: {error.msg}")
            continue
        if isinstance(row, dict):
            rows.append(given_fields(row))
        else:
            faults.append(f"line {number} is no JSON object")
    return rows, faults


def _json(content: bytes) -> Read:
    try:
        rows = json.loads(_text(content))
    except json.JSONDecodeError as error:
        return [], [f"line {error.lineno} is no JSON: {error.msg}"]
    if not isinstance(rows, list):
        return [], ["it is no list of objects"]
    faults = [f"item {number} is no object" for number, row in enumerate(rows, start=1) if not isinstance(row, dict)]
    return [given_fields(row) for row in rows if isinstance(row, dict)], faults


def _parquet(content: bytes) -> Read:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import read_table
    except ImportError:
        raise InputError(
            "Parquet files cannot be read here: pyarrow is not installed",
            advice="pip install 'airflow-provider-klingvideo[parquet]'",
        ) from None
    try:
        table = read_table(io.BytesIO(content))
    except ArrowException as error:
        return [], [f"it is no Parquet: {error}"]
    return [given_fields(to_jsonable_python(row, fallback=str)) for row in table.to_pylist()], []


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig")


_READERS: dict[str, Callable[[bytes], Read]] = {"csv": _csv, "jsonl": _jsonl, "json": _json, "parquet": _parquet}
