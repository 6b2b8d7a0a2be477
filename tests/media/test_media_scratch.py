from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_klingvideo.media import MediaSettings
from airflow_provider_klingvideo.media.ffmpeg.scratch import scratch_folder
from airflow_provider_klingvideo.storage.errors import StorageError

HOLD = """
import pathlib, sys
from airflow_provider_klingvideo.media import MediaSettings
from airflow_provider_klingvideo.media.ffmpeg.scratch import scratch_folder
with scratch_folder(MediaSettings(scratch_dir=sys.argv[1])) as folder:
    (folder / "source.mp4").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path: Path):  # type: ignore[no-untyped-def]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_the_folder_of_a_killed_process_goes_with_the_next_one(tmp_path: Path, owner) -> None:  # type: ignore[no-untyped-def]
    process, left = owner
    settings = MediaSettings(scratch_dir=str(tmp_path))
    with scratch_folder(settings):
        assert (left / "source.mp4").exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left.exists()
    with scratch_folder(settings) as own:
        assert not left.exists()
        assert own.exists()
    assert list(tmp_path.iterdir()) == []


def test_other_folders_are_let_alone(tmp_path: Path) -> None:
    for name in ("klingvideo-scratch-young", "somebody-elses"):
        (tmp_path / name).mkdir()
    (tmp_path / "somebody-elses" / ".owner").touch()
    with scratch_folder(MediaSettings(scratch_dir=str(tmp_path))):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["klingvideo-scratch-young", "somebody-elses"]


def test_no_place_for_it_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="making a scratch folder"),
        scratch_folder(MediaSettings(scratch_dir=str(tmp_path / "nowhere"))),
    ):
        pass
