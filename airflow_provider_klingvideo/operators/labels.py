"""What a mapped task is called in Airflow's grid, in the place of a number."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Mapping
from typing import Any

TEMPLATE = "{{ task.map_label }}"
LONGEST = 60
MORE = "…"
# What a row without a key of its own is known by tells a person nothing.
MADE_KEY = re.compile(r"[0-9a-f]{12}(-\d+)?")


def label_of_job(job: Mapping[str, Any]) -> str:
    """Return the name of a job: the key of its row, else the beginning of its prompt, else what kind of job it is.

    :param job: its record, or what travels of it, as JSON values.
    """
    row = str((job.get("origin") or {}).get("row") or "")
    kind = (job.get("request") or {}).get("kind") or (job.get("params") or {}).get("kind")
    return _label("" if MADE_KEY.fullmatch(row) else row, job.get("prompt"), kind)


def label_of_request(request: Mapping[str, Any]) -> str:
    """Return the name of a job that has no record yet; see :func:`label_of_job`."""
    return _label(request.get("prompt"), request.get("kind"))


def label_of_chunk(chunk: Mapping[str, int]) -> str:
    """Return the name of a chunk of rows: ``rows 1 to 50``."""
    first, last = chunk["first"] + 1, chunk["first"] + chunk["count"]
    return f"row {first}" if first == last else f"rows {first} to {last}"


def _label(*names: Any) -> str:
    """Return the first name that is one, short and on one line."""
    text = next(filter(None, (" ".join(str(name or "").split()) for name in names)), "")
    short = text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + MORE
    return short if _stays_text(short) else f"row {short}"


def _stays_text(text: str) -> bool:
    """Whether a DAG with native objects leaves a text a text; a number in the place of a name fails a finished task."""
    try:
        return isinstance(literal_eval(text), str)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return True
