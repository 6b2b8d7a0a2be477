"""Reads the length of a sound off a WAV, MP3, AAC or M4A file without decoding it."""

from __future__ import annotations

import struct
from collections.abc import Callable

from airflow_provider_klingvideo.sandbox.files.media_facts import MediaFacts
from airflow_provider_klingvideo.sandbox.files.movie_files import movie_facts

# Kilobit per second of an MPEG audio layer III frame, by the index in its header: version 1, then versions 2 and 2.5.
_KILOBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_MP3_HERTZ = (44_100, 48_000, 32_000)
_MP3_VERSIONS = {3: (0, 1, 1152), 2: (1, 2, 576), 0: (1, 4, 576)}  # row of _KILOBITS, divisor of the rate, samples
_AAC_HERTZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_AAC_SAMPLES = 1024
_SYNC = 0xFF


def audio_facts(content: bytes) -> MediaFacts | None:
    """The facts of a sound, none for anything else."""
    for name, length in _LENGTHS.items():
        try:
            seconds = length(content)
        except (struct.error, IndexError, ValueError, ZeroDivisionError):
            seconds = 0.0
        if seconds > 0:
            return MediaFacts(format=name, seconds=seconds, sound=True)
    return None


def _wav(content: bytes) -> float:
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return 0.0
    at, rate = 12, 0
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        if name == b"fmt ":
            rate = int.from_bytes(content[at + 16 : at + 20], "little")
        if name == b"data":
            # A stream that was written without going back announces more than there is.
            return float(min(size, len(content) - at - 8) / rate)
        at += 8 + size + size % 2
    return 0.0


def _mp3(content: bytes) -> float:
    at = 0
    if content[:3] == b"ID3":
        at = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0), strict=True))
    seconds = 0.0
    while at + 4 <= len(content) and content[at] == _SYNC and content[at + 1] & 0xE6 == 0xE2:
        version, rates, sampling = content[at + 1] >> 3 & 3, content[at + 2] >> 4, content[at + 2] >> 2 & 3
        row, divisor, samples = _MP3_VERSIONS.get(version, (0, 0, 0))
        hertz = _MP3_HERTZ[sampling] // divisor
        size = samples // 8 * _KILOBITS[row][rates] * 1000 // hertz + (content[at + 2] >> 1 & 1)
        if not _KILOBITS[row][rates]:
            return 0.0
        seconds += samples / hertz
        at += size
    return seconds


def _aac(content: bytes) -> float:
    at, seconds = 0, 0.0
    while at + 7 <= len(content) and content[at] == _SYNC and content[at + 1] & 0xF6 == 0xF0:
        seconds += _AAC_SAMPLES / _AAC_HERTZ[content[at + 2] >> 2 & 0xF]
        size = (content[at + 3] & 3) << 11 | content[at + 4] << 3 | content[at + 5] >> 5
        if size < 7:
            return 0.0
        at += size
    return seconds


def _m4a(content: bytes) -> float:
    facts = movie_facts(content)
    return facts.seconds if facts and facts.format == "m4a" else 0.0


_LENGTHS: dict[str, Callable[[bytes], float]] = {"wav": _wav, "m4a": _m4a, "mp3": _mp3, "aac": _aac}
