from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from airflow_provider_klingvideo.media import FFmpegMissingError, find_binaries
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries


def program(path: Path, text: str = "echo ffmpeg version 1") -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_path_comes_before_the_package(folder: Path) -> None:
    ffmpeg = program(folder / "ffmpeg")
    assert find_binaries() == Binaries(ffmpeg, None)


def test_the_package_is_the_fallback_and_ffprobe_is_found_by_itself(folder: Path) -> None:
    ffprobe = program(folder / "ffprobe")
    found = find_binaries()
    assert "imageio_ffmpeg" in found.ffmpeg
    assert found.ffprobe == ffprobe


def test_an_explicit_path_comes_first_with_the_ffprobe_beside_it(folder: Path, tmp_path: Path) -> None:
    program(folder / "ffmpeg")
    program(folder / "ffprobe")
    ffmpeg = program(tmp_path / "ffmpeg")
    assert find_binaries(ffmpeg) == Binaries(ffmpeg, str(folder / "ffprobe"))
    ffprobe = program(tmp_path / "ffprobe")
    assert find_binaries(ffmpeg) == Binaries(ffmpeg, ffprobe)


@pytest.mark.parametrize("text", ["echo hello", "exit 1"])
def test_an_explicit_path_that_is_no_ffmpeg_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FFmpegMissingError, match="other"):
        find_binaries(program(tmp_path / "other", text))


def test_an_explicit_path_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FFmpegMissingError, match="could not be started: No such file"):
        find_binaries(str(tmp_path / "nothing"))


@pytest.mark.usefixtures("folder")
class TestWithoutAny:
    def test_package_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
        with pytest.raises(FFmpegMissingError, match="pip install") as caught:
            find_binaries()
        assert not caught.value.retryable

    def test_package_without_a_binary_for_this_platform(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "imageio_ffmpeg.py").write_text("def get_ffmpeg_exe():\n    raise RuntimeError('No ffmpeg exe')\n")
        monkeypatch.delitem(sys.modules, "imageio_ffmpeg", raising=False)
        monkeypatch.syspath_prepend(str(tmp_path))
        with pytest.raises(FFmpegMissingError, match="apt-get install ffmpeg"):
            find_binaries()
        monkeypatch.delitem(sys.modules, "imageio_ffmpeg")


class TestFeatures:
    def test_are_those_of_the_binary(self, binaries: Binaries) -> None:
        assert {"libx264", "aac", "mjpeg"} <= binaries.features.encoders
        assert {"split", "thumbnail", "tile", "scale"} <= binaries.features.filters
        assert not {"=", "Video", "Audio"} & (binaries.features.encoders | binaries.features.filters)

    def test_are_asked_once_until_the_binary_changes(self, tmp_path: Path) -> None:
        path = tmp_path / "ffmpeg"
        log = tmp_path / "log"
        ffmpeg = program(path, f'echo asked >> {log}; echo " V....D first  An encoder"')
        found = [Binaries(ffmpeg).features, Binaries(ffmpeg).features]
        assert found[0].encoders == found[1].encoders == {"first"}
        assert log.read_text().count("asked") == 2
        program(path, 'echo " V....D second  An encoder"')
        os.utime(path, ns=(1, 1))
        assert Binaries(ffmpeg).features.encoders == {"second"}

    def test_a_broken_binary_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(FFmpegMissingError, match="does not run"):
            _ = Binaries(program(tmp_path / "ffmpeg", "exit 1")).features


def test_the_programs_of_this_machine_are_found() -> None:
    assert shutil.which(find_binaries().ffmpeg)
