"""Makes the sounds of results with ffmpeg: a tone that follows from the prompt, in a file that says what it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from airflow_provider_klingvideo.sandbox.commissions import Commission
from airflow_provider_klingvideo.sandbox.ffmpeg import find_ffmpeg, make_file
from airflow_provider_klingvideo.sandbox.render import printable

_HERTZ = 44_100
# The end of a file's name -> how it is coded.
_CODECS = {".mp3": ("-c:a", "libmp3lame", "-b:a", "128k"), ".wav": ("-c:a", "pcm_s16le")}


def sound(commission: Commission) -> None:
    """Make the sound of a result.

    :raises SandboxMediaError: when there is no ffmpeg, or it failed.
    """
    task, target = commission.task, commission.target
    seconds = commission.result.seconds if commission.seconds is None else commission.seconds
    pitch = 220 + hashlib.sha256(task.prompt.encode()).digest()[0]
    tone = f"sine=frequency={pitch}:sample_rate={_HERTZ}:duration={seconds:.3f}"

    def arguments(_: Path) -> list[str]:
        return [
            *("-f", "lavfi", "-i", tone, *_CODECS[target.suffix]),
            *("-fflags", "+bitexact", "-flags:a", "+bitexact"),
            *("-metadata", "title=SANDBOX - not made by Kling AI"),
            *("-metadata", f"comment={printable(task.prompt)}"),
        ]

    make_file(find_ffmpeg(commission.settings.ffmpeg), arguments, target)
