"""Every preset of every kind of source: what is written is probed and decoded, exit codes prove nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from media_probes import Probed, decoded_frames, probed

from airflow_provider_klingvideo.media import Expected, MediaInfo, MediaSettings, Output, RenderPlan
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.inspect.boxes import walk_boxes
from airflow_provider_klingvideo.media.inspect.verify import inspect
from airflow_provider_klingvideo.media.outputs.presets import PRESETS
from airflow_provider_klingvideo.media.outputs.render import RenderedOutput, render

SETTINGS = MediaSettings(threads=1, ffmpeg_seconds=120)


def picture(size: str, seconds: float, rate: int = 10, more: str = "") -> list[str]:
    return ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}{more}"]


SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:duration=1.2"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
SOURCES: dict[str, list[str]] = {
    "sound": [*picture("320x180", 1.2), *SOUND, *H264, "-c:a", "aac"],
    "mute": [*picture("320x180", 1.2), *H264],
    "odd": [*picture("319x179", 1.2), *SOUND, *H264[:4], "-pix_fmt", "yuv444p", "-c:a", "libmp3lame"],
    "variable": [*picture("320x180", 1.2, 30, ",select='lt(mod(n,10),6)'"), *SOUND, *H264, "-fps_mode", "vfr"],
    "ten_bit": [*picture("320x180", 1.2), *H264[:4], "-pix_fmt", "yuv420p10le"],
    "full_range": [*picture("320x180", 1.2, more=",scale=out_range=pc"), *H264[:4], "-pix_fmt", "yuvj420p"],
    "standard_definition": [
        *picture("320x180", 1.2, more=",setparams=colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m"),
        *H264,
    ],
    "hevc": [
        *picture("320x180", 1.2),
        *SOUND,
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=0",
    ],
    "portrait": [*picture("180x320", 0.6), *H264],
    "one_frame": [*picture("320x180", 0.04, 25), *H264],
    "four_k": [*picture("3840x2160", 0.3), *SOUND, *H264, "-shortest"],
}
ROTATED = "rotated"
EXTRA = [
    Output(preset="web", name="tall", aspect="9:16", fit="blur"),
    Output(preset="web", name="square", aspect="1:1", fit="pad", width=200),
    Output(preset="web", name="feed", aspect="4:5", fit="crop", fps=15, crf=30, encoder_preset="ultrafast"),
    Output(preset="webm", name="portrait", aspect="3:4", height=160, encoder_preset="ultrafast"),
    Output(preset="web", name="wide", aspect="16:9", fit="blur", height=90),
    Output(preset="web", name="small", width=160),
    Output(preset="poster", name="story", aspect="9:16", fit="blur", quality=60),
]
PLAN = RenderPlan(outputs=(*(Output(preset=name) for name in PRESETS), *EXTRA))
VIDEO = {"web": "h264", "hevc": "hevc", "av1": "av1", "webm": "vp9", "prores": "prores", "hls": "h264"}
SOUNDS = {"webm": "opus", "prores": "pcm_s16le"}


@dataclass(frozen=True)
class Case:
    """A source and what was made of it."""

    info: MediaInfo
    source: Probed
    outputs: dict[str, RenderedOutput]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, binaries: Binaries) -> Callable[[str], Case]:
    """All outputs of a source, made in one pass when they are first asked for."""
    folder, cases = tmp_path_factory.mktemp("matrix"), dict[str, Case]()

    def make(name: str) -> Path:
        path = folder / f"{name}.mp4"
        if name == ROTATED:
            arguments = ["-display_rotation", "90", "-i", str(make("sound")), "-c", "copy"]
        else:
            arguments = SOURCES[name]
        subprocess.run(
            [binaries.ffmpeg, "-v", "error", "-nostdin", "-y", *arguments, str(path)], check=True, timeout=60
        )
        return path

    def case(name: str) -> Case:
        if name not in cases:
            path = make(name)
            media = inspect(path, binaries, Expected(), SETTINGS)
            rendered = render(media, PLAN.outputs, folder / name, binaries, SETTINGS)
            assert (rendered.warnings, rendered.failures) == ((), ())
            cases[name] = Case(media.info, probed(path, binaries), {one.output.stem: one for one in rendered.outputs})
        return cases[name]

    return case


ALL = [*SOURCES, ROTATED]
ENDING = pytest.mark.parametrize("source", ALL)


@ENDING
@pytest.mark.parametrize("preset", VIDEO)
def test_videos(case: Callable[[str], Case], binaries: Binaries, source: str, preset: str) -> None:
    made = case(source)
    check_video(made, made.outputs[preset], binaries)
    found = probed(made.outputs[preset].main, binaries)
    assert found.codec == VIDEO[preset]
    assert found.audio == (SOUNDS.get(preset, "aac") if made.info.audio_codec else None)
    if preset == "prores":
        assert found.pixel_format == "yuv422p10le"
    elif preset != "hevc" or source != "hevc":
        assert found.pixel_format == "yuv420p"
    if preset == "hevc":
        assert found.tag == "hvc1"
    assert re.match(r"tv, bt709|bt709", found.colors), found.colors


@ENDING
def test_masters(case: Callable[[str], Case], binaries: Binaries, source: str) -> None:
    made = case(source)
    check_video(made, made.outputs["master"], binaries)
    found = probed(made.outputs["master"].main, binaries)
    assert (found.codec, found.pixel_format, found.audio) == (
        made.source.codec,
        made.source.pixel_format,
        made.source.audio,
    )
    assert found.size == made.source.size


SIZES = {
    "tall": lambda short: (short, round(short * 16 / 9 / 2) * 2),
    "square": lambda _short: (200, 200),
    "feed": lambda short: (short, round(short * 5 / 4 / 2) * 2),
    "portrait": lambda _short: (120, 160),
    "wide": lambda _short: (160, 90),
}


@ENDING
@pytest.mark.parametrize("name", SIZES)
def test_aspect_ratios(case: Callable[[str], Case], binaries: Binaries, source: str, name: str) -> None:
    made = case(source)
    one = made.outputs[name]
    check_video(made, one, binaries)
    assert one.shape.size == SIZES[name](round(min(made.info.display_size) / 2) * 2)
    found = probed(one.main, binaries)
    assert found.pixel_format == "yuv420p"
    assert found.colors.startswith("tv, bt709") or found.colors.startswith("bt709")
    if name == "feed" and source != "one_frame":
        assert found.fps == pytest.approx(15, abs=0.5)


def check_video(made: Case, one: RenderedOutput, binaries: Binaries) -> None:
    found = probed(one.main, binaries)
    assert found.size == one.shape.size
    assert one.shape.duration == made.info.duration
    assert found.duration == pytest.approx(made.info.duration, abs=0.15)
    assert decoded_frames(one.main, binaries) > 0
    if one.output.row.extension in {"mp4", "mov"}:
        assert walk_boxes(one.main).faststart


@ENDING
@pytest.mark.parametrize(("preset", "codec"), [("gif", "gif"), ("preview", "webp")])
def test_animations(case: Callable[[str], Case], binaries: Binaries, source: str, preset: str, codec: str) -> None:
    made = case(source)
    one = made.outputs[preset]
    found = probed(one.main, binaries)
    assert found.codec.startswith(codec)
    assert found.size == one.shape.size
    assert max(found.size) <= 480 or source == "portrait"
    frames = decoded_frames(one.main, binaries)
    assert frames >= 1
    if source in {"sound", "variable"}:
        assert frames == pytest.approx(1.2 * (one.output.row.fps or 0), abs=2)


@ENDING
@pytest.mark.parametrize("name", ["poster", "contact_sheet", "sprite", "story"])
def test_stills(case: Callable[[str], Case], binaries: Binaries, source: str, name: str) -> None:
    one = case(source).outputs[name]
    found = probed(one.main, binaries)
    assert (found.codec, found.pixel_format) == ("mjpeg", "yuvj420p")
    assert found.size == one.shape.size
    assert decoded_frames(one.main, binaries) == 1


@ENDING
def test_cues_of_a_sprite(case: Callable[[str], Case], source: str) -> None:
    made = case(source)
    one = made.outputs["sprite"]
    (cues,) = one.others
    lines = cues.read_text().splitlines()
    assert lines[0] == "WEBVTT"
    times = [line for line in lines if " --> " in line]
    areas = [re.fullmatch(r"sprite\.jpg#xywh=(\d+),(\d+),(\d+),(\d+)", line) for line in lines if "xywh" in line]
    assert len(times) == len(areas) >= 1
    assert times[0].startswith("00:00:00.000 --> ")
    hours, minutes, seconds = times[-1].partition(" --> ")[2].split(":")
    assert int(hours) * 3600 + int(minutes) * 60 + float(seconds) == pytest.approx(made.info.duration, abs=0.002)
    for area in areas:
        assert area
        left, top, width, height = map(int, area.groups())
        assert left + width <= one.shape.size[0]
        assert top + height <= one.shape.size[1]


@ENDING
def test_playlists(case: Callable[[str], Case], source: str) -> None:
    one = case(source).outputs["hls"]
    assert one.main.name == "index.m3u8"
    named = re.findall(r"^(?!#)(.+)$", one.main.read_text(), re.MULTILINE)
    assert {"init.mp4", *named} == {path.name for path in one.others}
    assert '#EXT-X-MAP:URI="init.mp4"' in one.main.read_text()


@pytest.mark.parametrize(
    ("source", "copied"),
    [
        ("sound", {"master", "web", "hls"}),
        ("variable", {"master", "web", "hls"}),
        ("rotated", {"master", "web", "hls"}),
        ("hevc", {"master", "hevc"}),
        ("ten_bit", {"master"}),
        ("full_range", {"master"}),
        ("standard_definition", {"master"}),
    ],
)
def test_what_can_be_copied_is_not_encoded(
    case: Callable[[str], Case], binaries: Binaries, tmp_path: Path, source: str, copied: set[str]
) -> None:
    made = case(source)
    original = hashes(made.outputs["master"].main, binaries)
    same = {name for name in ("master", *VIDEO) if hashes(made.outputs[name].main, binaries) == original}
    assert same == copied


def hashes(path: Path, binaries: Binaries) -> list[str]:
    """Of the pictures, as they are stored."""
    argv = [binaries.ffmpeg, "-v", "error", "-noautorotate", "-i", str(path), "-map", "0:v:0", "-f", "framemd5", "-"]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    return [line.rpartition(",")[2].strip() for line in printed.splitlines() if not line.startswith("#")]


def test_changing_intervals_become_a_constant_rate(case: Callable[[str], Case], binaries: Binaries) -> None:
    made = case("variable")
    assert made.info.variable_fps
    for preset in ("hevc", "av1", "prores"):
        found = probed(made.outputs[preset].main, binaries)
        assert found.guessed_fps == pytest.approx(found.fps, rel=0.02)
