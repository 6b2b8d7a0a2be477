"""What ffmpeg says of a file, whatever its format is."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries


@dataclass(frozen=True)
class Probed:
    """A file's streams, as ``ffmpeg -i`` prints them; sizes as a player shows them."""

    codec: str
    tag: str
    pixel_format: str
    colors: str
    size: tuple[int, int]
    fps: float
    guessed_fps: float
    audio: str | None
    duration: float | None
    printed: str


def probed(path: Path, binaries: Binaries) -> Probed:
    argv = [binaries.ffmpeg, "-hide_banner", "-nostdin", "-i", str(path)]
    printed = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60).stderr
    (line, *_) = re.findall(r"Stream #0:.*Video: .*", printed)
    found = re.search(r"Video: (\w+)(.*?), (yuv\w+|bgra|argb|rgb\w+)(?:\(([^)]*)\))?,.* (\d+)x(\d+)", line)
    assert found, line
    width, height = int(found[5]), int(found[6])
    turned = re.search(r"rotation of -?(90|270)", printed)
    duration = re.search(r"Duration: (\d+):(\d+):([\d.]+)", printed)
    audio = re.search(r"Audio: (\w+)", printed)
    tag = re.search(r"\((\w{4}) / 0x", found[2])
    rates = {unit: float(rate) for rate, unit in re.findall(r"([\d.]+) (fps|tbr)", line)}
    return Probed(
        codec=found[1],
        tag=tag[1] if tag else "",
        pixel_format=found[3],
        colors=found[4] or "",
        size=(height, width) if turned else (width, height),
        fps=rates.get("fps", 0),
        guessed_fps=rates.get("tbr", 0),
        audio=audio[1] if audio else None,
        duration=sum(float(part) * unit for part, unit in zip(duration.groups(), (3600, 60, 1), strict=True))
        if duration
        else None,
        printed=printed,
    )


def decoded_frames(path: Path, binaries: Binaries) -> int:
    """How many pictures decode; anything damaged fails."""
    argv = [binaries.ffmpeg, "-v", "error", "-nostdin", "-xerror", "-i", str(path), "-map", "0:v:0", "-map", "0:a?"]
    done = subprocess.run([*argv, "-f", "framecrc", "-"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), path
    return sum(line.startswith("0,") for line in done.stdout.splitlines())
