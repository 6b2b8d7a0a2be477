"""A file is what its bytes are, whatever its name, its brand or what stands before."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_measures import ffmpeg as run_ffmpeg

from airflow_provider_klingvideo.media import VerificationError, file_type, require_type
from airflow_provider_klingvideo.media.inspect.filetypes import FILE_TYPES, is_animated, type_at

SINE = ["-f", "lavfi", "-i", "sine=duration=0.6"]
PICTURES = ["-f", "lavfi", "-i", "testsrc=size=320x320:rate=5:duration=0.6"]
MOTION = [*PICTURES, "-c:v", "libx264", "-pix_fmt", "yuv420p"]
STILL = [*PICTURES, "-frames:v", "1"]
MPEG4 = [*SINE, "-c:a", "aac", "-f", "mp4"]

# How ffmpeg makes it, and what it is.
MADE: dict[str, tuple[list[str], str]] = {
    "ipod": ([*SINE, "-f", "ipod"], "m4a"),
    "mp42": ([*MPEG4, "-brand", "mp42"], "m4a"),
    "isom": (MPEG4, "m4a"),
    "3gp4": ([*MPEG4, "-brand", "3gp4"], "m4a"),
    "dash": ([*MPEG4, "-brand", "dash", "-movflags", "+empty_moov+frag_keyframe"], "m4a"),
    "audiobook": ([*MPEG4, "-brand", "M4B "], "m4a"),
    "quicktime sound": ([*SINE, "-c:a", "aac", "-f", "mov"], "m4a"),
    "index behind": ([*SINE, *MOTION, "-c:a", "aac", "-f", "mp4"], "mp4"),
    "index first": ([*MOTION, "-f", "mp4", "-movflags", "+faststart"], "mp4"),
    "fragments": ([*MOTION, "-f", "mp4", "-movflags", "+empty_moov+frag_keyframe"], "mp4"),
    "branded as sound": ([*MOTION, "-f", "mp4", "-brand", "M4A "], "mp4"),
    "quicktime": ([*MOTION, "-f", "mov"], "mp4"),
    "tagged mp3": ([*SINE, "-metadata", f"title={'x' * 900}", "-f", "mp3"], "mp3"),
    "bare mp3": ([*SINE, "-id3v2_version", "0", "-write_xing", "0", "-f", "mp3"], "mp3"),
    "slow mp3": ([*SINE, "-ar", "8000", "-b:a", "8k", "-f", "mp3"], "mp3"),
    "aac": ([*SINE, "-f", "adts"], "aac"),
    "wav": ([*SINE, "-f", "wav"], "wav"),
    "wav of 24 bits": ([*SINE, "-c:a", "pcm_s24le", "-ac", "6", "-f", "wav"], "wav"),
    "large wav": ([*SINE, "-rf64", "always", "-f", "wav"], "wav"),
    "jpeg": ([*STILL, "-f", "mjpeg"], "jpg"),
    "png": ([*STILL, "-f", "image2pipe", "-c:v", "png"], "png"),
    "animated png": ([*PICTURES, "-f", "apng"], "png"),
    "webp": ([*STILL, "-f", "webp"], "webp"),
    "animated webp": ([*PICTURES, "-f", "webp"], "webp"),
    "gif": ([*PICTURES, "-f", "gif"], "gif"),
    "avif": ([*STILL, "-f", "avif"], "avif"),
    "bmp": ([*STILL, "-f", "image2pipe", "-c:v", "bmp"], "bmp"),
    "tiff": ([*STILL, "-f", "image2pipe", "-c:v", "tiff"], "tiff"),
    "matroska": ([*MOTION, "-f", "matroska"], "mkv"),
    "transport stream": ([*MOTION, "-f", "mpegts"], "ts"),
    "avi": ([*MOTION, "-f", "avi"], "avi"),
    "flv": ([*MOTION, "-f", "flv"], "flv"),
    "flac": ([*SINE, "-f", "flac"], "flac"),
    "ogg": ([*SINE, "-f", "ogg"], "ogg"),
    "aiff": ([*SINE, "-f", "aiff"], "aiff"),
}
ANIMATED = {"animated png", "animated webp"}
USED = ("png", "jpg", "webp", "wav", "m4a", "mp4", "mp3", "aac", "srt", "ass")
CUE = "1\n00:00:00,000 --> 00:00:02,000\nHello\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    folder = tmp_path_factory.mktemp("types")

    def make(name: str) -> bytes:
        path = folder / name.replace(" ", "-")
        if not path.exists():
            run_ffmpeg(*MADE[name][0], path)
        return path.read_bytes()

    return make


@pytest.mark.parametrize("name", MADE)
def test_what_ffmpeg_makes_is_known(made: Callable[[str], bytes], name: str) -> None:
    content = made(name)
    found = file_type(content)
    assert found is not None
    assert found.extension == MADE[name][1]
    assert is_animated(content) == (name in ANIMATED)


@pytest.mark.parametrize("name", [name for name in MADE if MADE[name][1] in USED])
def test_the_file_is_whole_under_any_name(made: Callable[[str], bytes], tmp_path: Path, name: str) -> None:
    path = tmp_path / "picture.of.nothing"
    path.write_bytes(made(name))
    assert type_at(path, USED).extension == MADE[name][1]


@pytest.mark.parametrize("name", ["isom", "index first", "index behind", "png", "jpeg", "webp", "wav"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_file_that_was_cut_off_is_told(made: Callable[[str], bytes], name: str, kept: float) -> None:
    content = made(name)
    with pytest.raises(VerificationError, match="was cut off"):
        require_type(content[: int(len(content) * kept)], USED)


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def track(handler: bytes, coding: bytes) -> bytes:
    table = box(b"stsd", bytes(4), struct.pack(">I", 1), box(coding, bytes(28)))
    information = box(b"minf", box(b"stbl", table))
    return box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(13)), information))


STILL_INDEX = box(b"meta", bytes(4), box(b"hdlr", bytes(8), b"pict", bytes(13)))


@pytest.mark.parametrize(
    ("content", "extension"),
    [
        (box(b"moov", track(b"vide", b"avc1")) + box(b"mdat"), "mp4"),
        (box(b"wide") + box(b"mdat", b"x") + box(b"moov", track(b"vide", b"avc1")), "mp4"),
        (box(b"mdat", b"x") + box(b"moov", track(b"soun", b"mp4a")), "m4a"),
        # An audio book has stills for its chapters.
        (box(b"ftyp", b"M4B \0\0\0\0") + box(b"moov", track(b"soun", b"mp4a"), track(b"vide", b"jpeg")), "m4a"),
        (
            box(b"ftyp", b"mif1\0\0\0\0mif1heic") + box(b"meta", bytes(4), box(b"hdlr", bytes(8), b"pict", bytes(13))),
            "heic",
        ),
        (box(b"ftyp", b"avif\0\0\0\0") + STILL_INDEX, "avif"),
    ],
)
def test_the_tracks_decide_and_not_the_brand(content: bytes, extension: str) -> None:
    found = file_type(content)
    assert found is not None
    assert found.extension == extension


@pytest.mark.parametrize(
    "before",
    [b"", bytes(5000), b"\xff\xfb" * 99, b"ID3\4\0\0\0\0\1\0" + bytes(128), b"ID3\3\0\0\0\0\0\0" * 3, b"\xff" * 40],
)
def test_mp3_is_found_behind_what_stands_before_it(made: Callable[[str], bytes], before: bytes) -> None:
    found = file_type(before + made("bare mp3"))
    assert found is not None
    assert found.extension == "mp3"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n\n<html lang='en'>", "a web page"),
        (b"<?xml version='1.0'?><html>", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "XML"),
        (b"<svg xmlns='x'>", "SVG"),
        (b'{"error": "no"}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:x", "a Git LFS pointer"),
        (b"#EXTM3U\nhttp://127.0.0.1/a.ts\n", "a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "a playlist"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"Dear reader, this is a letter", "text"),
        ("\ufeffdear reader".encode("utf-16"), "text"),
        (b"wOF2rest", "a WOFF font"),
        (b"GIF89a" + bytes(20), "GIF"),
        (CUE.encode(), "SRT"),
    ],
)
def test_what_came_instead_is_said(content: bytes, name: str) -> None:
    with pytest.raises(VerificationError, match=f"This is no PNG or JPEG file; .* and is {name}") as caught:
        require_type(content, ("png", "jpg"))
    assert caught.value.message.endswith(f" and is {name}")
    assert "\n" not in caught.value.message


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(VerificationError, match="The file is empty"):
        type_at(tmp_path / "a.png", USED)


@pytest.mark.parametrize("before", ["", "\n", "\n \r\n", "\ufeff", "\ufeff\n\n"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_subtitles_are_known_however_they_were_written(before: str, ends: str, encoding: str) -> None:
    found = file_type((before + CUE).replace("\n", ends).encode(encoding))
    assert found is not None
    assert found.extension == "srt"


@given(st.sampled_from([b"", b"ID3", b"\xff\xfb", b"\0\0\0\x18ftypmp42", b"RIFF", b"\x89PNG\r\n\x1a\n"]), st.binary())
def test_any_bytes_are_something_or_nothing(head: bytes, rest: bytes) -> None:
    found = file_type(head + rest)
    assert found is None or found in FILE_TYPES
    is_animated(head + rest)
    if found:
        with suppress(VerificationError):
            assert require_type(head + rest, USED) is found
