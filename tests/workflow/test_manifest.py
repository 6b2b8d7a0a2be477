"""The manifest of a batch: a document for people, and tables whose rows can be taken up again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from airflow.sdk import ObjectStoragePath
from pyarrow.parquet import read_table

from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.workflow import JobStore, PaidCall, WorkflowJob
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.batch.judge import judged
from airflow_provider_klingvideo.workflow.batch.manifest import write_manifest
from airflow_provider_klingvideo.workflow.job.sections import ExpectedPrice, Result

DONE = WorkflowJob(
    id="done-1",
    prompt="Füchse 狐",
    state=S.COMPLETED,
    klingai_job_id="867283741759111202",
    processed_url="s3://b/done-1/master.mp4",
    calls=[PaidCall(fingerprint="f", task_id="867283741759111202", bill=Bill(units="2.50", cash={"USD": "0.42"}))],
    estimate=ExpectedPrice(units="3"),
    result=Result(seconds=5.041),
)
FAILED = WorkflowJob(id="failed-1", prompt="A hare", state=S.FAILED, error="No.")
JOBS = (DONE, FAILED, WorkflowJob(id="cancelled-1", state=S.CANCELLED), None)
COLUMNS = (
    "index",
    "key",
    "job_id",
    "state",
    "prompt",
    "klingai_job_id",
    "processed_url",
    "billed_units",
    "billed_cash",
    "estimated_units",
    "seconds",
    "error",
)


def written(folder, jobs=JOBS, **arguments):
    return Path(write_manifest(JobStore(folder), "videos.jobs", jobs, judged(jobs, 0.5), **arguments))


def lines(path):
    return [json.loads(line) for line in path.with_suffix(".jsonl").read_bytes().split(b"\n") if line]


def test_the_document_has_the_summary_and_a_row_per_request_in_order(tmp_path):
    path = written(tmp_path / "run", keys=["a", "b", "c", "d"])
    assert path == tmp_path / "run" / "videos.jobs.manifest.json"
    document = json.loads(path.read_text())
    rows = document.pop("jobs")
    assert document == judged(JOBS, 0.5)
    assert [list(row.items()) for row in (rows[0], rows[3])] == [
        [
            ("index", 0),
            ("key", "a"),
            ("job_id", "done-1"),
            ("state", "COMPLETED"),
            ("prompt", "Füchse 狐"),
            ("klingai_job_id", "867283741759111202"),
            ("processed_url", "s3://b/done-1/master.mp4"),
            ("billed_units", "2.50"),
            ("billed_cash", "0.42 USD"),
            ("error", None),
        ],
        [("index", 3), ("key", "d"), ("state", "NO_RECORD")],
    ]
    assert [(row["index"], row["state"]) for row in rows[1:]] == [(1, "FAILED"), (2, "CANCELLED"), (3, "NO_RECORD")]


def test_the_tables_have_every_column_in_every_row(tmp_path):
    path = written(tmp_path, keys=["fox", "hare", "c", "d"])
    first, _, _, last = rows = lines(path)
    assert {tuple(row) for row in rows} == {COLUMNS}
    done = (0, "fox", "done-1", "COMPLETED", "Füchse 狐", "867283741759111202", "s3://b/done-1/master.mp4")
    assert tuple(first.values()) == (*done, "2.50", "0.42 USD", "3", 5.041, None)
    assert last == {**dict.fromkeys(COLUMNS), "index": 3, "key": "d", "state": "NO_RECORD"}
    assert read_table(path.with_suffix(".parquet")).to_pylist() == rows


@pytest.mark.parametrize("jobs", [JOBS, (None,), ()])
def test_the_columns_have_the_same_types_whatever_is_in_them(tmp_path, jobs):
    schema = read_table(written(tmp_path, jobs).with_suffix(".parquet")).schema
    numbers = {"index": pa.int64(), "seconds": pa.float64()}
    assert {field.name: field.type for field in schema} == {name: numbers.get(name, pa.string()) for name in COLUMNS}
    assert all(field.nullable for field in schema)


def test_without_keys_there_are_none_and_too_few_are_refused(tmp_path):
    assert [row["key"] for row in lines(written(tmp_path))] == [None] * 4
    with pytest.raises(ValueError, match="longer"):
        written(tmp_path, keys=["fox"])


def test_without_pyarrow_there_is_no_parquet_file_not_even_an_old_one(tmp_path, monkeypatch):
    path = written(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert written(tmp_path, (DONE,)) == path
    assert [row["job_id"] for row in lines(path)] == ["done-1"]
    assert sorted(one.suffix for one in tmp_path.iterdir()) == [".json", ".jsonl"]


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet"])
def test_a_file_that_could_not_be_written_leaves_the_one_before(tmp_path, monkeypatch, suffix):
    path = written(tmp_path).with_suffix(suffix)
    before = path.read_bytes()
    opened = Path.open

    def on_a_full_disk(self, mode="r", **options):
        if "w" in mode and f"{suffix}." in self.name:
            with opened(self, mode) as half:
                half.write(before[: len(before) // 2])
            return opened(Path("/dev/full"), mode)
        return opened(self, mode, **options)

    monkeypatch.setattr(Path, "open", on_a_full_disk)
    with pytest.raises(OSError, match="No space"):
        written(tmp_path, (FAILED,))
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert not [one.name for one in tmp_path.iterdir() if one.name.startswith(".")]


def test_it_is_written_to_an_object_store_as_well(tmp_path):
    here = written(tmp_path / "a")
    there = write_manifest(
        JobStore(ObjectStoragePath(f"file://{tmp_path}/b")), "videos.jobs", JOBS, judged(JOBS, 0.5)
    ).removeprefix("file://")
    for suffix in (".json", ".jsonl", ".parquet"):
        assert Path(there).with_suffix(suffix).read_bytes() == here.with_suffix(suffix).read_bytes()
    assert len(list((tmp_path / "b").iterdir())) == 3
