"""Input images: how large one is, and a few to try image-to-video with."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable
from functools import lru_cache

from airflow_provider_klingvideo.sandbox.files.media_facts import MediaFacts

Colour = tuple[int, int, int]
Size = tuple[int, int]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Start-of-frame markers carry the size; C4, C8 and CC in their midst are something else.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})

_FORMATS = {
    "png": re.compile(re.escape(_PNG)),
    "jpeg": re.compile(_JPEG),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}


def image_format(content: bytes) -> str | None:
    """``png``, ``jpeg`` or ``webp``, by the first bytes; none for anything else."""
    return next((name for name, magic in _FORMATS.items() if magic.match(content)), None)


def image_size(content: bytes) -> Size | None:
    """Width and height in pixels of a PNG, JPEG or WebP, none for anything else."""
    kind = image_format(content)
    try:
        return _SIZES[kind](content) if kind else None
    except (struct.error, IndexError):
        return None


def image_facts(content: bytes) -> MediaFacts | None:
    """The facts of a PNG, JPEG or WebP, none for anything else."""
    kind, size = image_format(content), image_size(content)
    return MediaFacts(format=kind, width=size[0], height=size[1]) if kind and size else None


def _png_size(content: bytes) -> Size | None:
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _jpeg_size(content: bytes) -> Size | None:
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        at += 2 if marker in _JPEG_BARE else 2 + max(2, struct.unpack_from(">H", content, at + 2)[0])
    return None


def _webp_size(content: bytes) -> Size | None:
    """Each of the three kinds of WebP (RFC 9649) holds its size in another way."""
    kind = content[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return 1 + (bits & _14_BITS), 1 + (bits >> 14 & _14_BITS)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & _14_BITS, height & _14_BITS
    return None


_14_BITS = (1 << 14) - 1
_SIZES = {"png": _png_size, "jpeg": _jpeg_size, "webp": _webp_size}


# Name -> size, colour of the sky, of the ground, of the disc between them.
SAMPLES: dict[str, tuple[Size, Colour, Colour, Colour]] = {
    "sunrise": ((1280, 720), (36, 24, 84), (246, 154, 92), (255, 226, 160)),
    "ocean": ((1024, 576), (10, 38, 71), (54, 162, 196), (224, 247, 250)),
    "portrait": ((720, 1280), (46, 16, 60), (212, 92, 140), (255, 214, 224)),
    "square": ((768, 768), (12, 60, 48), (150, 200, 96), (250, 244, 196)),
}


@lru_cache(maxsize=len(SAMPLES))
def sample_png(name: str) -> bytes:
    """One of :data:`SAMPLES` as a PNG: a disc before a gradient.

    :raises KeyError: for any other name.
    """
    (width, height), top, bottom, disc = SAMPLES[name]
    radius, middle = min(width, height) // 5, height // 2
    rows = []
    for y in range(height):
        shade = bytes(a + (b - a) * y // (height - 1) for a, b in zip(top, bottom, strict=True))
        half = int(max(0, radius * radius - (y - middle) ** 2) ** 0.5)
        side = width // 2 - half
        rows.append(b"\x00" + shade * side + bytes(disc) * (2 * half) + shade * (width - side - 2 * half))
    return write_png(width, height, _RGB, rows)


_GREY, _RGB = 0, 2  # colour types of PNG


def grey_png(width: int, height: int, pixels: bytes) -> bytes:
    """A PNG of shades of grey, one byte per pixel, row by row."""
    return write_png(width, height, _GREY, [b"\x00" + pixels[y * width : (y + 1) * width] for y in range(height)])


def write_png(width: int, height: int, colour_type: int, rows: Iterable[bytes]) -> bytes:
    """A PNG of rows that each begin with the byte of their filter."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 6)), (b"IEND", b""))
    return _PNG + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
