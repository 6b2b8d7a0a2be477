"""Walk the boxes of an MP4 file: the first gate, and the only one that notices a truncated faststart file.

Reads only box headers, needs no binary and takes microseconds. Box layout: ISO/IEC 14496-12 section 4.2.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from airflow_provider_klingvideo.media.errors import VerificationError
from airflow_provider_klingvideo.media.inspect.filetypes import SHOWN_BYTES, require_beginning
from airflow_provider_klingvideo.storage.objects import storage_errors

# QuickTime files of old have no ftyp.
REQUIRED = ("moov", "mdat")
HEADER = 8
LARGE_HEADER = 16
# A fragmented file has two boxes per fragment; more boxes than this only come from a hostile one.
MAX_BOXES = 100_000
MP4 = ("mp4",)


@dataclass(frozen=True)
class Boxes:
    """Top level of an MP4 file.

    :param types: box types in file order.
    :param size: size of the file in bytes.
    """

    types: tuple[str, ...]
    size: int

    @property
    def faststart(self) -> bool:
        """Whether a player can begin before the whole file is there."""
        return self.types.index("moov") < self.types.index("mdat")


def walk_boxes(path: Path) -> Boxes:
    """Check that a file is an MP4 whose boxes fill it exactly.

    :raises VerificationError: it is something else, truncated, or lacks ``moov`` or ``mdat``.
    :raises StorageError: it cannot be read.
    """
    with storage_errors(f"reading {path.name}"), path.open("rb") as stream:
        return read_boxes(stream)


def read_boxes(stream: BinaryIO) -> Boxes:
    """Do the same with an open, seekable file."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    require_beginning(stream.read(SHOWN_BYTES), MP4)
    types: list[str] = []
    offset = 0
    while offset < size:
        if len(types) == MAX_BOXES:
            raise VerificationError(f"The file has more than {MAX_BOXES} boxes")
        stream.seek(offset)
        kind, length = _parse_header(stream.read(LARGE_HEADER), size - offset, offset)
        types.append(kind)
        offset += length
    if missing := [kind for kind in REQUIRED if kind not in types]:
        raise VerificationError(f"The MP4 has no {' and no '.join(missing)} box: it is truncated or empty")
    return Boxes(tuple(types), size)


def _parse_header(header: bytes, left: int, offset: int) -> tuple[str, int]:
    """Type and length of the box that begins with these bytes, ``left`` bytes before the end of the file."""
    if left < HEADER:
        raise VerificationError(f"The MP4 is truncated: {left} bytes are left over at {offset}")
    length, raw_kind = struct.unpack_from(">I4s", header)
    kind = raw_kind.decode("ascii", "replace")
    smallest = HEADER
    if length == 1:
        smallest = LARGE_HEADER
        length = struct.unpack_from(">Q", header, HEADER)[0] if len(header) == LARGE_HEADER else LARGE_HEADER
    elif length == 0:
        length = left
    if length < smallest:
        raise VerificationError(f"The MP4 is damaged: box {kind!a} at {offset} claims {length} bytes")
    if length > left:
        raise VerificationError(f"The MP4 is truncated: box {kind!a} at {offset} has {left} of its {length} bytes")
    return kind, length
