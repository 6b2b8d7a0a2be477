from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from media_measures import ffmpeg as run_ffmpeg

from airflow_provider_klingvideo.media import FFmpegMissingError, MediaInfo, VerificationError, probe
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.inspect import probing

# What does not exist cannot be asked.
NO_PROGRAMS = Binaries("/nonexistent/ffmpeg")
PLAIN = MediaInfo(2.0, 320, 180, 25.0, "h264", "aac", "yuv420p", 0)

# As ffprobe 5.1 to 9.0 print it, shortened to the keys that are read and a few more.
FFPROBE: dict[str, Any] = {
    "streams": [
        {
            "index": 0,
            "codec_name": "png",
            "codec_type": "video",
            "width": 9,
            "height": 9,
            "disposition": {"attached_pic": 1},
        },
        {"index": 1, "codec_name": "bin_data", "codec_type": "data"},
        {
            "index": 2,
            "codec_name": "h264",
            "codec_type": "video",
            "width": 320,
            "height": 180,
            "pix_fmt": "yuv420p",
            "avg_frame_rate": "30000/1001",
            "disposition": {"default": 1, "attached_pic": 0},
            "side_data_list": [{"side_data_type": "Display Matrix", "displaymatrix": "...", "rotation": -90}],
        },
        {"index": 3, "codec_name": "aac", "codec_type": "audio", "avg_frame_rate": "0/0"},
        {"index": 4, "codec_name": "ac3", "codec_type": "audio", "avg_frame_rate": "0/0"},
    ],
    "format": {"duration": "5.041000"},
}


@pytest.fixture(params=["ffprobe", "pyav", "ffmpeg"])
def prober(request: pytest.FixtureRequest, binaries: Binaries) -> Binaries:
    """Each way to probe; the first where this machine has ffprobe."""
    if request.param == "pyav":
        return NO_PROGRAMS
    request.getfixturevalue("no_pyav")
    if request.param == "ffmpeg":
        return Binaries(binaries.ffmpeg, None)
    if not (ffprobe := shutil.which("ffprobe")):
        pytest.skip("no ffprobe on PATH")
    return Binaries(binaries.ffmpeg, ffprobe)


@pytest.mark.parametrize(
    ("name", "width", "height", "codec", "audio", "pixel_format", "duration"),
    [
        ("plain", 320, 180, "h264", "aac", "yuv420p", 2),
        ("moov_last", 320, 180, "h264", "aac", "yuv420p", 2),
        ("silent", 320, 180, "h264", None, "yuv420p", 2),
        ("odd", 319, 179, "h264", None, "yuv444p", 1),
        ("ten_bit", 320, 180, "h264", None, "yuv420p10le", 2),
        ("one_frame", 320, 180, "h264", None, "yuv420p", 0.04),
        ("portrait", 180, 320, "h264", None, "yuv420p", 1),
    ],
)
def test_reads_clips(
    clips: Callable[[str], Path],
    prober: Binaries,
    name: str,
    width: int,
    height: int,
    codec: str,
    audio: str | None,
    pixel_format: str,
    duration: float,
) -> None:
    info = probe(clips(name), prober)
    assert info == MediaInfo(pytest.approx(duration, abs=0.03), width, height, 25.0, codec, audio, pixel_format, 0)
    assert info.display_size == (width, height)


def test_a_rotated_picture_has_another_size_on_screen(rotated: Path, prober: Binaries) -> None:
    info = probe(rotated, prober)
    assert (info.width, info.height, info.rotation) == (320, 180, 270)
    assert info.display_size == (180, 320)


def test_hostile_names_are_just_names(clips: Callable[[str], Path], prober: Binaries, tmp_path: Path) -> None:
    for name in ["a:b.mp4", "-out.mp4", "po%dst.mp4", "with 'quotes\" and \u96e8.mp4"]:
        shutil.copy(clips("plain"), tmp_path / name)
        assert probe(tmp_path / name, prober) == PLAIN


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile 'plain.mp4'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nplain.mp4\n#EXT-X-ENDLIST\n",
        "<html></html>",
        "",
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8"])
def test_texts_open_no_other_file(
    clips: Callable[[str], Path], prober: Binaries, tmp_path: Path, text: str, suffix: str
) -> None:
    shutil.copy(clips("plain"), tmp_path / "plain.mp4")
    evil = tmp_path / f"evil{suffix}"
    evil.write_text(text)
    with pytest.raises(VerificationError, match="cannot be read as MP4"):
        probe(evil, prober)


def test_sound_alone_is_no_video(clips: Callable[[str], Path], prober: Binaries) -> None:
    with pytest.raises(VerificationError, match="no video track"):
        probe(clips("sound_only"), prober)


@pytest.fixture
def printing(tmp_path: Path) -> Callable[[str], str]:
    """A program that prints a text to stdout and stderr."""

    def printing(text: str) -> str:
        (tmp_path / "text").write_text(text)
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\ncat {tmp_path}/text\ncat {tmp_path}/text >&2\n")
        path.chmod(0o755)
        return str(path)

    return printing


class TestFfprobeAnswers:
    def read(self, printing: Callable[[str], str], answer: str) -> MediaInfo:
        return probe(Path("any.mp4"), Binaries("", printing(answer)))

    def test_of_a_file_with_cover_data_and_two_sounds(self, printing: Callable[[str], str]) -> None:
        info = self.read(printing, json.dumps(FFPROBE))
        assert info == MediaInfo(5.041, 320, 180, pytest.approx(29.97, abs=0.01), "h264", "aac", "yuv420p", 90)

    def test_without_rate_or_duration(self, printing: Callable[[str], str]) -> None:
        video = {"codec_type": "video", "codec_name": "h264", "width": 2, "height": 2, "avg_frame_rate": "0/0"}
        info = self.read(printing, json.dumps({"streams": [video], "format": {}}))
        assert (info.fps, info.duration, info.audio_codec, info.pixel_format) == (0, 0, None, "")

    def test_with_colours_and_changing_intervals(self, printing: Callable[[str], str]) -> None:
        video = {"codec_type": "video", "codec_name": "h264", "width": 2, "height": 2, "color_range": "tv"}
        rates = {"avg_frame_rate": "3000/89", "r_frame_rate": "60/1", "color_space": "unknown"}
        info = self.read(printing, json.dumps({"streams": [video | rates], "format": {}}))
        assert (info.color_range, info.color_space, info.variable_fps) == ("tv", None, True)

    @pytest.mark.parametrize("answer", ["", "{}", "[]", '{"streams": [{"codec_type": "video"}]}', '{"streams": 1}'])
    def test_that_make_no_sense(self, printing: Callable[[str], str], answer: str) -> None:
        with pytest.raises(VerificationError, match="cannot be read"):
            self.read(printing, answer)

    def test_that_are_errors(self, tmp_path: Path) -> None:
        failing = tmp_path / "ffprobe"
        failing.write_text("#!/bin/sh\necho Invalid data >&2; exit 1\n")
        failing.chmod(0o755)
        with pytest.raises(VerificationError, match="Invalid data"):
            probe(Path("any.mp4"), Binaries("", str(failing)))

    def test_without_picture(self, printing: Callable[[str], str]) -> None:
        with pytest.raises(VerificationError, match="no video track"):
            self.read(printing, json.dumps({"streams": [{"codec_type": "audio"}], "format": {}}))


@pytest.mark.parametrize(
    "options",
    [
        ["-vf", "scale=out_range=pc:out_color_matrix=bt601,format=yuvj420p"],
        ["-vf", "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"],
        ["-vf", "setparams=colorspace=bt2020nc"],
        ["-vf", r"select=not(mod(n\,7))+not(mod(n\,3)),settb=1/1000", "-fps_mode", "vfr"],
        ["-c:v", "libx265", "-c:a", "libopus"],
        ["-c:v", "libsvtav1", "-an"],
    ],
)
def test_probers_agree(binaries: Binaries, request: pytest.FixtureRequest, tmp_path: Path, options: list[str]) -> None:
    made = ["-f", "lavfi", "-i", "testsrc2=s=320x180:d=1", "-f", "lavfi", "-i", "sine=d=1"]
    run_ffmpeg(*made, *options, tmp_path / "one.mp4")
    told = probe(tmp_path / "one.mp4", NO_PROGRAMS)
    request.getfixturevalue("no_pyav")
    assert told == probe(tmp_path / "one.mp4", Binaries(binaries.ffmpeg))


def test_our_process_decodes_no_huge_picture(
    clips: Callable[[str], Path], binaries: Binaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "MAX_OWN_PIXELS", 320 * 180 - 1)
    assert probe(clips("plain"), binaries) == PLAIN
    with pytest.raises(FFmpegMissingError, match="No such file"):
        probe(clips("plain"), NO_PROGRAMS)


@pytest.mark.usefixtures("no_pyav")
class TestFfmpegPrintouts:
    def read(self, printing: Callable[[str], str], text: str) -> MediaInfo:
        return probe(Path("any.mp4"), Binaries(printing(text), None))

    def test_of_version_5(self, printing: Callable[[str], str]) -> None:
        text = (
            "Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:/a.mp4':\n"
            "  Metadata:\n"
            "    comment         : Stream #0:0: Video: fake, rgb24, 1x1, 1 fps\n"
            "  Duration: 01:02:03.50, start: 0.000000, bitrate: 1 kb/s\n"
            "  Stream #0:0[0x0]: Video: mjpeg (Baseline), yuvj420p(pc), 9x9, 90k tbr (attached pic)\n"
            "  Stream #0:1[0x1](und): Video: hevc (Main 10) (hvc1 / 0x31637668), yuv420p10le(tv, bt709), 1920x1080 "
            "[SAR 1:1 DAR 16:9], 9 kb/s, 1k fps, 90k tbn (default)\n"
            "    Side data:\n"
            "      displaymatrix: rotation of -90.00 degrees\n"
            "  Stream #0:2[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono, fltp\n"
        )
        assert self.read(printing, text) == MediaInfo(
            3723.5, 1920, 1080, 1000.0, "hevc", "aac", "yuv420p10le", 90, "tv", "bt709"
        )

    @pytest.mark.parametrize(
        ("details", "color_range", "color_space"),
        [
            ("yuv420p", None, None),
            ("yuv420p(progressive)", None, None),
            ("yuv420p(tv, progressive)", "tv", None),
            ("yuvj420p(pc, bt470bg/unknown/unknown, progressive)", "pc", "bt470bg"),
            ("yuv420p(smpte170m/bt709/bt709)", None, "smpte170m"),
            ("yuv420p(tv, unknown/bt709/bt709, top first)", "tv", None),
        ],
    )
    def test_of_colors(
        self, printing: Callable[[str], str], details: str, color_range: str | None, color_space: str | None
    ) -> None:
        info = self.read(printing, f"  Stream #0:0: Video: h264 (High), {details}, 64x32 [SAR 1:1 DAR 2:1], 25 fps\n")
        assert (info.color_range, info.color_space) == (color_range, color_space)

    @pytest.mark.parametrize(
        ("rates", "variable"), [("25 fps, 25 tbr", False), ("29.67 fps, 60 tbr", True), ("24.9 fps, 25 tbr", False)]
    )
    def test_of_changing_intervals(self, printing: Callable[[str], str], rates: str, variable: bool) -> None:
        info = self.read(printing, f"  Stream #0:0: Video: h264 (High), yuv420p, 64x32, 9 kb/s, {rates}, 90k tbn\n")
        assert info.variable_fps is variable

    def test_without_duration_rate_and_pixel_format(self, printing: Callable[[str], str]) -> None:
        text = "  Duration: N/A, bitrate: N/A\n  Stream #0:0: Video: h264, none(progressive), 64x32\n"
        assert self.read(printing, text) == MediaInfo(0, 64, 32, 0, "h264", None, "none", 0)

    def test_without_size(self, printing: Callable[[str], str]) -> None:
        with pytest.raises(VerificationError, match="Video: h264"):
            self.read(printing, "  Duration: 00:00:01.00\n  Stream #0:0: Video: h264\n")
