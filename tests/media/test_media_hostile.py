"""Broken and hostile files: the table of what may come instead of a video, and where each is caught."""

from __future__ import annotations

import random
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ffmpeg
import pytest
from media_measures import ffmpeg as run_bare

from airflow_provider_klingvideo.media import (
    Expected,
    FFmpegError,
    MediaError,
    MediaSettings,
    Output,
    VerificationError,
    last_frame,
)
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.ffmpeg.graphs import decode_everything, open_source
from airflow_provider_klingvideo.media.ffmpeg.runner import ffmpeg_command, run_ffmpeg
from airflow_provider_klingvideo.media.inspect.verify import inspect
from airflow_provider_klingvideo.media.outputs.render import render
from airflow_provider_klingvideo.storage.errors import StorageError

SETTINGS = MediaSettings(threads=1, ffmpeg_seconds=60)
PLAYLIST = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{}'\n"


def png(width: int, height: int) -> bytes:
    """A picture that needs far more memory than its file has bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(width + 1) * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


NOT_MP4 = {
    "nothing": b"",
    "a web page": b"<!doctype html><html>busy</html>",
    "an error document": b'{"code": 1, "message": "no"}',
    "an XML error": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "noise": random.Random(1).randbytes(5000),
    "zeros": bytes(5000),
    "a huge picture": png(20000, 20000),
    "a list of files": CONCAT.format("plain.mp4").encode(),
    "a playlist": PLAYLIST.format("plain.mp4").encode(),
    "a playlist of a server": PLAYLIST.format("http://127.0.0.1:9/a.ts").encode(),
    "a playlist of system files": PLAYLIST.format("file:///etc/passwd").encode(),
}


@pytest.mark.parametrize("name", NOT_MP4)
def test_what_is_no_mp4_is_refused_by_its_first_bytes(binaries: Binaries, tmp_path: Path, name: str) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(NOT_MP4[name])
    with pytest.raises(VerificationError, match=r"no MP4 file|is empty"):
        inspect(path, binaries, Expected(), SETTINGS)


def test_a_missing_file_is_a_storage_error(binaries: Binaries, tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        inspect(tmp_path / "nothing.mp4", binaries, Expected(), SETTINGS)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("clip", ["plain", "moov_last"])
def test_truncation_is_noticed_wherever_the_index_lies(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path, clip: str, kept: float
) -> None:
    whole = clips(clip).read_bytes()
    path = tmp_path / "video.mp4"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(VerificationError, match="truncated"):
        inspect(path, binaries, Expected(), SETTINGS)


def test_sound_alone_is_refused(clips: Callable[[str], Path], binaries: Binaries) -> None:
    with pytest.raises(VerificationError, match="no video track"):
        inspect(clips("sound_only"), binaries, Expected(), SETTINGS)


def test_more_pixels_than_allowed_are_refused_before_they_are_decoded(
    clips: Callable[[str], Path], binaries: Binaries
) -> None:
    with pytest.raises(VerificationError, match="is not decoded"):
        inspect(clips("plain"), binaries, Expected(), replace(SETTINGS, max_pixels=1000))


@pytest.mark.parametrize("preset", ["poster", "web", "gif", "sprite"])
def test_flipped_bits_are_found_whatever_is_made(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path, preset: str
) -> None:
    data = bytearray(clips("plain").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(value ^ 0x55 for value in data[middle : middle + 4000])
    path = tmp_path / "video.mp4"
    path.write_bytes(data)
    media = inspect(path, binaries, Expected(), SETTINGS)
    with pytest.raises(VerificationError, match="does not decode"):
        render(media, [Output(preset=preset)], tmp_path, binaries, SETTINGS)


def test_a_codec_that_nobody_expects_is_not_decoded(binaries: Binaries, tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    run_bare("-f", "lavfi", "-i", "testsrc2=s=320x180:d=1", "-c:v", "mpeg4", path)
    with pytest.raises(VerificationError, match=r"Pictures of mpeg4 are not decoded|Codec \(mpeg4\) not on whitelist"):
        inspect(path, binaries, Expected(), SETTINGS)
    with pytest.raises(FFmpegError, match=r"Codec \(mpeg4\) not on whitelist"):
        last_frame(path, SETTINGS)
    run_bare("-i", path, "-f", "null", "-")


class TestPlaylists:
    """A text that names other files opens none of them, even where nothing has looked at its first bytes."""

    @pytest.fixture(params=[CONCAT, PLAYLIST], ids=["concat", "hls"])
    def hostile(self, request: pytest.FixtureRequest, clips: Callable[[str], Path], tmp_path: Path) -> str:
        shutil.copy(clips("plain"), tmp_path / "plain.mp4")
        return str(request.param).format("plain.mp4")

    @pytest.mark.parametrize("name", ["evil.mp4", "evil.m3u8", "evil.txt"])
    def test_are_not_decoded(self, hostile: str, binaries: Binaries, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text(hostile)
        output = decode_everything(open_source(tmp_path / name))
        with pytest.raises(FFmpegError):
            run_ffmpeg(ffmpeg.compile(output, cmd=ffmpeg_command(binaries.ffmpeg)), timeout=60)

    @pytest.mark.parametrize("name", ["evil.mp4", "evil.m3u8"])
    def test_give_no_last_frame(self, hostile: str, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text(hostile)
        with pytest.raises(MediaError):
            last_frame(tmp_path / name, SETTINGS)

    def test_are_followed_by_ffmpeg_left_alone(self, hostile: str, binaries: Binaries, tmp_path: Path) -> None:
        """Otherwise the tests above would prove nothing."""
        (tmp_path / "evil.m3u8").write_text(hostile)
        argv = [*ffmpeg_command(binaries.ffmpeg), "-i", str(tmp_path / "evil.m3u8"), "-f", "null", "-"]
        run_ffmpeg(argv, timeout=60)


def test_a_part_behind_the_end_of_the_video_is_left_out(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
) -> None:
    media = inspect(clips("plain"), binaries, Expected(), SETTINGS)
    late = Output.model_validate({"preset": "poster", "trim": {"start": 2.5}})
    open_ended = Output.model_validate({"preset": "web", "trim": {"start": 1.5, "end": 99}})
    rendered = render(media, [late, open_ended], tmp_path, binaries, SETTINGS)
    assert rendered.warnings == ("poster.jpg was left out: `trim.start` is 2.5 s, but the video lasts 2 s",)
    assert [one.shape.duration for one in rendered.outputs] == [0.5]


def test_names_of_files_are_only_names(clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path) -> None:
    folder = tmp_path / "a:b 'x' [v];[w] \u96e8"
    folder.mkdir()
    path = folder / "-i.mp4"
    shutil.copy(clips("plain"), path)
    media = inspect(path, binaries, Expected(), SETTINGS)
    outputs = [Output(preset=name) for name in ("master", "hls", "poster", "gif")]
    rendered = render(media, outputs, folder, binaries, SETTINGS, measures=["black", "silent"])
    assert (rendered.warnings, rendered.failures) == ((), ())
    assert [one.main.relative_to(folder).as_posix() for one in rendered.outputs] == [
        "master/master.mp4",
        "hls/index.m3u8",
        "poster/poster.jpg",
        "gif/gif.gif",
    ]
    assert rendered.outputs[1].others[1].name == "segment-00000.m4s"


def test_segments_that_ffmpeg_did_not_write_are_missed(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
) -> None:
    """It cannot write segments into such a folder, and ends well all the same."""
    folder = tmp_path / "50%d"
    media = inspect(clips("plain"), binaries, Expected(), SETTINGS)
    rendered = render(media, [Output(preset="master"), Output(preset="hls")], folder, binaries, SETTINGS)
    assert rendered.warnings == ("hls/index.m3u8 was left out: ffmpeg wrote no hls/index.m3u8",)
    assert [one.output.preset for one in rendered.outputs] == ["master"]
