"""Makes the sounds of results with ffmpeg: a tone that follows from the prompt, in a file that says what it is."""

from __future__ import annotations

import hashlib
import io
import math
import struct
import wave
from functools import lru_cache
from pathlib import Path

from airflow_provider_klingvideo.sandbox.drawing.commissions import Commission
from airflow_provider_klingvideo.sandbox.drawing.ffmpeg import find_ffmpeg, make_file
from airflow_provider_klingvideo.sandbox.drawing.render import printable

_HERTZ = 44_100
_SAMPLE_HERTZ, _SAMPLE_SECONDS, _SAMPLE_PITCH, _SAMPLE_LOUDNESS = 8_000, 6, 220, 8_000
_SHORTEST = 0.1  # to ffmpeg, no seconds at all are no end
# The end of a file's name -> how it is coded.
_CODECS = {".mp3": ("-c:a", "libmp3lame", "-b:a", "128k"), ".wav": ("-c:a", "pcm_s16le")}


@lru_cache(maxsize=1)
def sample_wav() -> bytes:
    """A tone of some seconds as a WAV, to try requests for sounds and voices with."""
    turns = (2 * math.pi * _SAMPLE_PITCH * number / _SAMPLE_HERTZ for number in range(_SAMPLE_SECONDS * _SAMPLE_HERTZ))
    samples = (round(_SAMPLE_LOUDNESS * math.sin(turn)) for turn in turns)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_SAMPLE_HERTZ)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return buffer.getvalue()


def sound(commission: Commission) -> None:
    """Make the sound of a result.

    :raises SandboxMediaError: when there is no ffmpeg, or it failed.
    """
    task, target = commission.task, commission.target
    seconds = commission.result.seconds if commission.seconds is None else commission.seconds
    pitch = 220 + hashlib.sha256(task.prompt.encode()).digest()[0]
    tone = f"sine=frequency={pitch}:sample_rate={_HERTZ}:duration={max(seconds, _SHORTEST):.3f}"

    def arguments(_: Path) -> list[str]:
        return [
            *("-f", "lavfi", "-i", tone, *_CODECS[target.suffix]),
            *("-fflags", "+bitexact", "-flags:a", "+bitexact"),
            *("-metadata", "title=SANDBOX - not made by Kling AI"),
            *("-metadata", f"comment={printable(task.prompt)}"),
        ]

    make_file(find_ffmpeg(commission.settings.ffmpeg), arguments, target)
