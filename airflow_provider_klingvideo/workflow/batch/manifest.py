"""The manifest of a batch, beside the videos: what became of each request, for people and for tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from airflow_provider_klingvideo.storage.names import safe_name
from airflow_provider_klingvideo.storage.protocols import StorePath, remove
from airflow_provider_klingvideo.storage.text import storable_json
from airflow_provider_klingvideo.storage.writing import write_whole
from airflow_provider_klingvideo.workflow.batch.judge import NO_RECORD, REFUSED
from airflow_provider_klingvideo.workflow.batch.parquet import as_parquet
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.store import JobStore

_FACTS: Mapping[str, Callable[[WorkflowJob], Any]] = {
    "job_id": lambda job: job.id,
    "state": lambda job: str(job.state),
    "prompt": lambda job: job.prompt,
    "klingai_job_id": lambda job: job.klingai_job_id,
    "processed_url": lambda job: job.processed_url,
    "billed_units": lambda job: job.bill_columns["billed_units"],
    "billed_cash": lambda job: job.bill_columns["billed_cash"],
    "estimated_units": lambda job: job.estimate and job.estimate.units,
    "seconds": lambda job: job.result and job.result.seconds,
    "error": lambda job: job.error,
}
_TYPES = dict.fromkeys(("index", "key", *_FACTS), "string") | {"index": "int64", "seconds": "float64"}
_ONLY_IN_TABLES = {"estimated_units", "seconds"}
_SHOWN_WITHOUT_A_JOB: Mapping[str, Collection[str]] = {
    NO_RECORD: {"index", "key", "state"},
    REFUSED: {"index", "key", "state", "error"},
}


def write_manifest(
    store: JobStore,
    key: str,
    jobs: Sequence[WorkflowJob | None],
    summary: Mapping[str, Any],
    *,
    keys: Sequence[str] | None = None,
    refused: Mapping[int, str] | None = None,
) -> str:
    """Write the manifest, each file whole or not at all.

    ``{key}.manifest.json`` has the summary and a row per request in its order. ``{key}.manifest.jsonl`` and, where
    pyarrow is installed, ``{key}.manifest.parquet`` have the rows alone, all with the same columns.

    :param jobs: the records in the order of the requests, None where there is none.
    :param keys: what the requests are named by, in the same order; see
        :func:`~airflow_provider_klingvideo.workflow.batch.rows.keyed`.
    :param refused: why rows were left out, by their numbers from 0 on; they have no job.
    :returns: the path of the first of them.
    """
    names = [None] * len(jobs) if keys is None else keys
    rows = storable_json(
        [
            {"index": index, "key": name, **_facts(job, (refused or {}).get(index))}
            for index, (name, job) in enumerate(zip(names, jobs, strict=True))
        ]
    )
    stem = f"{safe_name(key)}.manifest"
    _write_table(store.base / f"{stem}.parquet", as_parquet(rows, _TYPES))
    write_whole(
        store.base / f"{stem}.jsonl", "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
    )
    shown = {**storable_json(dict(summary)), "jobs": [_shown(row) for row in rows]}
    path = store.base / f"{stem}.json"
    write_whole(path, json.dumps(shown, ensure_ascii=False, indent=2).encode())
    return str(path)


def _facts(job: WorkflowJob | None, refusal: str | None) -> dict[str, Any]:
    if refusal is not None:
        return {**dict.fromkeys(_FACTS), "state": REFUSED, "error": refusal}
    if job is None:
        return {**dict.fromkeys(_FACTS), "state": NO_RECORD}
    return {name: fact(job) for name, fact in _FACTS.items()}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    left_out = _ONLY_IN_TABLES if row["key"] else {*_ONLY_IN_TABLES, "key"}
    names = _SHOWN_WITHOUT_A_JOB.get(row["state"], row.keys())
    return {name: value for name, value in row.items() if name in names and name not in left_out}


def _write_table(path: StorePath, content: bytes | None) -> None:
    if content is None:
        # One that a worker with pyarrow wrote on an earlier try tells what is no longer so.
        remove(path)
    else:
        write_whole(path, content)
