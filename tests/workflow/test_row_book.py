"""The rows that a batch's tasks agree on, and the names of their jobs."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.workflow.batch.row_book import RowBook
from airflow_provider_klingvideo.workflow.job.errors import InputError


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
