"""What outputs show and sound like: measured on the decoded pictures and samples."""

from __future__ import annotations

import array
import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klingvideo.media import Expected, MediaSettings, Output
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.inspect.verify import inspect
from airflow_provider_klingvideo.media.outputs.render import render

SETTINGS = MediaSettings(threads=1, ffmpeg_seconds=60)
RATE = 8000

Make = Callable[..., Path]
Output_ = dict[str, Any]


@pytest.fixture
def made(binaries: Binaries, tmp_path: Path) -> Callable[[list[str], Output_], Path]:
    """One output of a source that ffmpeg's arguments describe."""

    def made(source: list[str], output: Output_) -> Path:
        path = tmp_path / "source.mp4"
        subprocess.run([binaries.ffmpeg, "-v", "error", "-nostdin", "-y", *source, str(path)], check=True, timeout=60)
        media = inspect(path, binaries, Expected(), SETTINGS)
        rendered = render(media, [Output.model_validate(output)], tmp_path, binaries, SETTINGS)
        assert (rendered.warnings, rendered.failures) == ((), ())
        return rendered.outputs[0].main

    return made


def planes(path: Path, binaries: Binaries, cells: str, pixel_format: str = "gray") -> list[list[int]]:
    """Values of each frame, averaged over a grid of cells; limited range as it is stored."""
    scale = f"scale={cells}:flags=area:in_range=tv:out_range=tv,format={pixel_format}"
    argv = [binaries.ffmpeg, "-v", "error", "-i", str(path), "-vf", scale, "-f", "rawvideo", "-"]
    data = subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout
    columns, rows = map(int, cells.split(":"))
    size = columns * rows
    return [list(data[start : start + size]) for start in range(0, len(data), size)]


def luma(path: Path, binaries: Binaries) -> int:
    """Mean of the stored luma of the first frame, whatever the tags say."""
    argv = [binaries.ffmpeg, "-v", "error", "-i", str(path), "-frames:v", "1", "-pix_fmt", "yuv420p", "-f", "rawvideo"]
    data = subprocess.run([*argv, "-"], capture_output=True, check=True, timeout=60).stdout
    picture = data[: len(data) * 2 // 3]
    return round(sum(picture) / len(picture))


def clip(graph: str, *more: str) -> list[str]:
    return ["-f", "lavfi", "-i", graph, *more, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "1"]


@pytest.mark.parametrize("preset", ["web", "hevc", "webm", "av1"])
def test_full_range_becomes_limited_range(made: Callable[..., Path], binaries: Binaries, preset: str) -> None:
    white = clip("color=white:size=64x64:rate=5:duration=0.6,scale=out_range=pc", "-pix_fmt", "yuvj420p")
    assert luma(made(white, {"preset": preset}), binaries) == pytest.approx(235, abs=1)


def test_standard_definition_colours_are_converted(made: Callable[..., Path], binaries: Binaries) -> None:
    """Pure green has another luma in BT.601 (145) than in BT.709 (173)."""
    tags = "setparams=colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m"
    green = clip(f"color=0x00ff00:size=64x64:rate=5:duration=0.6,format=yuv420p,{tags}", "-pix_fmt", "yuv420p")
    assert luma(made(green, {"preset": "web"}), binaries) == pytest.approx(173, abs=2)


def test_untagged_colours_keep_their_values(made: Callable[..., Path], binaries: Binaries) -> None:
    grey = clip("color=0x00ff00:size=64x64:rate=5:duration=0.6,format=yuv420p", "-pix_fmt", "yuv420p")
    untagged = [*grey, "-bsf:v", "filter_units=remove_types=6"]
    path = made(untagged, {"preset": "web", "crf": 10})
    source = path.parents[1] / "source.mp4"
    assert luma(path, binaries) == pytest.approx(luma(source, binaries), abs=1)


# White between grey edges, 4 cells each, three cells wide.
EDGES = "color=gray:size=96x32:rate=5:duration=0.6,drawbox=x=32:w=32:h=32:color=white:t=fill"


@pytest.mark.parametrize(
    ("options", "dark", "light"),
    [
        ({"aspect": "1:1", "fit": "crop"}, [], [1, 4, 7]),
        ({"aspect": "1:1", "fit": "pad"}, [0, 1, 2, 6, 7, 8], [4]),
        ({"aspect": "1:1", "fit": "blur"}, [], [4]),
        ({"width": 96, "height": 96, "fit": "pad"}, [0, 1, 2, 6, 7, 8], [4]),
    ],
)
def test_another_aspect_ratio(
    made: Callable[..., Path], binaries: Binaries, options: Output_, dark: list[int], light: list[int]
) -> None:
    path = made(clip(EDGES, "-pix_fmt", "yuv420p"), {"preset": "web", "crf": 10, **options})
    cells = planes(path, binaries, "3:3")[0]
    assert [index for index, value in enumerate(cells) if value < 30] == dark
    assert all(cells[index] > 200 for index in light)


# Black, then white from the second second on; a tone from then on.
HALVES = "color=black:size=64x64:rate=10:duration=1[a];color=white:size=64x64:rate=10:duration=2[b];[a][b]concat"
TONE = ["-f", "lavfi", "-i", "aevalsrc='if(gte(t,1),0.5*sin(2*PI*1000*t),0)':duration=3", "-c:a", "aac"]


@pytest.mark.parametrize("preset", ["web", "webm", "prores"])
@pytest.mark.parametrize(
    ("options", "seconds", "change"),
    [
        ({}, 3, 1),
        ({"trim": {"start": 0.5, "end": 2.5}}, 2, 0.5),
        ({"speed": 2}, 1.5, 0.5),
        ({"speed": 0.5}, 6, 2),
        ({"trim": {"start": 0.5}, "speed": 0.5}, 5, 1),
        ({"trim": {"end": 2}, "fps": 5}, 2, 1),
    ],
)
def test_pictures_and_sound_stay_together(
    made: Callable[..., Path], binaries: Binaries, preset: str, options: Output_, seconds: float, change: float
) -> None:
    path = made(clip(HALVES, *TONE[:4], "-pix_fmt", "yuv420p", *TONE[4:]), {"preset": preset, **options})
    frames = planes(path, binaries, "1:1")
    rate = options.get("fps", 10)
    assert len(frames) == pytest.approx(seconds * rate, abs=1)
    assert next(index for index, (value,) in enumerate(frames) if value > 128) / rate == pytest.approx(change, abs=0.11)
    samples = sound(path, binaries)
    assert len(samples) / RATE == pytest.approx(seconds, abs=0.15)
    loud = next(index for index, value in enumerate(samples) if abs(value) > 3000)
    assert loud / RATE == pytest.approx(change, abs=0.12)
    assert pitch(samples[-RATE // 2 :]) == pytest.approx(1000, rel=0.06)


def sound(path: Path, binaries: Binaries) -> list[int]:
    argv = [binaries.ffmpeg, "-v", "error", "-i", str(path), "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"]
    return list(array.array("h", subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout))


def pitch(samples: list[int]) -> float:
    """Frequency by counting how often the wave passes zero upwards."""
    passes = sum(before < 0 <= after for before, after in itertools.pairwise(samples))
    return passes / len(samples) * RATE


def test_a_gif_and_a_preview_move(made: Callable[..., Path], binaries: Binaries) -> None:
    path = made(clip(HALVES, "-pix_fmt", "yuv420p"), {"preset": "gif", "fps": 5, "trim": {"start": 0.5, "end": 2}})
    values = [value for (value,) in planes(path, binaries, "1:1")]
    assert (values[0] < 30, values[-1] > 200) == (True, True), values
    assert values[-1] > 200
    assert len(values) == pytest.approx(7.5, abs=1.5)


def test_every_cell_of_a_sprite_shows_its_time(made: Callable[..., Path], binaries: Binaries) -> None:
    brighter = "nullsrc=size=64x64:rate=20:duration=6,geq=lum='16+200*T/6':cb=128:cr=128"
    path = made(clip(brighter, "-pix_fmt", "yuv420p"), {"preset": "sprite"})
    cells = planes(path, binaries, "10:2")[0][:12]
    assert cells == sorted(cells)
    assert len(set(cells)) == 12
