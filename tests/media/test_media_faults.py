"""A machine that cannot run ffmpeg just now, and an ffmpeg that cannot be run at all: only the latter is final."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klingvideo.media import (
    FFmpegError,
    FFmpegMissingError,
    MediaError,
    MediaSettings,
    find_binaries,
    last_frame,
    probe,
)
from airflow_provider_klingvideo.media.decor.fonts import FOLDERS
from airflow_provider_klingvideo.media.ffmpeg import binaries as binaries_module
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.ffmpeg.runner import ffmpeg_command, run_ffmpeg
from airflow_provider_klingvideo.media.inspect.verify import require_decodable

SETTINGS = MediaSettings()
WORKS = """case "$*" in -version) echo ffmpeg version 1;; esac; echo ' V....D first  An encoder'"""
NOT_PAID_AGAIN = "Run the task again, which pays nothing|running the task again pays nothing"
NOBODY = 65534

# What a process without a free descriptor, or without the right to another process, makes of a call; then with one.
SHORT_OF_SOMETHING = """
import json, os, resource, sys
from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.media import find_binaries, probe
from airflow_provider_klingvideo.media.decor.fonts import default_font
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from pathlib import Path
import av

def told():
    try:
        return {"answer": str(CALL)}
    except KlingVideoError as error:
        return {"error": type(error).__name__, "retryable": error.retryable, "words": str(error)}

def limited(name, lowest):
    _, hard = resource.getrlimit(name)
    resource.setrlimit(name, (lowest, hard))

before, _ = resource.getrlimit(resource.LIMIT)
LOWER
first = told()
limited(resource.LIMIT, before)
print(json.dumps([first, told()]))
"""
NO_DESCRIPTORS = "free = os.open(os.devnull, os.O_RDONLY); os.close(free); limited(resource.RLIMIT_NOFILE, free)"
# Root may always start another one.
NO_PROCESSES = f"""
sys.executable = ""
if os.getuid() == 0:
    os.setuid({NOBODY})
limited(resource.RLIMIT_NPROC, 0)
"""


def within_limits(call: str, limit: str, lower: str) -> list[dict[str, Any]]:
    program = SHORT_OF_SOMETHING.replace("resource.LIMIT", f"resource.{limit}").replace("LOWER", lower)
    program = program.replace("CALL", call)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def program(path: Path, text: str = WORKS) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
class TestRealLimits:
    def test_features_without_a_free_descriptor(self, tmp_path: Path) -> None:
        call = f"Binaries({program(tmp_path / 'ffmpeg')!r}).features"
        short, again = within_limits(call, "RLIMIT_NOFILE", NO_DESCRIPTORS)
        assert (short["error"], short["retryable"]) == ("FFmpegError", True)
        assert "could not be started: Too many open files" in short["words"]
        assert "first" in again["answer"], "a failed probe is not remembered"

    def test_a_named_ffmpeg_without_a_free_descriptor(self, tmp_path: Path) -> None:
        call = f"find_binaries({program(tmp_path / 'ffmpeg')!r})"
        short, again = within_limits(call, "RLIMIT_NOFILE", NO_DESCRIPTORS)
        assert (short["error"], short["retryable"]) == ("FFmpegError", True)
        assert "Binaries" in again["answer"]

    def test_the_packaged_ffmpeg_is_not_taken_for_missing(self) -> None:
        short, again = within_limits("find_binaries()", "RLIMIT_NOFILE", f"os.environ['PATH'] = ''; {NO_DESCRIPTORS}")
        assert (short["error"], short["retryable"]) == ("FFmpegError", True)
        assert "imageio_ffmpeg" in again["answer"]

    def test_features_without_another_process(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            call = f"Binaries({program(Path(folder, 'ffmpeg'))!r}).features"
            short, _ = within_limits(call, "RLIMIT_NPROC", NO_PROCESSES)
        assert (short["error"], short["retryable"]) == ("FFmpegError", True)
        assert "Resource temporarily unavailable" in short["words"]

    def test_pyav_without_a_free_descriptor_does_not_condemn_the_file(self, clips: Callable[[str], Path]) -> None:
        call = f"probe(Path({str(clips('plain'))!r}), Binaries('/nonexistent/ffmpeg'))"
        short, again = within_limits(call, "RLIMIT_NOFILE", NO_DESCRIPTORS)
        assert (short["error"], short["retryable"]) == ("FFmpegError", True)
        assert "h264" in again["answer"]

    @pytest.mark.skipif(not any(Path(one).expanduser().is_dir() for one in FOLDERS), reason="no fonts here")
    def test_fonts_without_a_free_descriptor(self) -> None:
        short, _ = within_limits("default_font()", "RLIMIT_NOFILE", NO_DESCRIPTORS)
        assert (short["error"], short["retryable"]) == ("StorageError", True)

    def test_an_ffmpeg_that_gets_no_threads_says_nothing_about_its_input(
        self, tmp_path: Path, binaries: Binaries
    ) -> None:
        """The real one, under a real limit: it exits with the last byte of EAGAIN."""
        limited = tmp_path / "ffmpeg"
        limited.write_text(
            f"#!{sys.executable}\nimport os, resource, sys\nif os.getuid() == 0:\n    os.setuid({NOBODY})\n"
            f"resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\nos.execv({binaries.ffmpeg!r}, sys.argv)\n"
        )
        limited.chmod(0o755)
        if subprocess.run([limited, "-version"], capture_output=True, timeout=60).returncode:
            pytest.skip("ffmpeg lies where another user may not run it")
        clip = ["-f", "lavfi", "-i", "testsrc2=size=320x180:duration=1", "-c:v", "libx264", "-f", "null", "-"]
        with pytest.raises(FFmpegError, match="Resource temporarily unavailable") as caught:
            run_ffmpeg([*ffmpeg_command(str(limited)), *clip], timeout=60)
        assert caught.value.ended


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries_module, "PROBE_SECONDS", 1)


PASSING = {
    "hangs": "while :; do sleep 0.1; done",
    "is killed": "kill -KILL $$",
    "is ended": "kill -TERM $$",
    "crashes where memory is short": "kill -SEGV $$",
    "is a script whose program was killed": "exit 137",
    "has no memory": f"exit {256 - errno.ENOMEM}",
    "cannot load a library now": "echo 'libm.so.6: cannot open shared object file: Error 24' >&2; exit 127",
}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
@pytest.mark.parametrize("ask", [lambda path: Binaries(path).features, find_binaries], ids=["features", "named"])
def test_a_probe_that_fails_for_a_moment(tmp_path: Path, fault: str, ask: Callable[[str], Any]) -> None:
    path = program(tmp_path / "ffmpeg", fault)
    unchanged = Path(path).stat().st_mtime_ns
    with pytest.raises(FFmpegError, match=NOT_PAID_AGAIN) as caught:
        ask(path)
    assert caught.value.retryable
    program(tmp_path / "ffmpeg")
    os.utime(path, ns=(unchanged, unchanged))
    assert ask(path), "it is asked again, though the file looks unchanged"


@pytest.mark.parametrize("fault", ["exit 1", "echo 'libfoo.so: cannot open shared object file' >&2; exit 127"])
def test_an_ffmpeg_that_does_not_run_here_is_final(tmp_path: Path, fault: str) -> None:
    with pytest.raises(FFmpegMissingError, match="does not run") as caught:
        _ = Binaries(program(tmp_path / "ffmpeg", fault)).features
    assert not caught.value.retryable


class TestTheBinaryItself:
    """How starting it fails; by the wrapper of Linux, and without it."""

    @pytest.fixture(params=["linux", "darwin"], autouse=True)
    def platform(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", request.param)

    def features(self, path: Path) -> Any:
        return Binaries(str(path)).features

    def test_it_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FFmpegMissingError, match="No such file"):
            self.features(tmp_path / "ffmpeg")

    def test_it_may_not_be_run(self, tmp_path: Path) -> None:
        path = Path(program(tmp_path / "ffmpeg"))
        path.chmod(0o644)
        with pytest.raises(FFmpegMissingError, match="Permission denied"):
            self.features(path)

    def test_it_is_no_program(self, tmp_path: Path) -> None:
        path = Path(program(tmp_path / "ffmpeg"))
        path.write_bytes(b"\x7fELF that is for another machine")
        with pytest.raises(FFmpegMissingError, match="Exec format error"):
            self.features(path)

    @pytest.mark.skipif(not Path("/proc").is_dir(), reason="Linux refuses to run what is being written")
    def test_it_is_being_replaced(self, tmp_path: Path) -> None:
        path = Path(program(tmp_path / "ffmpeg"))
        with path.open("r+b"), pytest.raises(FFmpegError, match="Text file busy") as caught:
            self.features(path)
        assert caught.value.retryable
        assert self.features(path)


class TestFilesAreNotToBlame:
    """What goes wrong with a program must not make a video that was paid for count as damaged."""

    @pytest.mark.parametrize("fault", ["kill -KILL $$", f"exit {256 - errno.EAGAIN}", f"exit {256 - errno.EMFILE}"])
    def test_decoding(self, clips: Callable[[str], Path], tmp_path: Path, fault: str) -> None:
        with pytest.raises(FFmpegError):
            require_decodable(clips("plain"), Binaries(program(tmp_path / "ffmpeg", fault)), SETTINGS)

    def test_decoding_with_an_ffmpeg_that_has_gone(self, clips: Callable[[str], Path], tmp_path: Path) -> None:
        with pytest.raises(FFmpegMissingError):
            require_decodable(clips("plain"), Binaries(str(tmp_path / "ffmpeg")), SETTINGS)

    @pytest.mark.usefixtures("no_pyav")
    @pytest.mark.parametrize("fault", ["kill -KILL $$", "kill -TERM $$", f"exit {256 - errno.EAGAIN}"])
    @pytest.mark.parametrize("prober", ["ffprobe", "ffmpeg"])
    def test_probing(self, clips: Callable[[str], Path], tmp_path: Path, fault: str, prober: str) -> None:
        path = program(tmp_path / prober, fault)
        with pytest.raises(FFmpegError) as caught:
            probe(clips("plain"), Binaries(path, path if prober == "ffprobe" else None))
        assert caught.value.retryable

    def test_a_single_frame(self, clips: Callable[[str], Path], tmp_path: Path) -> None:
        ffmpeg = program(tmp_path / "ffmpeg", 'case "$*" in -version) echo ffmpeg version 1;; *) kill -KILL $$;; esac')
        with pytest.raises(MediaError) as caught:
            last_frame(clips("plain"), MediaSettings(ffmpeg_path=ffmpeg))
        assert caught.value.retryable


def test_the_packaged_binary_is_the_one_of_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    assert shutil.which(find_binaries().ffmpeg)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/opt/ffmpeg")
    assert find_binaries().ffmpeg == "/opt/ffmpeg"
