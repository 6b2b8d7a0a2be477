"""Records of earlier versions, brought to the form of this one when they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.kling.services.faces import SESSION_LIFETIME

SCHEMA_VERSION = 4


class NewerRecordError(KlingVideoError):
    """A record was written by a newer version of this provider.

    It is no ``ValueError``: whatever validates a record would make a broken file of it, and a person might remove that.
    """

    kind = "record"
    default_money = Money.MAYBE
    default_advice = "Upgrade this worker to the version that wrote the record; nothing is submitted until then"


def migrated(data: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a stored record to the present form.

    :param data: a record as JSON values; one without ``schema_version`` is of version 1.
    :raises NewerRecordError: it is of a version that is still to come.
    """
    record = dict(data)
    version = record.get("schema_version", 1)
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        raise NewerRecordError(
            f"The record of job {record.get('id')} has schema {version}; this version reads up to {SCHEMA_VERSION}"
        )
    for step in _STEPS[version - 1 :]:
        record = step(record)
    return {**record, "schema_version": SCHEMA_VERSION}


def _from_version_1(record: dict[str, Any]) -> dict[str, Any]:
    """Until then the product kept what it knew in ``metadata``, and creates in ``submissions``."""
    metadata = dict(record.get("metadata") or {})
    calls = [_create(one) for one in record.pop("submissions", None) or ()]
    look = metadata.pop("preparation", None)
    if look:
        calls.append(_look(look))
    sections = {name: make(metadata) for name, make in _SECTIONS.items()}
    for name in _MOVED:
        metadata.pop(name, None)
    given = {name: value for name, value in sections.items() if value is not None}
    return {**record, **given, "calls": calls, "metadata": metadata}


def _create(old: Mapping[str, Any]) -> dict[str, Any]:
    outcome, units = old.get("outcome"), old.get("units")
    verdict = outcome if outcome in ("succeeded", "failed") else None
    # What a failed task was expected to cost stood where its bill stands now: only a zero is surely a bill.
    is_bill = verdict == "succeeded" or (verdict == "failed" and units is not None and float(units) == 0)
    return {
        "fingerprint": old["fingerprint"],
        "take": old["generation_number"],
        "external_task_id": old["external_task_id"],
        "task_id": old.get("task_id"),
        "price": units,
        "bill": {"units": units} if is_bill and units is not None else None,
        "verdict": verdict,
        "sends": {"earlier": "refused" if outcome == "refused" else "sent"},
        "intended_at": old["intended_at"],
        "accepted_at": old.get("accepted_at"),
    }


def _look(old: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "what": "identify_faces",
        "fingerprint": old["of"],
        "verdict": "succeeded",
        "answer": dict(old["fields"]),
        "sends": {"earlier": "sent"},
        "intended_at": old["at"],
        "accepted_at": old["at"],
        "expires_at": (datetime.fromisoformat(old["at"]) + SESSION_LIFETIME).isoformat(),
    }


def _part(metadata: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {new: metadata[old] for old, new in names.items() if metadata.get(old) is not None}


def _request(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    facts = _part(metadata, {"kind": "kind", "model": "model", "generation": "api", "warnings": "warnings"})
    return facts if "kind" in facts else None


def _result(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    names = ("video_url", "seconds", "billed_units", "outputs")
    return _part(metadata, {name: name for name in names}) if "outputs" in metadata else None


def _from_version_2(record: dict[str, Any]) -> dict[str, Any]:
    """Until then every amount of a bill was taken for one of units; :class:`PaidCall` reads its own for itself."""
    result = record.get("result")
    if not result or result.get("billed_units") is None:
        return record
    return {**record, "result": {**result, "bill": {"units": result["billed_units"]}}}


def _from_version_3(record: dict[str, Any]) -> dict[str, Any]:
    """Until then nobody was asked; a worker that does not know of approvals must not order what waits for one."""
    return record


_ORIGIN = {"dag_id": "dag_id", "run_id": "run_id", "map_index": "map_index", "batch": "batch", "turn": "turn"}
_FILES = {"artifacts_of": "task_id", "artifacts": "artifacts", "gates": "gates", "media_warnings": "warnings"}
_SECTIONS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "origin": lambda metadata: _part(metadata, {**_ORIGIN, "reconciled": "is_reconciled"}),
    "request": _request,
    "estimate": lambda metadata: metadata.get("estimate"),
    "budget": lambda metadata: metadata.get("budget"),
    "priority": lambda metadata: metadata.get("priority"),
    "result": _result,
    "files": lambda metadata: _part(metadata, _FILES),
    "vendor_answer": lambda metadata: metadata.get("vendor_answer"),
}
_MOVED: Iterable[str] = (
    *(*_ORIGIN, "reconciled", "reconciled_at", "kind", "model", "generation", "warnings", "estimate", "budget"),
    *("priority", "video_url", "seconds", "billed_units", "outputs", *_FILES, "vendor_answer"),
)
_STEPS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (
    _from_version_1,
    _from_version_2,
    _from_version_3,
)
