"""What a picture shows and a sound sounds like, read from decoded frames and samples."""

from __future__ import annotations

import array
import math
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_klingvideo.media import find_binaries

FFMPEG = find_binaries().ffmpeg
SAMPLES = 8000


def ffmpeg(*arguments: object, loglevel: str = "error") -> subprocess.CompletedProcess[bytes]:
    argv = [FFMPEG, "-hide_banner", "-nostdin", "-y", "-loglevel", loglevel, *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, check=True, timeout=60)


def brightness(path: Path, *, at: float, columns: int = 1, rows: int = 1) -> list[int]:
    """Mean brightness of each cell of a grid over one frame."""
    scale = f"scale={columns}:{rows}:flags=area,format=gray"
    return list(ffmpeg("-ss", at, "-i", path, "-vf", scale, "-frames:v", 1, "-f", "rawvideo", "-").stdout)


def frame_count(path: Path) -> int:
    return len(packets(path))


def packets(path: Path) -> list[str]:
    """The hash of every packet of the first picture track, in order."""
    listed = ffmpeg("-i", path, "-map", "0:v:0", "-c", "copy", "-f", "framehash", "-hash", "md5", "-").stdout.decode()
    return [line.split(",")[5].strip() for line in listed.splitlines() if line.startswith("0,")]


def frame_times(path: Path) -> list[float]:
    """Seconds at which each frame is shown."""
    printed = ffmpeg("-i", path, "-an", "-vf", "showinfo", "-f", "null", "-", loglevel="info").stderr.decode()
    return [float(found) for found in re.findall(r"pts_time:([\d.]+)", printed)]


def loudness(path: Path) -> float:
    """Integrated loudness, LUFS."""
    printed = ffmpeg("-i", path, "-vn", "-af", "ebur128", "-f", "null", "-", loglevel="info").stderr.decode()
    return float(re.findall(r"I: +(-?[\d.]+) LUFS", printed)[-1])


def samples(path: Path, start: float, seconds: float) -> array.array[int]:
    """Mono samples at 8 kHz."""
    window = ("-ss", start, "-t", seconds)
    raw = ffmpeg("-i", path, *window, "-vn", "-ac", 1, "-ar", SAMPLES, "-f", "s16le", "-").stdout
    return array.array("h", raw)


def tone(path: Path, frequency: float, start: float, seconds: float = 0.4) -> float:
    """How loud a tone is, dB below full scale."""
    heard = samples(path, start, seconds)
    turn = 2 * math.pi * frequency / SAMPLES
    real = sum(value * math.cos(turn * index) for index, value in enumerate(heard))
    imaginary = sum(value * math.sin(turn * index) for index, value in enumerate(heard))
    return 20 * math.log10(max(1e-6, 2 * math.hypot(real, imaginary) / len(heard) / 32768))


def changed(before: bytes, after: bytes, width: int) -> Iterator[tuple[int, int]]:
    """Column and row of every pixel that differs."""
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        if one != other:
            yield index % width, index // width
