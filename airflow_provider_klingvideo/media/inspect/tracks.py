"""What the boxes of MP4, M4A, QuickTime and HEIF files say is inside: only they tell sound, pictures and stills apart.

The brand of a file tells nothing: M4A comes as ``mp42``, ``isom``, ``dash``, and QuickTime without any. Box layout:
ISO/IEC 14496-12 section 4.2, tracks section 8.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_klingvideo.storage.objects import storage_errors

Content = bytes | mmap.mmap
"""A whole file; a large one is mapped into memory."""

OPENINGS = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"moof", b"sidx"})
"""What such a file can begin with."""
MAX_BOXES = 10_000
ENCRYPTED = frozenset({b"drms", b"drmi", b"enca", b"encv", b"enct", b"encs"})
"""Sample entries whose media nobody can decode without a key."""
_STILLS = frozenset({b"jpeg", b"mjpa", b"mjpb", b"png ", b"tiff", b"gif "})


@dataclass(frozen=True)
class Track:
    """A track, as its header tells it.

    :param handler: ``vide``, ``soun``, ``text``, ``tmcd`` ...
    :param coding: the four letters of its first sample entry: ``avc1``, ``mp4a`` ...
    """

    handler: bytes
    coding: bytes

    @property
    def is_video(self) -> bool:
        """Whether it has moving pictures; audio books have tracks of stills for their chapters."""
        return self.handler == b"vide" and self.coding not in _STILLS


def boxes_in(content: Content, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of the payload of each box; the end of one that was cut off lies behind the content."""
    end = len(content) if end is None else min(end, len(content))
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", content, start)
        header = 8
        if length == 1 and start + 16 <= end:
            header, length = 16, struct.unpack_from(">Q", content, start + 8)[0]
        length = length or end - start
        if length < header:
            return
        yield kind, start + header, start + length
        start += length


def tracks_of(content: Content) -> list[Track]:
    """The tracks of a file, none where its index is missing."""
    return [
        _track(content, begin, end)
        for kind, start, stop in boxes_in(content)
        if kind == b"moov"
        for inner, begin, end in boxes_in(content, start, stop)
        if inner == b"trak"
    ]


def tracks_at(path: Path) -> list[Track]:
    """Do the same with a local file of any type, which is not empty.

    :raises StorageError: it cannot be read.
    """
    reading = storage_errors(f"reading {path.name}")
    with reading, path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return tracks_of(content) if content[4:8] in OPENINGS else []


def is_still(content: Content) -> bool:
    """Whether it is a picture: the index of one says ``pict`` and stands in no track."""
    return any(
        _handler(content, start + 4, end) == b"pict" for kind, start, end in boxes_in(content) if kind == b"meta"
    )


def brands_of(content: Content) -> frozenset[bytes]:
    """What a file calls itself."""
    kind, start, end = next(boxes_in(content), (b"", 0, 0))
    words = content[start : min(end, start + 256)] if kind == b"ftyp" else b""
    return frozenset(words[at : at + 4] for at in range(0, len(words), 4) if at != 4)


def _handler(content: Content, start: int, end: int) -> bytes:
    return next((content[at + 8 : at + 12] for kind, at, _ in boxes_in(content, start, end) if kind == b"hdlr"), b"")


def _track(content: Content, start: int, end: int) -> Track:
    media = _inner(content, start, end, b"mdia")
    table = _inner(content, *_inner(content, *_inner(content, *media, b"minf"), b"stbl"), b"stsd")
    return Track(_handler(content, *media), content[table[0] + 12 : table[0] + 16] if table[1] > table[0] else b"")


def _inner(content: Content, start: int, end: int, wanted: bytes) -> tuple[int, int]:
    return next(((at, to) for kind, at, to in boxes_in(content, start, end) if kind == wanted), (end, end))
