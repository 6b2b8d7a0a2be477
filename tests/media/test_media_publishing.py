from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.media import publish, remove_parts, sha256_of
from airflow_provider_klingvideo.media.outputs.publishing import fetch
from airflow_provider_klingvideo.storage.errors import StorageError

DATA = bytes(range(256)) * 20_000


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "local.mp4"
    path.write_bytes(DATA)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_copied_into_folders_that_are_made(local: Path, tmp_path: Path) -> None:
    publish(local, tmp_path / "dag" / "run" / "video.mp4")
    assert (tmp_path / "dag" / "run" / "video.mp4").read_bytes() == DATA
    assert names(tmp_path / "dag" / "run") == ["video.mp4"]


def test_an_older_file_is_replaced(local: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "video.mp4"
    target.parent.mkdir()
    target.write_bytes(b"older")
    publish(local, target)
    assert target.read_bytes() == DATA
    assert names(target.parent) == ["video.mp4"]


def test_several_processes_may_publish_the_same_file(local: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "video.mp4"
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(publish, local, target) for _ in range(8)]:
            done.result()
    assert target.read_bytes() == DATA
    assert names(target.parent) == ["video.mp4"]


def test_parts_of_killed_runs_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".video.mp4.0badcafe.part", "video.mp4", ".hidden", "film.part"):
        (tmp_path / name).write_bytes(b"x")
    remove_parts(tmp_path)
    assert sorted(names(tmp_path)) == [".hidden", "film.part", "video.mp4"]
    remove_parts(tmp_path / "nowhere")


class ShortFile(io.FileIO):
    def write(self, data: Any) -> int:
        return super().write(data[:-1])


class ShortPath(type(Path())):  # type: ignore[misc]
    """A store that takes fewer bytes than it is given."""

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return ShortFile(self, mode) if mode == "wb" else super().open(mode, *args, **kwargs)


def test_a_short_copy_never_gets_the_name(local: Path, tmp_path: Path) -> None:
    target = ShortPath(tmp_path / "out" / "video.mp4")
    target.parent.mkdir()
    Path(target).write_bytes(b"older")
    with pytest.raises(StorageError, match=f"of {len(DATA)} bytes"):
        publish(local, target)
    assert Path(target).read_bytes() == b"older"
    assert names(tmp_path / "out") == ["video.mp4"]


def test_a_store_that_refuses_is_told(local: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="publishing"):
        publish(local, tmp_path / "file" / "video.mp4")


@pytest.mark.scenario(40)
def test_a_run_killed_in_mid_write_leaves_no_file_under_the_final_name(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = (
        "import sys, pathlib\n"
        "from airflow_provider_klingvideo.media import publish\n"
        "publish(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
    )
    target = tmp_path / "out" / "video.mp4"
    process = subprocess.Popen([sys.executable, "-c", program, str(fifo), str(target)])
    with fifo.open("wb") as half:
        half.write(DATA[:3_000_000])
        half.flush()
        deadline = time.monotonic() + 20
        while not any(part.stat().st_size for part in target.parent.glob("*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.wait(10)
    (left,) = names(target.parent)
    assert fnmatchcase(left, ".video.mp4.*.part")


@given(data=st.binary(max_size=5000))
def test_hashes_are_sha256(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hashed"
    path.write_bytes(data)
    assert sha256_of(path) == hashlib.sha256(data).hexdigest() == fetch(path, path.with_name("copied"))
    assert path.with_name("copied").read_bytes() == data


@pytest.mark.parametrize("read", [sha256_of, lambda path: fetch(path, path.with_name("copy"))])
def test_a_missing_file_is_told(tmp_path: Path, read: Any) -> None:
    with pytest.raises(StorageError, match=r"missing\.mp4"):
        read(tmp_path / "missing.mp4")


@pytest.mark.airflow
def test_object_storage_paths_are_paths(local: Path, tmp_path: Path) -> None:
    from airflow.sdk import ObjectStoragePath

    target = ObjectStoragePath(f"file://{tmp_path}/store") / "job" / "video.mp4"
    (tmp_path / "store" / "job").mkdir(parents=True)
    (tmp_path / "store" / "job" / "video.mp4").write_bytes(b"older")
    publish(local, target)
    assert names(tmp_path / "store" / "job") == ["video.mp4"]
    assert sha256_of(target) == hashlib.sha256(DATA).hexdigest()
    assert fetch(target, tmp_path / "back.mp4") == hashlib.sha256(DATA).hexdigest()
    assert (tmp_path / "back.mp4").read_bytes() == DATA
