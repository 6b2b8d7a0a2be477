"""Reads length, size and frame rate off an MP4 or MOV without decoding it (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_klingvideo.sandbox.media_facts import MediaFacts

_FORMATS = {b"qt  ": "mov", b"M4A ": "m4a", b"M4B ": "m4a"}
_HEADER = struct.Struct(">I4s")
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
    except (struct.error, KeyError, ZeroDivisionError):
        return None


def _facts(content: bytes) -> MediaFacts | None:
    boxes = dict(_boxes(content))
    if "moov" not in boxes or "ftyp" not in boxes:
        return None
    tracks = [_track(box) for name, box in _boxes(boxes["moov"]) if name == "trak"]
    films = [track for track in tracks if track.kind == b"vide" and track.seconds > 0]
    sounds = [track for track in tracks if track.kind == b"soun"]
    seconds = max((track.seconds for track in films or sounds), default=0.0)
    if not seconds:
        return None
    known = _FORMATS.get(boxes["ftyp"][:4], "mp4")
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


def _boxes(content: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at + _HEADER.size <= len(content):
        size, name = _HEADER.unpack_from(content, at)
        begin = at + _HEADER.size
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, begin)
            begin += 8
        end = at + size if size else len(content)
        if end < begin or end > len(content):
            return
        yield name.decode("latin-1"), content[begin:end]
        at = end


def _track(box: bytes) -> _Track:
    parts = dict(_boxes(box))
    media = dict(_boxes(parts["mdia"]))
    tables = dict(_boxes(dict(_boxes(media["minf"]))["stbl"]))
    width, height = struct.unpack_from(">II", parts["tkhd"], len(parts["tkhd"]) - 8)
    wide = media["mdhd"][0] == 1
    scale, length = struct.unpack_from(">IQ" if wide else ">II", media["mdhd"], 20 if wide else 12)
    (entries,) = struct.unpack_from(">I", tables["stts"], 4)
    samples = sum(struct.unpack_from(">I", tables["stts"], 8 + 8 * entry)[0] for entry in range(entries))
    return _Track(media["hdlr"][8:12], width // _FIXED_POINT, height // _FIXED_POINT, length / scale, samples)
