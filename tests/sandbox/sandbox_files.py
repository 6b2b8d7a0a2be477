"""Films and sounds to send to the sandbox, made by ffmpeg."""

from __future__ import annotations

import subprocess
from pathlib import Path

from airflow_provider_klingvideo.sandbox.drawing.ffmpeg import find_ffmpeg


def make_film(target: Path, seconds: float, size: str, rate: int, *options: str) -> Path:
    """A silent film of one colour.

    :param options: of the output, for ffmpeg.
    """
    source = f"color=c=teal:s={size}:r={rate}:d={seconds}"
    return _make(target, "-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", *options)


def make_sound(target: Path, seconds: float) -> Path:
    """A tone."""
    return _make(target, "-i", f"sine=frequency=330:duration={seconds}")


def _make(target: Path, *arguments: str) -> Path:
    if not target.is_file():
        command = [
            find_ffmpeg(None),
            "-hide_banner",
            "-loglevel",
            "error",
            "-y",
            "-f",
            "lavfi",
            *arguments,
            str(target),
        ]
        subprocess.run(command, check=True, timeout=120)
    return target
