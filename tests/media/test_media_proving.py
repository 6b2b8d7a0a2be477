"""What goes into a film or an output is found useless before ffmpeg makes anything of it, and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_measures import ffmpeg as run_ffmpeg

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.media import (
    Clip,
    FilmError,
    FilmPlan,
    MediaSettings,
    PlanError,
    RenderPlan,
    assemble,
    require_usable_files,
)
from airflow_provider_klingvideo.media.decor.fonts import default_font
from airflow_provider_klingvideo.media.decor.subtitle_text import subtitles_in
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries

SINE = ["-f", "lavfi", "-i", "sine=duration=0.5"]
PICTURES = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=0.6"]
MOTION = [*PICTURES, "-c:v", "libx264", "-pix_fmt", "yuv420p"]
CUE = "1\n00:00:00,000 --> 00:00:02,000\nHello\n"
# A header of 16 bits mono without a sample.
NO_SOUND = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x44\xac\0\0\x88\x58\1\0\2\0\x10\0data\0\0\0\0"
SECOND = "2\n00:00:03,000 --> 00:00:04,000\nBye\x1a"
STYLED = "[Events]\nFormat: Layer, Start, End, Text\nDialogue: 0,0:00:01.00,0:00:02.00,Hi\n"

BAD_SOUNDS: dict[str, tuple[list[str] | bytes, str]] = {
    "pcm.mp4": ([*SINE, "-c:a", "pcm_s16le"], "stream 0: its codec pcm_s16le is not decoded"),
    "pcm beside pictures.mp4": ([*SINE, *MOTION, "-c:a", "pcm_s16le"], r"stream \d: its codec pcm_s16le is not"),
    "dolby.m4a": ([*SINE, "-c:a", "ac3", "-f", "mp4"], "stream 0: its codec ac3 is not decoded"),
    "adpcm.wav": ([*SINE, "-c:a", "adpcm_ms"], "stream 0: its codec adpcm_ms is not decoded"),
    "silent.mp4": (MOTION, "stream 0 is Video h264"),
    "nothing.wav": (NO_SOUND, "it has no sound in it"),
    "song.flac": ([*SINE], "and is FLAC"),
    "song.ogg": ([*SINE, "-c:a", "libvorbis"], "and is Ogg"),
    "page.mp3": (b"<html>sorry</html>", "and is a web page"),
    "empty.mp3": (b"", "The file is empty"),
    "list.mp3": (b"#EXTM3U\nhttp://127.0.0.1/a.ts\n", "and is a playlist"),
    "picture.mp3": ([*PICTURES, "-frames:v", "1", "-f", "image2pipe", "-c:v", "png"], "and is PNG"),
}
GOOD_SOUNDS: dict[str, list[str]] = {
    "seven.wav": ["-f", "lavfi", "-i", "anoisesrc=d=0.3", "-af", "pan=7.1|c0=c0|c1=c0|c7=c0", "-c:a", "pcm_s24le"],
    "odd.wav": [*SINE, "-ar", "11025"],
    "fast.wav": [*SINE, "-ar", "192000", "-c:a", "pcm_f32le"],
    "telephone.wav": [*SINE, "-c:a", "pcm_mulaw", "-ar", "8000"],
    "large.wav": [*SINE, "-rf64", "always"],
    "voice of a phone.m4a": [*SINE, "-c:a", "aac", "-f", "mp4", "-brand", "mp42"],
    "lossless.m4a": [*SINE, "-c:a", "alac"],
    "wrong name.txt": [*SINE, "-f", "adts"],
    "bare.mp3": [*SINE, "-id3v2_version", "0", "-write_xing", "0"],
    "of a video.mp4": [*SINE, *MOTION, "-c:a", "aac"],
}
BAD_PICTURES: dict[str, tuple[list[str] | bytes, str]] = {
    "video.png": ([*MOTION, "-f", "mp4"], "and is MP4"),
    "moving.gif": (PICTURES, "and is GIF"),
    "moving.png": ([*PICTURES, "-f", "apng"], "is an animated PNG"),
    "moving.webp": (PICTURES, "is an animated WebP"),
    "photograph.jpg": ([*PICTURES, "-frames:v", "1", "-f", "avif"], "and is AVIF"),
    "page.jpg": (b"<!doctype html><html>", "and is a web page"),
    "empty.png": (b"", "The file is empty"),
}
BAD_FONTS: dict[str, tuple[bytes, str]] = {
    "letters.ttf": (b"these are no letters", "and is text"),
    "web.woff": (b"wOFF" + bytes(40), "and is a WOFF font"),
    "web.woff2": (b"wOF2" + bytes(40), "and is a WOFF font"),
    "broken.ttf": (b"\0\1\0\0" + bytes(60), "was cut off: not all of its 0 tables"),
    "broken.ttc": (b"ttcf" + bytes(60), "was cut off: not all of its 0 tables"),
    "empty.ttf": (b"", "The file is empty"),
    "page.ttf": (b"<html>", "and is a web page"),
}
BAD_SUBTITLES: dict[str, tuple[bytes, str]] = {
    "latin.srt": (CUE.replace("Hello", "café").encode("latin-1"), "line 3: not in UTF-8: the byte 0xe9"),
    "page.srt": (b"<html>", "and is a web page"),
    "empty.srt": (b"", "The file is empty"),
    "arrow.srt": (b"1\n00:00:00,000 --> never\nHello\n", "line 2: '00:00:00,000 --> never' says not when"),
    "backwards.srt": (b"1\n00:00:03,000 --> 00:00:02,000\nHello\n", "line 2: .* says not when"),
    "lost.srt": (f"{CUE}\n2\n00:00:0x,000 -> 00:00:09,000\nlost\n".encode(), "line 6: .* says not when"),
    "list.srt": (b"ffconcat version 1.0\nfile /etc/passwd\n", "and is a playlist"),
    "notes.srt": (b"1. buy milk\n2. sleep\n", "and is text"),
}
BAD = [
    *(("music", name) for name in BAD_SOUNDS),
    ("voice", "pcm.mp4"),
    *(("logo", name) for name in BAD_PICTURES),
    *(("title", name) for name in BAD_FONTS),
    *(("subtitles", name) for name in BAD_SUBTITLES),
]
FILES: dict[str, Any] = {**BAD_SOUNDS, **BAD_PICTURES, **BAD_FONTS, **BAD_SUBTITLES}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("shelf")

    def take(name: str) -> Path:
        path, made = folder / name, FILES[name][0] if name in FILES else GOOD_SOUNDS[name]
        if isinstance(made, bytes):
            path.write_bytes(made)
        elif not path.exists():
            run_ffmpeg(*made, path)
        return path

    return take


def carrying(field: str, path: Path) -> dict[str, Any]:
    return {field: {"text": "Fox", "fontfile": str(path)} if field == "title" else str(path)}


@pytest.mark.parametrize(("field", "name"), BAD)
def test_a_render_plan_is_refused_before_anything_is_ordered(
    shelf: Callable[[str], Path], settings: MediaSettings, field: str, name: str
) -> None:
    plan = RenderPlan.parse(["master", {"preset": "web", **carrying(field, shelf(name))}])
    with pytest.raises(PlanError, match=FILES[name][1]) as caught:
        require_usable_files(plan, Path, settings)
    assert caught.value.faults[0].where.startswith(f"outputs.1.{field} ")
    assert (caught.value.retryable, caught.value.money) == (False, Money.NONE)


@pytest.mark.parametrize(("field", "name"), BAD)
def test_a_film_is_refused_before_it_is_made(
    shelf: Callable[[str], Path],
    clips: Callable[[str], Path],
    settings: MediaSettings,
    tmp_path: Path,
    field: str,
    name: str,
) -> None:
    with pytest.raises(FilmError, match=FILES[name][1]) as caught:
        assemble(
            [Clip(clips("plain"))], FilmPlan.parse(carrying(field, shelf(name))), tmp_path / "film", settings=settings
        )
    assert caught.value.faults[0].where.startswith(f"{field} ")
    assert (caught.value.retryable, caught.value.money) == (False, Money.NONE)


@pytest.mark.parametrize("name", GOOD_SOUNDS)
def test_any_sound_that_decodes_can_be_heard(shelf: Callable[[str], Path], settings: MediaSettings, name: str) -> None:
    require_usable_files(RenderPlan.parse([{"preset": "web", "music": str(shelf(name))}]), Path, settings)


def test_fonts_and_stills_and_subtitles_can_be_used(settings: MediaSettings, tmp_path: Path) -> None:
    run_ffmpeg(*PICTURES, "-frames:v", 1, tmp_path / "logo.png")
    (tmp_path / "words.srt").write_bytes(b"\n" + CUE.encode())
    output = {"preset": "web", "logo": str(tmp_path / "logo.png"), "subtitles": str(tmp_path / "words.srt")}
    plan = RenderPlan.parse([output | {"title": {"text": "Fox", "fontfile": str(default_font())}}])
    require_usable_files(plan, Path, settings)


def test_encrypted_sound_is_said_to_be_encrypted(
    shelf: Callable[[str], Path], settings: MediaSettings, tmp_path: Path
) -> None:
    bought = tmp_path / "bought.m4a"
    bought.write_bytes(shelf("lossless.m4a").read_bytes().replace(b"alac", b"drms", 1))
    with pytest.raises(PlanError, match="stream 0: it is encrypted"):
        require_usable_files(RenderPlan.parse([{"preset": "web", "voice": str(bought)}]), Path, settings)


def test_all_files_are_named_at_once_and_each_is_fetched_once(
    shelf: Callable[[str], Path], settings: MediaSettings
) -> None:
    opened: list[str] = []

    def open_path(name: str) -> Path:
        opened.append(name)
        return Path(name)

    bad, page = str(shelf("pcm.mp4")), str(shelf("page.jpg"))
    plan = RenderPlan.parse(
        [
            {"preset": "web", "music": bad, "logo": page},
            {"preset": "webm", "music": bad},
            {"preset": "hls", "voice": "none.mp3"},
        ]
    )
    with pytest.raises(PlanError) as caught:
        require_usable_files(plan, open_path, settings)
    assert [fault.where.split()[0] for fault in caught.value.faults] == [
        "outputs.0.logo",
        "outputs.0.music",
        "outputs.2.voice",
    ]
    assert "there is no such file" in caught.value.faults[2].what
    assert sorted(opened) == sorted([bad, page, "none.mp3"])


def test_a_store_that_cannot_be_asked_now_may_be_asked_again(settings: MediaSettings) -> None:
    def open_path(_name: str) -> Path:
        raise ConnectionError("the store does not answer")

    with pytest.raises(PlanError, match=r"outputs\.0\.music 'a\.mp3' cannot be read: .*does not answer") as caught:
        require_usable_files(RenderPlan.parse([{"preset": "web", "music": "a.mp3"}]), open_path, settings)
    assert (caught.value.retryable, caught.value.money) == (True, Money.NONE)


def test_without_ffmpeg_the_bytes_are_looked_at(
    shelf: Callable[[str], Path], settings: MediaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("airflow_provider_klingvideo.media.ffmpeg.binaries._packaged", lambda: None)
    require_usable_files(RenderPlan.parse([{"preset": "web", "music": str(shelf("pcm.mp4"))}]), Path, settings)
    with pytest.raises(PlanError, match="and is a web page"):
        require_usable_files(RenderPlan.parse([{"preset": "web", "music": str(shelf("page.mp3"))}]), Path, settings)


class TestClips:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ([*SINE, *MOTION, "-c:a", "pcm_s16le"], "The first sound stream is pcm_s16le"),
            ([*PICTURES, "-c:v", "mpeg4"], "mpeg4"),
            ([*SINE, "-c:a", "aac"], "no video track"),
        ],
    )
    def test_a_clip_that_cannot_be_decoded_is_named(
        self, settings: MediaSettings, tmp_path: Path, options: list[str], words: str
    ) -> None:
        run_ffmpeg(*options, tmp_path / "clip.mp4")
        with pytest.raises(FilmError, match=f"Clip 1, .*clip.mp4.*{words}") as caught:
            assemble([Clip(tmp_path / "clip.mp4")], FilmPlan(), tmp_path / "film", settings=settings)
        assert (caught.value.retryable, caught.value.money) == (False, Money.NONE)

    def test_an_encrypted_clip_is_said_to_be_encrypted(
        self, clips: Callable[[str], Path], settings: MediaSettings, tmp_path: Path
    ) -> None:
        (tmp_path / "clip.mp4").write_bytes(clips("plain").read_bytes().replace(b"avc1\0\0", b"encv\0\0", 1))
        with pytest.raises(FilmError, match=r"Clip 1, .*Stream 0 is encrypted"):
            assemble([Clip(tmp_path / "clip.mp4")], FilmPlan(), tmp_path / "film", settings=settings)

    def test_a_damaged_clip_is_named_and_not_tried_again(
        self, clips: Callable[[str], Path], settings: MediaSettings, tmp_path: Path
    ) -> None:
        content = bytearray(clips("plain").read_bytes())
        content[len(content) // 2 : len(content) // 2 + 600] = bytes(600)
        (tmp_path / "clip.mp4").write_bytes(content)
        plan = FilmPlan.parse({"transition": "fade"})
        with pytest.raises(FilmError, match=r"clip 2: .*does not decode") as caught:
            assemble([Clip(clips("plain")), Clip(tmp_path / "clip.mp4")], plan, tmp_path / "film", settings=settings)
        assert (caught.value.retryable, caught.value.money) == (False, Money.NONE)

    def test_a_missing_ffmpeg_says_nothing_of_money(self, clips: Callable[[str], Path], tmp_path: Path) -> None:
        settings = MediaSettings(ffmpeg_path=str(tmp_path / "none"))
        with pytest.raises(Exception, match="No money was spent"):
            assemble([Clip(clips("plain"))], FilmPlan(), tmp_path / "film", settings=settings)


class TestSubtitles:
    @pytest.mark.parametrize(
        ("text", "times"),
        [
            (f"\n{CUE}", ["00:00:00,000 --> 00:00:02,000"]),
            (f"Made by a program\n{CUE}", ["00:00:00,000 --> 00:00:02,000"]),
            ("00:00:00.5 --> 00:00:02.25\nHi\n", ["00:00:00,500 --> 00:00:02,250"]),
            ("1\n100:00:00,000 --> 101:00:00,000\nfar\n", ["100:00:00,000 --> 101:00:00,000"]),
            ("1\n0:0:0,0 --> 0:0:2,0\nHi\n", ["00:00:00,000 --> 00:00:02,000"]),
            ("1\n00:01,000 --> 00:02,000\nHi\n", ["00:00:01,000 --> 00:00:02,000"]),
            ("1\n00:00:00,000 -> 00:00:02,000\nHi\n", ["00:00:00,000 --> 00:00:02,000"]),
            (f"{CUE.strip()} align:start\n", ["00:00:00,000 --> 00:00:02,000"]),
            ("1\n00:00:00,000 --> 00:00:02,000 X1:1 X2:2 Y1:3 Y2:4\nHi\n", ["00:00:00,000 --> 00:00:02,000"]),
            (
                f"{CUE}\n\n\nstill shown\n\n{SECOND}",
                ["00:00:00,000 --> 00:00:02,000", "00:00:03,000 --> 00:00:04,000"],
            ),
            ("WEBVTT\n\n00:00:00,000 --> 00:00:02,000 align:start\nHi\n", ["00:00:00,000 --> 00:00:02,000"]),
            ("\ufeffWEBVTT\n\nNOTE by hand\n\n00:00.5 --> 00:02.000\nHi\n", ["00:00:00,500 --> 00:00:02,000"]),
            (
                "\n[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Text\nDialogue: 0,0:00:01.00,0:00:02.00,Hi\n",
                ["00:00:01,000 --> 00:00:02,000"],
            ),
        ],
    )
    @pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_ffmpeg_shows_every_cue_in_its_time(
        self, binaries: Binaries, tmp_path: Path, text: str, times: list[str], ends: str, encoding: str
    ) -> None:
        path = tmp_path / "words"
        path.write_bytes(text.replace("\n", ends).encode(encoding))
        extension, read = subtitles_in(path, "subtitles")
        (tmp_path / f"read.{extension}").write_text(read, encoding="utf-8")
        run_ffmpeg("-i", tmp_path / f"read.{extension}", tmp_path / "shown.srt")
        shown = (tmp_path / "shown.srt").read_text("utf-8")
        assert [line for line in shown.splitlines() if "-->" in line] == times

    @given(st.binary())
    def test_any_file_is_read_or_refused(self, content: bytes) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "words.srt"
            path.write_bytes(content)
            with pytest.raises(FilmError) as caught:
                subtitles_in(path, "subtitles")
            assert caught.value.faults
