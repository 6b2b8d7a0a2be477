"""Files reach their final names whole, with as few requests as the store needs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from s3_storage import requests_of

from airflow_provider_klingvideo.storage.listing import entries
from airflow_provider_klingvideo.storage.protocols import is_there, remove
from airflow_provider_klingvideo.storage.writing import is_part, part_name, read_whole, upload, write_whole

pytestmark = pytest.mark.airflow

LARGE = 3_000_000


def methods(sent):
    return [one.split()[0] for one in sent]


@pytest.mark.parametrize("content", [b"", b"fox", bytes(range(256)) * 5000], ids=["empty", "small", "larger"])
def test_what_is_written_is_read_and_replaced_and_removed(folder, content):
    path = folder / "deep" / "job.json"
    with pytest.raises(FileNotFoundError):
        read_whole(path)
    write_whole(path, b"older")
    write_whole(path, content)
    assert read_whole(path) == content
    assert [one.name for one in entries(path.parent)] == ["job.json"]
    remove(path)
    remove(path)
    assert not is_there(path)


def test_a_file_is_uploaded_and_replaced(folder, tmp_path):
    local = tmp_path / "local.mp4"
    for content in (b"older", os.urandom(LARGE)):
        local.write_bytes(content)
        upload(local, folder / "video.mp4")
        assert read_whole(folder / "video.mp4") == content
    assert [one.name for one in entries(folder)] == ["video.mp4"]


class TestRequests:
    def test_a_write_is_one(self, objects):
        write_whole(objects / "warm-up", b"1")
        for _ in ("new", "replaced"):
            with requests_of(objects) as sent:
                write_whole(objects / "job.json", b"fox")
            assert methods(sent) == ["PUT"]
            assert sent[0].split("?")[0].endswith("/videos/job.json")

    def test_a_reading_is_one_whether_the_file_is_there_or_not(self, objects):
        write_whole(objects / "job.json", b"fox")
        with requests_of(objects) as sent:
            assert read_whole(objects / "job.json") == b"fox"
        assert methods(sent) == ["GET"]
        with requests_of(objects) as sent, pytest.raises(FileNotFoundError):
            read_whole(objects / "missing.json")
        assert methods(sent) == ["GET"]

    def test_an_upload_is_one(self, objects, tmp_path):
        (tmp_path / "local.mp4").write_bytes(os.urandom(LARGE))
        with requests_of(objects) as sent:
            upload(tmp_path / "local.mp4", objects / "video.mp4")
        assert methods(sent) == ["PUT"]

    def test_a_removal_is_one(self, objects):
        write_whole(objects / "job.json", b"fox")
        with requests_of(objects) as sent:
            remove(objects / "job.json")
        assert methods(sent) == ["DELETE"]

    def test_a_record_is_saved_with_two(self, objects):
        from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob

        store, job = JobStore(objects), WorkflowJob(id="job-1", prompt="A fox")
        with requests_of(objects) as sent:
            store.save(job)
        assert methods(sent) == ["GET", "PUT"]


def test_a_large_file_is_sent_in_pieces_and_shown_whole(folder_in, tmp_path):
    local, folder = tmp_path / "film.mp4", folder_in("seaweed")
    size = 101 * 1024 * 1024
    with local.open("wb") as stream:
        stream.truncate(size - 3)
        stream.seek(0, os.SEEK_END)
        stream.write(b"end")
    with requests_of(folder) as sent:
        upload(local, folder / "film.mp4")
    assert methods(sent) == ["POST", "PUT", "PUT", "PUT", "POST"]
    (film,) = entries(folder)
    assert (film.name, film.size) == ("film.mp4", size)
    assert folder.fs.cat_file(f"{folder.path}/film.mp4", start=size - 3) == b"end"


def test_a_large_upload_that_breaks_off_leaves_nothing(folder_in, tmp_path, monkeypatch):
    """The pieces are removed as well, so that nobody pays for them."""
    from botocore.exceptions import ClientError

    local, folder = tmp_path / "film.mp4", folder_in("seaweed")
    with local.open("wb") as stream:
        stream.truncate(101 * 1024 * 1024)
    store = folder.fs
    send = store._call_s3

    async def broken(method, *arguments, **options):
        if method == "upload_part" and options["PartNumber"] == 3:
            raise ClientError({"Error": {"Code": "InternalError", "Message": "try again"}}, "UploadPart")
        return await send(method, *arguments, **options)

    monkeypatch.setattr(store, "_call_s3", broken)
    with requests_of(folder) as sent, pytest.raises(Exception, match="try again"):
        upload(local, folder / "film.mp4")
    assert methods(sent)[-1] == "DELETE"
    assert entries(folder) == []


# Not rclone: it shows half of a file, or none, while another writer replaces it, which S3 itself never does.
@pytest.mark.parametrize("store", ["disk", "file", "plain", "seaweed"])
def test_readers_see_one_of_the_versions_whatever_the_writers_do(folder_in, store):
    path = folder_in(store) / "job.json"
    versions = {bytes([number]) * (1000 + 50_000 * (number % 2)) for number in range(4)}
    write_whole(path, b"\0" * 1000)
    stop = threading.Event()

    def write(content):
        while not stop.is_set():
            write_whole(path, content)

    writers = [threading.Thread(target=write, args=(content,)) for content in versions]
    for writer in writers:
        writer.start()
    try:
        seen = {read_whole(path) for _ in range(40)}
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert seen <= versions


def test_a_store_of_which_nothing_is_known_gets_a_part_and_a_new_name(unknown_folder, monkeypatch):
    path = unknown_folder / "run" / "job.json"
    opened = []
    open_file = path.fs.open

    def noted(name, mode="rb", **options):
        opened.append((Path(name).name, mode))
        return open_file(name, mode, **options)

    monkeypatch.setattr(path.fs, "open", noted)
    write_whole(path, b"fox")
    ((name, mode),) = opened
    assert is_part(name)
    assert mode == "wb"
    assert read_whole(path) == b"fox"
    assert [one.name for one in entries(path.parent)] == ["job.json"]


@pytest.mark.parametrize("store", ["disk", "file"])
class TestOnADisk:
    def test_a_full_disk_leaves_the_older_file_and_no_part(self, folder_in, store):
        path = folder_in(store) / "job.json"
        write_whole(path, b"older")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                write_whole(path, b"x" * 2000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert read_whole(path) == b"older"
        assert [one.name for one in entries(path.parent)] == ["job.json"]

    def test_it_is_on_the_disk_before_it_has_its_name(self, folder_in, store, monkeypatch):
        path, order = folder_in(store) / "job.json", []
        sync, rename = os.fsync, Path.replace
        monkeypatch.setattr(os, "fsync", lambda handle: order.append("flushed") or sync(handle))
        monkeypatch.setattr(Path, "replace", lambda self, target: order.append("named") or rename(self, target))
        write_whole(path, b"fox")
        assert order == ["flushed", "named", "flushed"]


def test_a_process_killed_in_mid_write_leaves_no_file_under_the_final_name(tmp_path):
    program = (
        "import pathlib, sys\n"
        "from airflow_provider_klingvideo.storage.writing import write_whole\n"
        "while True: write_whole(pathlib.Path(sys.argv[1]), b'x' * 5_000_000)\n"
    )
    path = tmp_path / "run" / "job.json"
    process = subprocess.Popen([sys.executable, "-c", program, str(path)])
    try:
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait(10)
    assert len(path.read_bytes()) == 5_000_000
    assert all(one.name == "job.json" or fnmatchcase(one.name, ".job.json.*.part") for one in entries(path.parent))


def test_every_part_has_a_name_of_its_own_by_which_it_is_known():
    assert part_name("a.mp4") != part_name("a.mp4")
    assert is_part(part_name("a.mp4"))
    assert not any(map(is_part, ["a.mp4", ".hidden", "film.part"]))


class TestReadingAgain:
    """Stores that look at a file first and read it afterwards fail when it is replaced in between."""

    class Path:
        def __init__(self, *errors):
            self.errors = list(errors)
            self.protocol = "sftp"

        def read_bytes(self):
            if self.errors:
                raise self.errors.pop(0)
            return b"fox"

    def test_it_is_read_again(self):
        assert read_whole(self.Path(OSError("changed"), RuntimeError("changed"))) == b"fox"

    def test_not_for_ever(self):
        with pytest.raises(OSError, match="refused"):
            read_whole(self.Path(*[OSError("refused")] * 20))

    def test_a_missing_file_is_missing_at_once(self):
        path = self.Path(FileNotFoundError("gone"))
        with pytest.raises(FileNotFoundError):
            read_whole(path)
