"""What a film needs: the largest ffmpeg, time and processor, for one clip and for six with crossfades.

Beside them the usual way, which puts all clips into one graph: ``make bench-film``. Every variant runs in a process of
its own, and what ffmpeg took is asked of the kernel.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ffmpeg
import figures

from airflow_provider_klingvideo.media import Clip, FilmPlan, assemble, find_binaries
from airflow_provider_klingvideo.media.film.shots import ENCODING

CLIPS, CLIP_SECONDS, FADE_SECONDS = 6, 5, 0.5
SOURCE = "testsrc2=size=1920x1080:rate=30:duration={seconds}"
SOUND = "sine=frequency={hertz}:duration={seconds}"
FADE = {"kind": "fade", "seconds": FADE_SECONDS}


def one_clip(clips: list[Path], folder: Path) -> None:
    """One clip, encoded because of its title."""
    assemble([Clip(clips[0])], FilmPlan.parse({"title": "A film"}), folder)


def film(clips: list[Path], folder: Path) -> None:
    """All clips, with crossfades and a title."""
    assemble([Clip(clip) for clip in clips], FilmPlan.parse({"title": "A film", "transition": FADE}), folder)


def joined(clips: list[Path], folder: Path) -> None:
    """All clips with cuts: the pictures are copied."""
    assemble([Clip(clip) for clip in clips], FilmPlan(), folder)


def one_graph(clips: list[Path], folder: Path) -> None:
    """All clips in one graph, as a chain of crossfades."""
    opened = [ffmpeg.input(str(clip)) for clip in clips]
    frames, sound = opened[0]["v:0"], opened[0]["a:0"]
    for number, clip in enumerate(opened[1:], start=1):
        offset = number * (CLIP_SECONDS - FADE_SECONDS)
        frames = ffmpeg.filter([frames, clip["v:0"]], "xfade", duration=FADE_SECONDS, offset=offset)
        sound = ffmpeg.filter([sound, clip["a:0"]], "acrossfade", d=FADE_SECONDS)
    folder.mkdir()
    output = ffmpeg.output(frames, sound, str(folder / "film.mp4"), acodec="aac", **ENCODING)
    command = [find_binaries().ffmpeg, "-nostdin", "-v", "error"]
    subprocess.run(ffmpeg.compile(output, cmd=command), check=True)


VARIANTS: dict[str, Callable[[list[Path], Path], None]] = {
    "one clip with a title": one_clip,
    f"{CLIPS} clips, crossfades, a title": film,
    f"{CLIPS} clips, cuts (pictures copied)": joined,
    f"{CLIPS} clips, crossfades, one graph": one_graph,
}


def main() -> None:
    """Run every variant, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    figures.add_option(parser)
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        print(json.dumps(_measured(arguments.variant, arguments.folder)))
        return
    with tempfile.TemporaryDirectory(prefix="klingvideo-bench-") as name:
        folder = Path(name)
        for number in range(CLIPS):
            _make_clip(folder / f"clip-{number}.mp4", 220 + 110 * number)
        found = {variant: _in_a_process(variant, folder) for variant in VARIANTS}
    rows = [
        [variant, *(f"{one[key]:.0f}" for key in ("largest", "wall", "processor"))] for variant, one in found.items()
    ]
    single, whole = (found[variant]["largest"] for variant in list(VARIANTS)[:2])
    title = f"Films of clips of {CLIP_SECONDS} s, 1920x1080, 30 frames a second, with sound"
    note = f"Largest ffmpeg, {CLIPS} clips / one: {whole / single:.2f}"
    head = ["", "largest ffmpeg, MiB", "wall, s", "processor, s"]
    figures.publish([figures.Figures(title, head, rows, [note])], arguments.keep)


def _make_clip(path: Path, hertz: int) -> None:
    inputs = [
        *("-f", "lavfi", "-i", SOURCE.format(seconds=CLIP_SECONDS)),
        *("-f", "lavfi", "-i", SOUND.format(hertz=hertz, seconds=CLIP_SECONDS)),
    ]
    encoding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([find_binaries().ffmpeg, "-nostdin", "-v", "error", *inputs, *encoding, str(path)], check=True)


def _in_a_process(variant: str, folder: Path) -> dict[str, float]:
    argv = [sys.executable, __file__, "--variant", variant, "--folder", str(folder)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measured(variant: str, folder: Path) -> dict[str, float]:
    clips = sorted(folder.glob("clip-*.mp4"))
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as made:
        VARIANTS[variant](clips, Path(made) / "film")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "largest": used.ru_maxrss / 1024,
        "wall": time.monotonic() - begin,
        "processor": used.ru_utime + used.ru_stime,
    }


if __name__ == "__main__":
    main()
