"""Whether a file is all there, by what its own headers say: nothing is decoded.

AAC and texts do not tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_klingvideo.media.inspect.pictures import png_chunks
from airflow_provider_klingvideo.media.inspect.sound_frames import first_frame
from airflow_provider_klingvideo.media.inspect.tracks import Content, boxes_in

_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
# What programs write that send a WAV before they know how long it becomes.
_UNKNOWN = (0, 0xFFFFFFFF)


def _png(content: Content) -> str:
    # A cut header is told by who reads the size in it.
    cut = [kind for kind, end in png_chunks(content) if kind != b"IHDR" and end > len(content)]
    return f"its chunk {cut[0].decode('ascii')} is longer than the file" if cut else ""


def _jpeg(content: Content) -> str:
    scan = content.find(_START_OF_SCAN)
    whole = scan >= 0 and content.rfind(_END_OF_IMAGE) > scan
    return "" if whole else "it has no end of image"


def _riff(content: Content) -> str:
    size = int.from_bytes(content[4:8], "little")
    # Some programs leave out the byte that makes the length even.
    if size in _UNKNOWN or len(content) + 1 >= size + 8:
        return ""
    return f"it has {len(content)} of its {size + 8} bytes"


def _boxes(content: Content) -> str:
    boxes = [(kind, end) for kind, _, end in boxes_in(content)]
    if cut := next((kind for kind, end in boxes if end > len(content)), None):
        return f"its box {cut.decode('ascii', 'replace')!a} is longer than the file"
    return "" if any(kind == b"moov" for kind, _ in boxes) else "it has no moov box, which tells what is in it"


def _mp3(content: Content) -> str:
    return "" if first_frame(content, "mp3") is not None else "behind its ID3 tag is no sound"


def _font(content: Content, start: int = 0) -> str:
    """A font of which ffmpeg can make nothing it replaces by another one, and says so to nobody."""
    count = int.from_bytes(content[start + 4 : start + 6], "big")
    tables = [content[at : at + 16] for at in range(start + 12, start + 12 + 16 * count, 16)]
    ends = [int.from_bytes(table[8:12], "big") + int.from_bytes(table[12:16], "big") for table in tables]
    return "" if ends and max(ends) <= len(content) else f"not all of its {count} tables are there"


def _fonts(content: Content) -> str:
    return _font(content, int.from_bytes(content[12:16], "big"))


CUTS: Mapping[str, Callable[[Content], str]] = {
    "png": _png,
    "jpg": _jpeg,
    "webp": _riff,
    "wav": _riff,
    "mp3": _mp3,
    "m4a": _boxes,
    "mp4": _boxes,
    "ttf": _font,
    "otf": _font,
    "ttc": _fonts,
}
"""What is missing of a file, empty where nothing is; by extension."""


def missing_part(content: Content, extension: str) -> str:
    """Return what a file lacks at its end, empty where nothing is known to be missing.

    :param extension: of its type.
    """
    check = CUTS.get(extension)
    return check(content) if check else ""
