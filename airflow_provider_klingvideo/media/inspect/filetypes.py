"""What a file is, by its first bytes, and how large a picture is: read from headers, nothing is decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_klingvideo._urls import without_queries
from airflow_provider_klingvideo.media.errors import VerificationError
from airflow_provider_klingvideo.media.ffmpeg.trust import MP4_DECODERS

SHOWN_BYTES = 200
# Enough for the header of every type; a JPEG's size can lie far behind its metadata.
HEAD_BYTES = 12

WEBP_DECODERS = ("webp", "webp_anim")
WAV_DECODERS = ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le")

Size = tuple[int, int]


@dataclass(frozen=True)
class FileType:
    """A type of file that the vendor delivers or takes.

    :param name: for people.
    :param extension: of its files, without a dot.
    :param media_type: its MIME type.
    :param matches: whether a file that begins with these bytes is one.
    :param demuxer: how ffmpeg reads it, None for texts.
    :param decoders: those of ffmpeg that may decode what is in it.
    """

    name: str
    extension: str
    media_type: str
    matches: Callable[[bytes], bool]
    demuxer: str | None = None
    decoders: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """``image``, ``audio``, ``video`` or ``text``."""
        return self.media_type.partition("/")[0]

    @property
    def input_options(self) -> dict[str, str]:
        """Options that keep ffmpeg to one file of this type: a text can pass for a list of other files."""
        return {"f": str(self.demuxer), "protocol_whitelist": "file", "codec_whitelist": ",".join(self.decoders)}


def _is_mp3(head: bytes) -> bool:
    return head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6))


def _is_adts(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


def _is_text(head: bytes) -> bool:
    return head[:1].isdigit() or head[:4] == b"\xef\xbb\xbf1"


FILE_TYPES = (
    FileType("PNG", "png", "image/png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), "png_pipe", ("png",)),
    FileType("JPEG", "jpg", "image/jpeg", lambda head: head.startswith(b"\xff\xd8\xff"), "jpeg_pipe", ("mjpeg",)),
    FileType(
        "WebP", "webp", "image/webp", lambda head: head[:4] + head[8:12] == b"RIFFWEBP", "webp_pipe", WEBP_DECODERS
    ),
    FileType("WAV", "wav", "audio/wav", lambda head: head[:4] + head[8:12] == b"RIFFWAVE", "wav", WAV_DECODERS),
    FileType("AAC", "aac", "audio/aac", _is_adts, "aac", ("aac",)),
    FileType("MP3", "mp3", "audio/mpeg", _is_mp3, "mp3", ("mp3float", "mp3")),
    FileType("M4A", "m4a", "audio/mp4", lambda head: head[4:11] == b"ftypM4A", "mov", MP4_DECODERS),
    FileType("MP4", "mp4", "video/mp4", lambda head: head[4:8] == b"ftyp", "mov", MP4_DECODERS),
    FileType("ASS", "ass", "text/x-ssa", lambda head: head.lstrip(b"\xef\xbb\xbf").startswith(b"[Script Info"[:9])),
    FileType("SRT", "srt", "application/x-subrip", _is_text),
)
"""The more special ones first."""


def file_type(head: bytes) -> FileType | None:
    """Return what a file is by its first bytes (:data:`HEAD_BYTES` are enough), None for anything else."""
    return next((one for one in FILE_TYPES if one.matches(head)), None)


def require_type(head: bytes, extensions: tuple[str, ...]) -> FileType:
    """Return what a file is.

    :param extensions: the types that are expected, by extension.
    :raises VerificationError: when it is none of them, showing what came instead, without query strings.
    """
    expected = [one for one in FILE_TYPES if one.extension in extensions]
    found = next((one for one in expected if one.matches(head)), None)
    if found is not None:
        return found
    if not head:
        raise VerificationError("The file is empty")
    shown = without_queries(head[:SHOWN_BYTES].decode("utf-8", "replace"))
    wanted = " or ".join(one.name for one in expected)
    raise VerificationError(f"This is no {wanted} file; it begins with {shown!a}")


def picture_size(content: bytes) -> Size | None:
    """Return width and height of a PNG, JPEG or WebP as stored; None when its header cannot be read."""
    found = file_type(content[:HEAD_BYTES])
    read = _SIZES.get(found.extension) if found else None
    try:
        return read(content) if read else None
    except (struct.error, IndexError):
        return None


def _png_size(content: bytes) -> Size:
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


# Start-of-frame markers of JPEG (ITU-T T.81 table B.1): C0 to CF without the tables C4, C8 and CC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers that stand alone, without a length.
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def _jpeg_size(content: bytes) -> Size | None:
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


def _webp_size(content: bytes) -> Size | None:
    """The three kinds of WebP (RFC 9649 section 2): extended, lossless, lossy."""
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


_SIZES: dict[str, Callable[[bytes], Size | None]] = {"png": _png_size, "jpg": _jpeg_size, "webp": _webp_size}
