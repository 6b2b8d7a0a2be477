"""Requests of a batch from a CSV or JSONL file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any

from airflow_provider_klingvideo.workflow.errors import InputError


def read_requests(text: str, name: str) -> list[dict[str, Any]]:
    """Read one request per row.

    :param text: the file's content.
    :param name: the file's name; its ending tells the format: ``.csv`` (with a header) or ``.jsonl``.
    :returns: the requests in order; cells that are empty are left out.
    :raises InputError: naming the format, or every line that is no request.
    """
    suffix = name.lower().rpartition(".")[2]
    reader = _READERS.get(suffix)
    if reader is None:
        raise InputError(f"{name}: the format {suffix!r} is unknown; it is one of {', '.join(_READERS)}")
    rows, faults = reader(text)
    if faults:
        raise InputError(f"{name}: {'; '.join(faults)}", advice="Mend the file; nothing was submitted")
    if not rows:
        raise InputError(f"{name} has no requests")
    return rows


def _csv(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    reader = csv.DictReader(text.lstrip("\ufeff").splitlines(keepends=True), strict=True)
    rows, faults = [], []
    try:
        for row in reader:
            if None in row:
                faults.append(f"line {reader.line_num} has more cells than the header")
            rows.append({key: value for key, value in row.items() if key and value})
    except csv.Error as error:
        faults.append(f"line {reader.line_num + 1} is no CSV: {error}")
    return [row for row in rows if row], faults


def _jsonl(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    rows, faults = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            faults.append(f"line {number} is no JSON: {error.msg}")
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            faults.append(f"line {number} is no JSON object")
    return rows, faults


_READERS: dict[str, Callable[[str], tuple[list[dict[str, Any]], list[str]]]] = {"csv": _csv, "jsonl": _jsonl}
