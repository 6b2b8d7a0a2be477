"""What of a job travels between tasks by XCom: little, whatever its request, its files and Kling's words are.

The record is the truth. What travels has its form and begins like it, says where it lies, and holds all that a later
task of this provider reads of a job.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow.job.store import RECORD_NAME

LARGEST = 4096
"""Bytes of JSON, where the path of the store has at most 500 characters."""
LONGEST_TEXT = 200
MORE = "..."

COUNTS, SEPARATORS = 100, 4
"""Bytes of what tells how many are left out and of the names of empty sections; between two values."""

WHOLE = (
    *("schema_version", "id", "state", "revision", "klingai_job_id", "external_task_id", "processed_url"),
    *("created_at", "updated_at"),
)
PARTS: Mapping[str, tuple[str, ...]] = {
    "origin": ("dag_id", "run_id", "map_index", "batch", "row", "turn"),
    "request": ("kind", "model", "api"),
    "estimate": ("units", "least", "money", "currency", "sure"),
    "failure": ("kind", "code", "http_status", "money", "retryable", "state"),
    "result": ("seconds", "billed_units"),
    "files": ("task_id",),
}
OF_OUTPUT = ("type", "id", "name", "seconds")
OF_ARTIFACT = ("name", "path", "size", "sha256", "media_type", "width", "height", "duration")


def carried(job: WorkflowJob, store: JobStore) -> dict[str, Any]:
    """Return what a task returns of a job.

    :param job: its record.
    :param store: where that lies.
    :returns: fields of the record in their places: :data:`WHOLE` as they are, the beginnings of ``prompt`` and
        ``error``, ``video_url`` unless it is long, of sections :data:`PARTS`; of ``result.outputs`` and
        ``files.artifacts`` those that the next task needs and as many others as there is room for. ``record`` is the
        path of the record, ``left_out`` how many outputs and artifacts only it tells of.
    """
    record = job.as_json()
    told = {name: record[name] for name in WHOLE}
    told |= {name: shortened(record[name]) for name in ("prompt", "error")}
    told |= {name: _part(record[name], fields) for name, fields in PARTS.items()}
    told["video_url"] = record["video_url"] if _size(record["video_url"]) <= 2 * LONGEST_TEXT else None
    told["record"] = str(store.folder(job.id) / RECORD_NAME)
    return _filled(told, record)


def shortened(text: str | None, longest: int = LONGEST_TEXT) -> str | None:
    """Return the beginning of a text.

    :param longest: bytes that it may take in JSON.
    """
    if text is None or _size(text) <= longest:
        return text
    kept = text[:longest]
    while _size(kept + MORE) > longest:
        kept = kept[: len(kept) * longest // _size(kept + MORE)]
    return kept + MORE


def _part(section: Mapping[str, Any] | None, fields: tuple[str, ...]) -> dict[str, Any] | None:
    if section is None:
        return None
    known = {name: section[name] for name in fields if section.get(name) is not None}
    cut = {name: shortened(value) for name, value in known.items() if isinstance(value, str) and name != "path"}
    # The beginning of an id would be another id.
    return {name: value for name, value in {**known, **cut}.items() if name != "id" or value == known["id"]}


def _filled(told: dict[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Add artifacts and outputs: what later tasks look for, and as many others as there is room for."""
    artifacts = [_part(one, OF_ARTIFACT) or {} for one in record["files"]["artifacts"].values()]
    outputs = [_part(one, OF_OUTPUT) or {} for one in (record["result"] or {}).get("outputs", ())]
    main = next((one for one in artifacts if one["path"] == record["processed_url"]), None)
    known = next((one for one in outputs if one.get("id")), None)
    room = LARGEST - _size(told) - COUNTS - _size(main) - _size(known)
    kept = list(_fitting([one for one in artifacts if one is not main], room))
    room -= sum(map(_size, kept))
    others = list(_fitting([one for one in outputs if one is not known], room))
    told["files"]["artifacts"] = {one["name"]: one for one in (*filter(None, [main]), *kept)}
    if outputs:
        told["result"]["outputs"] = [*filter(None, [known]), *others]
    told["left_out"] = {
        "artifacts": len(artifacts) - len(told["files"]["artifacts"]),
        "outputs": len(outputs) - len((told["result"] or {}).get("outputs", ())),
    }
    return told


def _fitting(items: Sequence[Mapping[str, Any]], room: int) -> Iterator[Mapping[str, Any]]:
    """Yield items as long as there is room for the next one."""
    for item in items:
        room -= _size(item)
        if room < 0:
            return
        yield item


def _size(value: Any) -> int:
    """The bytes of a value in the JSON that Airflow keeps, with the name that it stands under."""
    return len(json.dumps(value)) + (len(json.dumps(value["name"])) if _is_named(value) else 0) + SEPARATORS


def _is_named(value: Any) -> bool:
    return isinstance(value, Mapping) and "name" in value
