"""A folder is listed by one request, as it is now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from s3_storage import requests_of

from airflow_provider_klingvideo.storage.listing import Entry, _modified, entries
from airflow_provider_klingvideo.storage.protocols import remove
from airflow_provider_klingvideo.storage.writing import write_whole

pytestmark = pytest.mark.airflow

NEARLY_NOW = timedelta(minutes=5)


def test_files_and_folders_are_listed_with_size_and_time(folder):
    write_whole(folder / "b.json", b"four")
    write_whole(folder / "a.json", b"")
    write_whole(folder / "run" / "job-1" / "job.json", b"x")
    # Its name begins with the folder's, and it lies beside it.
    write_whole(folder.with_name("videos-2") / "other", b"x")
    found = entries(folder)
    assert [(one.name, one.size, one.is_folder) for one in found] == [
        ("a.json", 0, False),
        ("b.json", 4, False),
        ("run", None, True),
    ]
    assert all(abs(one.modified - datetime.now(UTC)) < NEARLY_NOW for one in found if not one.is_folder)
    assert [one.name for one in entries(folder / "run")] == ["job-1"]


def test_a_folder_that_does_not_exist_is_empty(folder):
    assert entries(folder) == []


def test_nothing_is_kept_of_an_earlier_listing(folder):
    assert entries(folder) == []
    write_whole(folder / "a", b"1")
    assert [one.name for one in entries(folder)] == ["a"]
    write_whole(folder / "b", b"1")
    remove(folder / "a")
    assert [one.name for one in entries(folder)] == ["b"]


def test_what_another_worker_has_written_is_seen(bucket):
    from airflow_provider_klingvideo.runtime.paths import open_path

    folder = open_path(f"{bucket.uri}/videos")
    assert entries(folder) == []
    bucket["videos/a"] = b"1"
    assert [one.name for one in entries(folder)] == ["a"]
    del bucket["videos/a"]
    assert entries(folder) == []


@pytest.mark.parametrize("files", [0, 1, 3])
def test_a_listing_is_one_request(objects, files):
    write_whole(objects.parent / "beside" / "file", b"1")
    for number in range(files):
        write_whole(objects / f"{number}", b"1")
    with requests_of(objects) as sent:
        assert len(entries(objects)) == files
    assert [one.split()[0] for one in sent] == ["GET"]


def test_a_folder_of_more_entries_than_an_answer_holds_is_listed_whole(seaweed_bucket, monkeypatch):
    from airflow_provider_klingvideo.runtime.paths import open_path

    folder = open_path(f"{seaweed_bucket.uri}/videos")
    names = [f"{number:02}" for number in range(12)]
    for name in names:
        seaweed_bucket[f"videos/{name}"] = b"1"
    send = folder.fs.call_s3
    monkeypatch.setattr(folder.fs, "call_s3", lambda method, **options: send(method, MaxKeys=5, **options))
    with requests_of(folder) as sent:
        assert [one.name for one in entries(folder)] == names
    assert len(sent) == 3


def test_the_bucket_itself_is_listed_and_the_mark_of_a_folder_is_not(seaweed_bucket):
    from airflow_provider_klingvideo.runtime.paths import open_path

    seaweed_bucket["videos/"] = b""
    seaweed_bucket["videos/a"] = b"1"
    assert [one.name for one in entries(open_path(f"{seaweed_bucket.uri}/videos"))] == ["a"]
    assert [one.name for one in entries(open_path(seaweed_bucket.uri))] == ["videos"]


def test_other_stores_are_listed_by_their_library(unknown_folder):
    folder = unknown_folder
    assert entries(folder) == []
    (folder / "run").mkdir()
    (folder / "a").write_bytes(b"four")
    assert [(one.name, one.size) for one in entries(folder)] == [("a", 4), ("run", None)]


def test_a_link_that_leads_nowhere_is_left_out(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").symlink_to(tmp_path / "nowhere")
    assert [one.name for one in entries(tmp_path)] == ["a"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(NotADirectoryError):
        entries(tmp_path / "a")


NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "facts",
    [
        {"LastModified": NOON},
        {"last_modified": NOON.replace(tzinfo=None)},
        {"mtime": NOON.timestamp()},
        {"updated": "2026-07-01T12:00:00.000Z"},
        {"mtime": None, "modified": NOON},
    ],
)
def test_every_library_s_word_for_the_time_is_understood(facts):
    assert _modified(facts) == NOON


def test_a_time_that_is_not_told_is_not_known():
    assert _modified({"size": 1}) is None
    assert Entry("a", 1, None).modified is None
