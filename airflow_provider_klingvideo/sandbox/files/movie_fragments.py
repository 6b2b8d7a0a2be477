"""How long the tracks of a fragmented MP4 are, whose own tables are empty (ISO/IEC 14496-12, section 8.8)."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airflow_provider_klingvideo.sandbox.files.movie_boxes import boxes

# Flags of a box -> bytes of the optional field that each announces, in the order in which the fields stand.
_BEFORE_DURATION = {0x1: 8, 0x2: 4}
_DURATION_OF_ALL = 0x8
_BEFORE_SAMPLES = {0x1: 4, 0x4: 4}
_PER_SAMPLE = {0x100: 4, 0x200: 4, 0x400: 4, 0x800: 4}
_DURATION_OF_EACH = 0x100


@dataclass
class Played:
    """What the fragments of a track add up to.

    :param ticks: in the track's own time scale.
    """

    ticks: int = 0
    samples: int = 0


def played(content: bytes, movie: Mapping[str, bytes]) -> Mapping[int, Played]:
    """What the fragments hold, by the number of the track.

    :param movie: the boxes in ``moov``.
    """
    usual = dict(_usual(boxes(movie.get("mvex", b""))))
    tracks: defaultdict[int, Played] = defaultdict(Played)
    for name, fragment in boxes(content):
        if name == "moof":
            for inner, track in boxes(fragment):
                if inner == "traf":
                    _add(tracks, track, usual)
    return tracks


def _usual(entries: Iterable[tuple[str, bytes]]) -> Iterable[tuple[int, int]]:
    """Track numbers with the duration of a sample, where a fragment does not say otherwise."""
    for name, box in entries:
        if name == "trex":
            track, _, duration = struct.unpack_from(">III", box, 4)
            yield track, duration


def _flags(box: bytes) -> int:
    return int.from_bytes(box[1:4], "big")


def _width(flags: int, fields: Mapping[int, int]) -> int:
    return sum(size for flag, size in fields.items() if flags & flag)


def _add(tracks: Mapping[int, Played], box: bytes, usual: Mapping[int, int]) -> None:
    parts = list(boxes(box))
    header = next(part for name, part in parts if name == "tfhd")
    (number,) = struct.unpack_from(">I", header, 4)
    duration = usual.get(number, 0)
    if _flags(header) & _DURATION_OF_ALL:
        (duration,) = struct.unpack_from(">I", header, 8 + _width(_flags(header), _BEFORE_DURATION))
    for name, run in parts:
        if name != "trun":
            continue
        flags, (count,) = _flags(run), struct.unpack_from(">I", run, 4)
        at, step = 8 + _width(flags, _BEFORE_SAMPLES), _width(flags, _PER_SAMPLE)
        tracks[number].samples += count
        if flags & _DURATION_OF_EACH:
            tracks[number].ticks += sum(struct.unpack_from(">I", run, at + step * index)[0] for index in range(count))
        else:
            tracks[number].ticks += duration * count
