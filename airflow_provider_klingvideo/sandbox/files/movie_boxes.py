"""The boxes that an MP4 or MOV consists of (ISO/IEC 14496-12, section 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEADER = struct.Struct(">I4s")


def boxes(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The boxes of a file or of another box: their names and what is in them."""
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
