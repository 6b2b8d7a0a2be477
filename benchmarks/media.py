"""What rendering costs beside what ffmpeg alone would need: ``make bench-media``.

The variants run in turns within each round, and figures are medians of rounds: on a shared machine nothing else
compares.
Processor time is that of the children, so that a busy neighbour moves the figures less than a clock would.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import figures

from airflow_provider_klingvideo.media import Expected, MediaSettings, Output, RenderPlan, find_binaries
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.inspect.verify import VerifiedMedia, inspect
from airflow_provider_klingvideo.media.outputs.render import render

BINARIES = find_binaries()
SETTINGS = MediaSettings()
PICTURE = "mandelbrot=size=1280x720:rate=30,noise=alls=8:allf=t"
SOUND = "sine=frequency=440"
WEB = Output(preset="web", crf=22)
# What is compared: a variant, what it is divided by, and what is wanted.
RATIOS = {
    "default outputs: one call / a call each": ("default outputs, one call", ["default outputs, a call each"], "0.85"),
    "with two encodes: one call / a call each": (
        "with two encodes, one call",
        ["with two encodes, a call each"],
        "0.85",
    ),
    "encoded / decode floor + encode floor": ("encoded", ["decode floor", "encode floor"], "1.10"),
    "copied / encoded": ("copied", ["encoded"], ""),
    "copied, source not checked / copy floor": ("copied, source not checked", ["copy floor"], ""),
}
# What the web preset encodes with, from raw pictures.
ENCODE = ["-c:v", "libx264", "-crf", "22", "-preset", "veryfast", "-f", "null", "-"]


@dataclass(frozen=True)
class Cost:
    """What a variant took.

    :param cpu: processor time of the children, in seconds.
    :param own: processor time of this process, in seconds.
    :param wall: seconds.
    """

    cpu: float
    own: float
    wall: float


def cost(variant: Callable[[], object]) -> Cost:
    """Run a variant once."""
    begun, own, children = time.monotonic(), time.process_time(), _children()
    variant()
    return Cost(_children() - children, time.process_time() - own, time.monotonic() - begun)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([BINARIES.ffmpeg, "-v", "error", "-nostdin", "-y", *arguments], check=True)


def _source(folder: Path, seconds: float) -> Path:
    path = folder / "source.mp4"
    inputs = ["-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", SOUND, "-t", f"{seconds}"]
    _ffmpeg(*inputs, "-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path))
    return path


def _together(media: VerifiedMedia, folder: Path, *outputs: Output) -> None:
    rendered = render(media, outputs, folder, BINARIES, SETTINGS)
    if rendered.warnings or rendered.failures:
        raise SystemExit(f"Not everything was made: {rendered.warnings} {rendered.failures}")


def _apart(media: VerifiedMedia, folder: Path, *outputs: Output) -> None:
    for output in outputs:
        render(media, [output], folder, BINARIES, SETTINGS, decode="off")
    # Separate commands check the source in a command of its own.
    _ffmpeg("-xerror", "-i", str(media.path), "-map", "0:v:0", "-map", "0:a?", "-f", "null", "-")


def _variants(media: VerifiedMedia, folder: Path) -> dict[str, Callable[[], object]]:
    source, raw = str(media.path), str(folder / "raw.yuv")
    _ffmpeg("-i", source, "-pix_fmt", "yuv420p", "-f", "rawvideo", raw)
    shape = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{media.info.width}x{media.info.height}", "-r", "30"]
    default, web = RenderPlan().outputs, WEB.model_copy(update={"fps": 30.0})
    several = (*default, web, Output(preset="web", name="tall", aspect="9:16", width=404))
    return {
        "default outputs, one call": partial(_together, media, folder, *default),
        "default outputs, a call each": partial(_apart, media, folder, *default),
        "with two encodes, one call": partial(_together, media, folder, *several),
        "with two encodes, a call each": partial(_apart, media, folder, *several),
        "encoded": partial(_together, media, folder, web),
        "decode floor": partial(_ffmpeg, "-i", source, "-map", "0:v:0", "-map", "0:a", "-f", "null", "-"),
        "encode floor": partial(_ffmpeg, *shape, "-i", raw, *ENCODE),
        "copied": partial(_together, media, folder, Output(preset="web")),
        "copied, source not checked": partial(_copied, media, folder),
        "copy floor": partial(
            _ffmpeg, "-i", source, "-c", "copy", "-movflags", "+faststart", "-f", "mp4", str(folder / "copy.mp4")
        ),
    }


def _copied(media: VerifiedMedia, folder: Path) -> None:
    render(media, [Output(preset="web")], folder, BINARIES, SETTINGS, decode="off")


def _overhead(folder: Path, rounds: int) -> list[float]:
    """Milliseconds of each round that a job takes beside ffmpeg's own run: probing, graph, wrapper, waiting.

    A clip of a few frames, so that ffmpeg's own time does not drown the difference.
    """
    clip, recorded, recorder = folder / "tiny.mp4", folder / "arguments", folder / "ffmpeg"
    _ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=0.5", "-pix_fmt", "yuv420p", str(clip))
    recorder.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {recorded}\nexec {BINARIES.ffmpeg} "$@"\n')
    recorder.chmod(0o755)
    outputs = RenderPlan().outputs
    render(inspect(clip, BINARIES, Expected(), SETTINGS), outputs, folder, Binaries(str(recorder)), SETTINGS)
    argv = [BINARIES.ffmpeg, *recorded.read_text().splitlines()]
    found = []
    for _ in range(rounds):
        ours = cost(lambda: _together(inspect(clip, BINARIES, Expected(), SETTINGS), folder, *outputs))
        bare = cost(lambda: subprocess.run(argv, capture_output=True, check=True))
        found.append((ours.wall - bare.wall) * 1000)
    return found


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5, help="length of the clip")
    parser.add_argument("--rounds", type=int, default=5)
    figures.add_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="klingvideo-bench-") as name:
        folder = Path(name)
        media = inspect(_source(folder, arguments.seconds), BINARIES, Expected(), SETTINGS)
        variants = _variants(media, folder)
        rounds = [{name: cost(variant) for name, variant in variants.items()} for _ in range(arguments.rounds)]
        overhead = _overhead(folder, 3 * arguments.rounds)
    title = f"{arguments.seconds:g} s of 1280x720 at 30 fps, medians of {arguments.rounds} rounds"
    head = ["", "CPU of ffmpeg, s", "own CPU, ms", "wall, s"]
    costs = figures.Figures(title, head, [_row(name, [one[name] for one in rounds]) for name in variants])
    best, middle = min(overhead), statistics.median(overhead)
    note = f"A job beside ffmpeg's own run: {middle:.0f} ms, at best {best:.0f} ms (wanted: 150)"
    title = "Ratios of ffmpeg's CPU, medians of the rounds"
    ratios = figures.Figures(title, ["", "ratio", "wanted"], list(_ratios(rounds)), [note])
    figures.publish([costs, ratios], arguments.keep)


def _row(name: str, costs: list[Cost]) -> list[str]:
    cpu, own, wall = (statistics.median(getattr(one, what) for one in costs) for what in ("cpu", "own", "wall"))
    return [name, f"{cpu:.2f}", f"{own * 1000:.0f}", f"{wall:.2f}"]


def _ratios(rounds: list[dict[str, Cost]]) -> Iterator[list[str]]:
    for name, (above, below, wanted) in RATIOS.items():
        found = [one[above].cpu / sum(one[part].cpu for part in below) for one in rounds]
        yield [name, f"{statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})", wanted]


if __name__ == "__main__":
    main()
