"""The manifest of a batch: what became of each row, for people, for other programs, and as a table."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from airflow_provider_klingvideo.workflow.batch import NO_RECORD
from airflow_provider_klingvideo.workflow.identity import safe_name
from airflow_provider_klingvideo.workflow.job import WorkflowJob
from airflow_provider_klingvideo.workflow.paths import write_whole
from airflow_provider_klingvideo.workflow.store import JobStore

COLUMNS = (
    *("index", "key", "job_id", "state", "prompt", "klingai_job_id", "processed_url", "billed_units", "seconds"),
    "error",
)
_NUMBERS = {"index": "int64", "seconds": "float64"}


def write_manifest(
    store: JobStore,
    name: str,
    jobs: Sequence[WorkflowJob | None],
    summary: Mapping[str, Any],
    keys: Sequence[str] = (),
) -> str:
    """Write ``{name}.manifest.json`` with the summary, and the rows alone as JSONL and, with pyarrow, as Parquet.

    :param jobs: the records in the order of the rows, None where there is none.
    :param keys: of the rows, where they have some.
    :returns: the path of the first of them.
    """
    rows = [
        {"index": index, **({"key": key} if key else {}), **_row(job)}
        for index, (job, key) in enumerate(zip_longest(jobs, keys))
    ]
    path = store.base / f"{safe_name(name)}.manifest.json"
    write_whole(path, json.dumps({**summary, "jobs": rows}, ensure_ascii=False, indent=2))
    write_whole(path.with_name(f"{path.name}l"), "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
    table = _parquet()
    if table is not None:
        target: Any = path.with_name(path.name.replace(".json", ".parquet"))
        with target.open("wb") as stream:
            stream.write(table(rows))
    return str(path)


def _row(job: WorkflowJob | None) -> dict[str, Any]:
    if job is None:
        return {"state": NO_RECORD}
    return {
        "job_id": job.id,
        "state": str(job.state),
        "prompt": job.prompt,
        "klingai_job_id": job.klingai_job_id,
        "processed_url": job.processed_url,
        "billed_units": job.metadata.get("billed_units"),
        "seconds": job.metadata.get("seconds"),
        "error": job.error,
    }


def _parquet() -> Callable[[Sequence[Mapping[str, Any]]], bytes] | None:
    """Return what makes a Parquet file of rows; None where pyarrow is not installed."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return None
    schema = pyarrow.schema([(name, _NUMBERS.get(name, "string")) for name in COLUMNS])

    def table(rows: Sequence[Mapping[str, Any]]) -> bytes:
        stream = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), stream)
        return stream.getvalue()

    return table
