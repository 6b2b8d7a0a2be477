"""What a file is: decided here alone, by its bytes. Its name and its brand decide nothing, and nothing is decoded.

A type is recognised by how it begins, and then by what is inside: MP4 and M4A begin alike and have other tracks, a
frame of MP3 is one where others follow it, subtitles have times. Types that are not used are known by name, so that a
person reads what a file is instead of what it is not.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_klingvideo._urls import without_queries
from airflow_provider_klingvideo.media.errors import VerificationError
from airflow_provider_klingvideo.media.ffmpeg.trust import MP4_DECODERS
from airflow_provider_klingvideo.media.inspect.pictures import MOVES, PNG_SIGNATURE, SIZES, Size
from airflow_provider_klingvideo.media.inspect.sound_frames import LENGTHS, behind_tag, first_frame
from airflow_provider_klingvideo.media.inspect.texts import decoded
from airflow_provider_klingvideo.media.inspect.tracks import OPENINGS, Content, brands_of, is_still, tracks_of
from airflow_provider_klingvideo.media.inspect.whole import missing_part
from airflow_provider_klingvideo.storage.objects import storage_errors

SHOWN_BYTES = 200
HEAD_BYTES = 12
"""Enough to tell how a file of any type begins."""
TEXT_BYTES = 4096
"""Where a text must have shown what it is."""

CUE = re.compile(r"^[ \t]*(?:\d+:)?\d+:\d+(?:[,.]\d+)?[ \t]*-+>", re.MULTILINE)
"""How a line of SRT begins that says when something is shown."""

WEBP_DECODERS = ("webp", "webp_anim")
WAV_DECODERS = ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw")

Test = Callable[[Content], bool]


@dataclass(frozen=True)
class FileType:
    """A type of file.

    :param name: for people.
    :param extension: of its files, without a dot.
    :param media_type: its MIME type.
    :param begins: whether a file that begins with these bytes can be one.
    :param holds: whether a file with these bytes is one.
    :param demuxer: how ffmpeg reads it, None for texts and for what is never given to it.
    :param decoders: those of ffmpeg that may decode what is in it.
    """

    name: str
    extension: str
    media_type: str
    begins: Test
    holds: Test = lambda _content: True
    demuxer: str | None = None
    decoders: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """``image``, ``audio``, ``video``, ``text`` ..."""
        return self.media_type.partition("/")[0]

    @property
    def input_options(self) -> dict[str, str]:
        """Options that keep ffmpeg to one file of this type: a text can pass for a list of other files."""
        return {"f": str(self.demuxer), "protocol_whitelist": "file", "codec_whitelist": ",".join(self.decoders)}


def _starts(*signatures: bytes) -> Test:
    return lambda content: content[:HEAD_BYTES].startswith(signatures)


def _riff(form: bytes, *kinds: bytes) -> Test:
    return lambda content: content[:4] in (kinds or (b"RIFF",)) and content[8:12] == form


def _is_boxes(content: Content) -> bool:
    return content[4:8] in OPENINGS


def _is_sound(content: Content) -> bool:
    kinds, brands = _kinds_in(content), brands_of(content)
    # Of a file without an index nothing but the brand is left.
    return kinds == {"sound"} or not (kinds or brands.isdisjoint({b"M4A ", b"M4B "}))


def _is_video(content: Content) -> bool:
    # What has neither is cut off, or holds nothing: that is what is told then.
    return "video" in _kinds_in(content) or not (_is_sound(content) or is_still(content))


def _kinds_in(content: Content) -> set[str]:
    tracks = tracks_of(content)
    return {"video" for one in tracks if one.is_video} | {"sound" for one in tracks if one.handler == b"soun"}


def _is_still_of(*brands: bytes) -> Test:
    return lambda content: is_still(content) and (not brands or not brands_of(content).isdisjoint(brands))


def _frames(extension: str) -> tuple[Test, Test]:
    """How sound without a header begins, and whether its frames follow one another."""

    def begins(content: Content) -> bool:
        start = behind_tag(content)
        head = content[start : start + SHOWN_BYTES].lstrip(b"\0")
        return not head or bool(LENGTHS[extension](head))

    return begins, lambda content: first_frame(content, extension) is not None


def _holds_mp3(content: Content) -> bool:
    # Of a file that was cut off within its tag there is nothing else to tell.
    return _has_mp3_frames(content) or behind_tag(content) >= max(1, len(content))


def _text(content: Content) -> str | None:
    """The beginning of a text in any legal encoding, without the blanks before it; None for anything else."""
    beginning = content[:TEXT_BYTES]
    # The last letter may be cut: it has four bytes at most.
    for cut in range(4):
        with suppress(UnicodeDecodeError):
            text = decoded(beginning[: len(beginning) - cut])
            return None if "\0" in text else text.lstrip()
    return None


def _reads(pattern: str) -> tuple[Test, Test]:
    """How a text begins that has something of a pattern as its first letters."""
    wanted = re.compile(pattern, re.IGNORECASE | re.DOTALL)

    def begins(content: Content) -> bool:
        text = _text(content)
        return text is not None and (not text or wanted.match(text) is not None)

    return begins, lambda content: wanted.match(_text(content) or "") is not None


def _can_be_subtitles(content: Content) -> bool:
    text = _text(content)
    return text is not None and (not text or text[0].isdigit())


def _has_cues(content: Content) -> bool:
    return CUE.search(_text(content) or "") is not None


def _is_text(content: Content) -> bool:
    return bool(_text(content))


_AAC = _frames("aac")
_begins_mp3, _has_mp3_frames = _frames("mp3")

FILE_TYPES = (
    FileType("PNG", "png", "image/png", _starts(PNG_SIGNATURE), demuxer="png_pipe", decoders=("png",)),
    FileType("JPEG", "jpg", "image/jpeg", _starts(b"\xff\xd8\xff"), demuxer="jpeg_pipe", decoders=("mjpeg",)),
    FileType("WebP", "webp", "image/webp", _riff(b"WEBP"), demuxer="webp_pipe", decoders=WEBP_DECODERS),
    FileType(
        "WAV", "wav", "audio/wav", _riff(b"WAVE", b"RIFF", b"RF64", b"BW64"), demuxer="wav", decoders=WAV_DECODERS
    ),
    FileType("M4A", "m4a", "audio/mp4", _is_boxes, _is_sound, "mov", MP4_DECODERS),
    FileType("AVIF", "avif", "image/avif", _is_boxes, _is_still_of(b"avif", b"avis")),
    FileType("HEIC", "heic", "image/heic", _is_boxes, _is_still_of()),
    FileType("MP4", "mp4", "video/mp4", _is_boxes, _is_video, "mov", MP4_DECODERS),
    FileType("GIF", "gif", "image/gif", _starts(b"GIF8")),
    FileType("BMP", "bmp", "image/bmp", lambda content: content[:2] == b"BM" and content[6:10] == b"\0\0\0\0"),
    FileType("TIFF", "tiff", "image/tiff", _starts(b"II*\0", b"MM\0*")),
    FileType("JPEG XL", "jxl", "image/jxl", _starts(b"\xff\x0a", b"\0\0\0\x0cJXL ")),
    FileType("JPEG 2000", "jp2", "image/jp2", _starts(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    FileType("Photoshop", "psd", "image/vnd.adobe.photoshop", _starts(b"8BPS")),
    FileType("Ogg", "ogg", "audio/ogg", _starts(b"OggS")),
    FileType("FLAC", "flac", "audio/flac", _starts(b"fLaC")),
    FileType("AIFF", "aiff", "audio/aiff", lambda content: content[:4] == b"FORM" and content[8:11] == b"AIF"),
    FileType("CAF", "caf", "audio/x-caf", _starts(b"caff")),
    FileType("AMR", "amr", "audio/amr", _starts(b"#!AMR")),
    FileType("MIDI", "mid", "audio/midi", _starts(b"MThd")),
    FileType("Matroska or WebM", "mkv", "video/x-matroska", _starts(b"\x1aE\xdf\xa3")),
    FileType("AVI", "avi", "video/x-msvideo", _riff(b"AVI ")),
    FileType("Windows Media", "wmv", "video/x-ms-asf", _starts(b"0&\xb2u\x8ef\xcf\x11")),
    FileType("FLV", "flv", "video/x-flv", _starts(b"FLV\x01")),
    FileType(
        "MPEG-TS", "ts", "video/mp2t", lambda content: content[:1] == b"G", lambda content: content[188:189] == b"G"
    ),
    FileType("a TrueType font", "ttf", "font/ttf", _starts(b"\0\x01\0\0", b"true")),
    FileType("an OpenType font", "otf", "font/otf", _starts(b"OTTO")),
    FileType("a font collection", "ttc", "font/collection", _starts(b"ttcf")),
    FileType("a WOFF font", "woff", "font/woff", _starts(b"wOFF", b"wOF2")),
    FileType("PDF", "pdf", "application/pdf", _starts(b"%PDF")),
    FileType("ZIP", "zip", "application/zip", _starts(b"PK\x03\x04")),
    FileType("gzip", "gz", "application/gzip", _starts(b"\x1f\x8b")),
    FileType("ASS", "ass", "text/x-ssa", *_reads(r"\[Script Info")),
    FileType("WebVTT", "vtt", "text/vtt", *_reads(r"WEBVTT\b")),
    FileType(
        "a web page", "html", "text/html", *_reads(r"(<\?xml.*?>\s*|<!--.*?-->\s*)*<(!doctype html|html|head|body)")
    ),
    FileType("SVG", "svg", "image/svg+xml", *_reads(r"(<\?xml.*?>\s*|<!.*?>\s*)*<svg\b")),
    FileType("XML", "xml", "text/xml", *_reads(r"<\?xml|<Error>")),
    FileType("a playlist", "m3u8", "text/x-playlist", *_reads("#EXTM3U|ffconcat ")),
    FileType("a Git LFS pointer", "lfs", "text/x-git-lfs", *_reads("version https://git-lfs")),
    FileType("JSON", "json", "text/json", *_reads(r'\{\s*["}]|\[\s*[\[{"\d\]-]')),
    FileType("SRT", "srt", "application/x-subrip", _can_be_subtitles, _has_cues),
    FileType("AAC", "aac", "audio/aac", *_AAC, demuxer="aac", decoders=("aac",)),
    FileType("MP3", "mp3", "audio/mpeg", _begins_mp3, _holds_mp3, "mp3", decoders=("mp3float", "mp3")),
    FileType("text", "txt", "text/plain", _is_text),
)
"""The more special ones first."""
_BY_EXTENSION = {one.extension: one for one in FILE_TYPES}
# Sound without a header, and subtitles, may have anything before what they are known by.
_ANYHOW = frozenset({"mp3", "aac", "srt"})


def file_type(content: Content) -> FileType | None:
    """Return what a file is, None for what is not known.

    :param content: the whole file.
    """
    return next((one for one in FILE_TYPES if _is(one, content)), None)


def _is(one: FileType, content: Content) -> bool:
    return (one.extension in _ANYHOW or one.begins(content)) and one.holds(content)


def require_beginning(head: bytes, extensions: Sequence[str]) -> None:
    """Refuse a file of which only the beginning is there.

    :param head: :data:`HEAD_BYTES` at least, where the file has so many.
    :param extensions: the types that are expected, by extension.
    :raises VerificationError: it cannot become one of them; it says what came instead, without query strings.
    """
    if not head or not any(_BY_EXTENSION[extension].begins(head) for extension in extensions):
        raise _unexpected(head, extensions, next((one for one in FILE_TYPES if one.begins(head)), None))


def require_type(content: Content, extensions: Sequence[str]) -> FileType:
    """Return what a file is.

    :param content: the whole file.
    :param extensions: the types that are expected, by extension.
    :raises VerificationError: it is none of them, or was cut off; it says what came instead, without query strings.
    """
    found = file_type(content)
    if found is None or found.extension not in extensions:
        raise _unexpected(content[:SHOWN_BYTES], extensions, found)
    if missing := missing_part(content, found.extension):
        raise VerificationError(f"The {found.name} file was cut off: {missing}")
    return found


def type_at(path: Path, extensions: Sequence[str]) -> FileType:
    """Do the same with a local file, which may be larger than the memory.

    :raises StorageError: it cannot be read.
    """
    with storage_errors(f"reading {path.name}"), path.open("rb") as stream:
        if not path.stat().st_size:
            return require_type(b"", extensions)
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return require_type(content, extensions)


def names_of(extensions: Sequence[str]) -> str:
    """The names of types, for a person."""
    return " or ".join(_BY_EXTENSION[extension].name for extension in extensions)


def _unexpected(head: bytes, extensions: Sequence[str], found: FileType | None) -> VerificationError:
    if not head:
        return VerificationError("The file is empty")
    shown = without_queries(head[:SHOWN_BYTES].decode("utf-8", "replace"))
    told = f" and is {found.name}" if found else ""
    return VerificationError(f"This is no {names_of(extensions)} file; it begins with {shown!a}{told}")


def picture_size(content: Content) -> Size | None:
    """Return width and height of a PNG, JPEG or WebP as stored; None when its header cannot be read."""
    read = next((SIZES[name] for name in SIZES if _BY_EXTENSION[name].begins(content)), None)
    try:
        return read(content) if read else None
    except (struct.error, IndexError):
        return None


def is_animated(content: Content) -> bool:
    """Whether a picture moves: an animated PNG or WebP."""
    return any(moves(content) for name, moves in MOVES.items() if _BY_EXTENSION[name].begins(content))
