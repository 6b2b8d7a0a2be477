"""What the headers of pictures tell: how large they are, and whether they move. Nothing is decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping

from airflow_provider_klingvideo.media.inspect.tracks import Content

Size = tuple[int, int]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_size(content: Content) -> Size:
    """Width and height of a PNG."""
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


# Start-of-frame markers of JPEG (ITU-T T.81 table B.1): C0 to CF without the tables C4, C8 and CC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers that stand alone, without a length.
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def jpeg_size(content: Content) -> Size | None:
    """Width and height of a JPEG, which can lie far behind its metadata."""
    offset = 2
    while content[offset] == 0xFF:
        marker = content[offset + 1]
        if marker == 0xFF or marker in _ALONE:
            offset += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, offset + 5)
            return width, height
        offset += 2 + int(struct.unpack_from(">H", content, offset + 2)[0])
    return None


def webp_size(content: Content) -> Size | None:
    """Width and height of the three kinds of WebP (RFC 9649 section 2): extended, lossless, lossy."""
    kind = content[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def png_chunks(content: Content) -> Iterator[tuple[bytes, int]]:
    """Kind and end of each chunk of a PNG; the end of one that was cut off lies behind the content."""
    offset = len(PNG_SIGNATURE)
    while offset + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, offset)
        kind, offset = content[offset + 4 : offset + 8], offset + 12 + length
        if not kind.isalpha():
            return
        yield kind, offset


def _png_moves(content: Content) -> bool:
    # The animation's control chunk stands before the pixels; other readers show the first picture.
    kinds = (kind for kind, _ in png_chunks(content))
    return next((kind == b"acTL" for kind in kinds if kind in {b"acTL", b"IDAT"}), False)


def _webp_moves(content: Content) -> bool:
    return content[12:16] == b"VP8X" and bool(content[20:21]) and bool(content[20] & 0x02)


SIZES: Mapping[str, Callable[[Content], Size | None]] = {"png": png_size, "jpg": jpeg_size, "webp": webp_size}
"""By extension."""
MOVES: Mapping[str, Callable[[Content], bool]] = {"png": _png_moves, "webp": _webp_moves}
"""Whether a picture is an animation, by extension."""
