"""The rows that a batch's tasks agree on, and the names of their jobs."""

from __future__ import annotations

import json

import pytest

from airflow_provider_klingvideo.storage.writing import write_whole
from airflow_provider_klingvideo.workflow.batch.row_book import RowBook, row_job_id
from airflow_provider_klingvideo.workflow.batch.rows import content_key, keyed, listed_rows
from airflow_provider_klingvideo.workflow.inputs.creation import created_job
from airflow_provider_klingvideo.workflow.job.engine import WorkflowEngine
from airflow_provider_klingvideo.workflow.job.errors import InputError
from airflow_provider_klingvideo.workflow.job.sections import Origin
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.store import JobStore


def test_it_is_read_as_it_was_written(tmp_path):
    book = RowBook(tmp_path / "dag" / "batch", "videos")
    written = book.write({"fox": {"prompt": "A fox"}, "../hare": {"prompt": "A hare"}})
    assert book.read() == written
    assert [row.key for row in written] == ["fox", "../hare"]
    assert all("/" not in row.job_id for row in written)


def test_a_job_is_named_by_batch_and_key_alone(tmp_path):
    rows = {"fox": {"prompt": "A fox"}, "hare": {"prompt": "A hare"}}
    book = RowBook(tmp_path / "dag" / "batch", "videos")
    before = {row.key: row.job_id for row in book.write(rows)}
    after = {row.key: row.job_id for row in book.write({"owl": {}, "hare": {"prompt": "Another"}, "fox": {}})}
    assert {key: after[key] for key in before} == before
    others = (RowBook(tmp_path / "dag" / "other", "videos"), RowBook(tmp_path / "a" / "batch", "videos"))
    assert not {row.job_id for book in others for row in book.write(rows)} & set(before.values())


def test_rows_that_were_not_read_are_told(tmp_path):
    with pytest.raises(InputError, match="have not been read"):
        RowBook(tmp_path, "videos").read()


BEFORE = [
    {"prompt": "A fox "},
    {"prompt": "A fox"},
    {"prompt": "A boat", "watermark": "TRUE"},
    {"key": " owl", "prompt": "An owl", "duration": "5.0"},
    {"key": "hare", "prompt": "A hare\r\nruns", "resolution": "1080P"},
]
"""Rows that an earlier version has ordered as they stand here, blanks and spellings included."""


def as_an_earlier_version_kept_them(folder, book):
    rows = []
    for row in BEFORE:
        request = {name: value for name, value in row.items() if name != "key"}
        key = row.get("key", content_key(request))
        rows.append(
            {"key": key, "job_id": row_job_id((folder.parent.name, folder.name, book), key), "request": request}
        )
    write_whole(folder / f"{book}.rows.json", json.dumps(rows).encode())
    return rows


def test_a_row_that_was_kept_under_an_unclean_name_keeps_it(tmp_path):
    folder = tmp_path / "dag" / "batch"
    before = as_an_earlier_version_kept_them(folder, "videos")
    book = RowBook(folder, "videos")
    for _ in range(2):
        assert {row.job_id for row in book.write(keyed(listed_rows(BEFORE)))} == {row["job_id"] for row in before}
    fewer = book.write(keyed(listed_rows(BEFORE[2:])))
    assert [row.job_id for row in fewer] == [row["job_id"] for row in before[2:]]


def test_a_book_that_nobody_can_read_is_replaced(tmp_path):
    folder = tmp_path / "dag" / "batch"
    write_whole(folder / "videos.rows.json", b"[{")
    book = RowBook(folder, "videos")
    assert book.write(keyed(listed_rows(BEFORE))) == book.read()


@pytest.mark.parametrize("end", [WorkflowState.COMPLETED, WorkflowState.FAILED])
def test_blanks_and_spellings_make_no_other_request_of_a_row(tmp_path, end):
    engine = WorkflowEngine(store=JobStore(tmp_path))
    old = {"prompt": "A fox ", "model": "Kling-2.6", "watermark": "TRUE", "duration": "5.0"}
    job = created_job(engine, "fox", old, origin=Origin())
    job.state = end
    engine.store.save(job)
    again = created_job(engine, "fox", listed_rows([old])[0], origin=Origin())
    assert (again.prompt, again.params["duration"]) == ("A fox ", "5.0")
    assert (again.state is end) == (end is WorkflowState.COMPLETED)
    edited = created_job(engine, "fox", {**old, "prompt": "A fax"}, origin=Origin())
    assert edited.prompt == "A fax"
