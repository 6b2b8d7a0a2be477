"""Reads length, size and frame rate off an MP4 or MOV without decoding it (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_klingvideo.sandbox.files.media_facts import MediaFacts
from airflow_provider_klingvideo.sandbox.files.movie_boxes import boxes
from airflow_provider_klingvideo.sandbox.files.movie_fragments import Played, played

_FORMATS = {b"qt  ": "mov", b"M4A ": "m4a", b"M4B ": "m4a"}
_FIXED_POINT = 1 << 16  # tkhd holds sizes as 16.16 numbers


@dataclass(frozen=True)
class _Track:
    kind: bytes
    width: int
    height: int
    seconds: float
    samples: int


def movie_facts(content: bytes) -> MediaFacts | None:
    """The facts of an MP4, MOV or M4A; none for anything else, or when they cannot be read."""
    try:
        return _facts(content)
    except (struct.error, KeyError, IndexError, StopIteration, ZeroDivisionError):
        return None


def _facts(content: bytes) -> MediaFacts | None:
    whole = dict(boxes(content))
    if "moov" not in whole or "ftyp" not in whole:
        return None
    fragments = played(content, dict(boxes(whole["moov"])))
    tracks = [_track(box, fragments) for name, box in boxes(whole["moov"]) if name == "trak"]
    films = [track for track in tracks if track.kind == b"vide" and track.seconds > 0]
    sounds = [track for track in tracks if track.kind == b"soun"]
    seconds = max((track.seconds for track in films or sounds), default=0.0)
    if not seconds:
        return None
    known = _FORMATS.get(whole["ftyp"][:4], "mp4")
    if not films:
        return MediaFacts(format="m4a", seconds=seconds, sound=True)
    film = films[0]
    return MediaFacts(
        format=known,
        width=film.width,
        height=film.height,
        seconds=seconds,
        frames_per_second=film.samples / film.seconds,
        sound=bool(sounds),
    )


def _track(box: bytes, fragments: Mapping[int, Played]) -> _Track:
    parts = dict(boxes(box))
    media = dict(boxes(parts["mdia"]))
    tables = dict(boxes(dict(boxes(media["minf"]))["stbl"]))
    width, height = struct.unpack_from(">II", parts["tkhd"], len(parts["tkhd"]) - 8)
    wide = media["mdhd"][0] == 1
    scale, length = struct.unpack_from(">IQ" if wide else ">II", media["mdhd"], 20 if wide else 12)
    (entries,) = struct.unpack_from(">I", tables["stts"], 4)
    samples = sum(struct.unpack_from(">I", tables["stts"], 8 + 8 * entry)[0] for entry in range(entries))
    (number,) = struct.unpack_from(">I", parts["tkhd"], 20 if parts["tkhd"][0] == 1 else 12)
    if more := fragments.get(number):
        length, samples = length + more.ticks, samples + more.samples
    return _Track(media["hdlr"][8:12], width // _FIXED_POINT, height // _FIXED_POINT, length / scale, samples)
