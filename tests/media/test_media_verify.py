from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.media import Expected, FFmpegError, MediaSettings, VerificationError
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.inspect.verify import inspect, require_decodable

SETTINGS = MediaSettings()


def flip_pictures(source: Path, target: Path) -> Path:
    """Damage the data in the middle of a file; boxes and streams stay as they are."""
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    for offset in range(middle, middle + 4000):
        data[offset] ^= 0x55
    target.write_bytes(data)
    return target


def test_a_good_clip_passes(clips: Callable[[str], Path], binaries: Binaries) -> None:
    media = inspect(clips("plain"), binaries, Expected(duration=2.041, audio=True), SETTINGS)
    assert media.boxes.faststart
    assert media.info.video_codec == "h264"
    assert media.warnings == ()
    require_decodable(clips("plain"), binaries, SETTINGS)


@pytest.mark.parametrize(
    ("name", "audio", "words"), [("silent", True, []), ("plain", False, ["unexpected"]), ("silent", None, [])]
)
def test_sound_that_was_not_ordered_is_told(
    clips: Callable[[str], Path], binaries: Binaries, name: str, audio: bool | None, words: list[str]
) -> None:
    warnings = inspect(clips(name), binaries, Expected(audio=audio), SETTINGS).warnings
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))


@pytest.mark.parametrize("seconds", [0.9, 3.1])
def test_another_duration_than_reported_is_refused(
    clips: Callable[[str], Path], binaries: Binaries, seconds: float
) -> None:
    with pytest.raises(VerificationError, match=r"lasts 2\.00 s") as caught:
        inspect(clips("plain"), binaries, Expected(duration=seconds), SETTINGS)
    assert caught.value.money is Money.BILLED
    inspect(clips("plain"), binaries, Expected(duration=seconds), replace(SETTINGS, duration_tolerance=1.2))


def test_huge_pictures_are_refused_before_decoding(clips: Callable[[str], Path], binaries: Binaries) -> None:
    with pytest.raises(VerificationError, match="320x180"):
        inspect(clips("plain"), binaries, Expected(), replace(SETTINGS, max_pixels=320 * 180 - 1))


@pytest.mark.usefixtures("no_pyav")
def test_a_video_without_duration_is_refused(clips: Callable[[str], Path], tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho '  Stream #0:0: Video: h264, yuv420p, 64x32' >&2\n")
    program.chmod(0o755)
    with pytest.raises(VerificationError, match="no duration"):
        inspect(clips("plain"), Binaries(str(program)), Expected(), SETTINGS)


@pytest.mark.parametrize("name", ["plain", "moov_last"])
def test_truncated_files_are_refused(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path, name: str
) -> None:
    half = tmp_path / "half.mp4"
    half.write_bytes(clips(name).read_bytes()[: clips(name).stat().st_size * 2 // 3])
    with pytest.raises(VerificationError, match="truncated"):
        inspect(half, binaries, Expected(), SETTINGS)


def test_flipped_bits_are_found_by_decoding_only(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
) -> None:
    damaged = flip_pictures(clips("plain"), tmp_path / "damaged.mp4")
    inspect(damaged, binaries, Expected(duration=2), SETTINGS)
    with pytest.raises(VerificationError, match="does not decode"):
        require_decodable(damaged, binaries, SETTINGS)


def test_a_decode_that_was_ended_proves_nothing(clips: Callable[[str], Path], tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nkill -KILL $$\n")
    program.chmod(0o755)
    with pytest.raises(FFmpegError):
        require_decodable(clips("plain"), Binaries(str(program)), SETTINGS)
