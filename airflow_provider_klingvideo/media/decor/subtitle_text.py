"""Subtitles as ffmpeg reads them without losing a line, whatever program has written them.

ffmpeg skips a cue whose time it cannot read and says nothing: every time is read here first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.media.errors import FilmError, VerificationError
from airflow_provider_klingvideo.media.inspect.filetypes import CUE, file_type, names_of, require_type
from airflow_provider_klingvideo.media.inspect.texts import decoded, line_of
from airflow_provider_klingvideo.storage.objects import storage_errors

DEMUXERS = {"srt": "srt", "ass": "ass", "vtt": "webvtt"}
"""ffmpeg's names of what subtitles may be, by extension."""
MAX_BYTES = 4 * 1024 * 1024

_POINTS = {"srt": ",", "vtt": "."}
_MOMENT = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[,.](\d{1,3})\d*)?"
_TIMES = re.compile(rf"[ \t]*{_MOMENT}[ \t]*-+>[ \t]*{_MOMENT}(?=\s|$)(.*)")
FIRST = "1"
"""The number of the first cue: without it ffmpeg does not know SRT."""
LEGAL_TIMES = "00:00:01,500 --> 00:00:03,000, the end not before the start"


def subtitles_in(path: Path, where: str) -> tuple[str, str]:
    """Read a file of subtitles.

    :param path: a local file.
    :param where: what a person calls it.
    :returns: its type by extension, and its text: in one form of times and ends of lines, from the first cue on.
    :raises FilmError: it has no subtitles, a time in it makes no sense, or its encoding is not known.
    :raises StorageError: it cannot be read.
    """
    with storage_errors(f"reading {where}"):
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    if size > MAX_BYTES:
        raise FilmError(Fault(where, f"has {size} bytes", f"at most {MAX_BYTES}"))
    text = _read(content, where)
    found = file_type(content)
    if found is None or found.extension not in DEMUXERS:
        raise FilmError(Fault(where, _what_instead(content), names_of(tuple(DEMUXERS))))
    extension = found.extension
    return extension, text.lstrip() if extension == "ass" else _timed(text, where, extension)


def _what_instead(content: bytes) -> str:
    try:
        return f"is {require_type(content, ('ass', 'srt')).name}"
    except VerificationError as error:
        return error.message


def _read(content: bytes, where: str) -> str:
    try:
        return decoded(content)
    except UnicodeDecodeError as error:
        byte = content[error.start : error.start + 1].hex()
        what = f"not in UTF-8: the byte 0x{byte}, {error.reason}"
        raise FilmError(
            Fault(f"{where}, line {line_of(content, error)}", what, "UTF-8, or UTF-16 with a mark")
        ) from error


def _timed(text: str, where: str, extension: str) -> str:
    """A text with times that every version of ffmpeg reads."""
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if CUE.match(line)), 0)
    # A program's mark before the first cue makes ffmpeg lose that one; a WebVTT file needs its head.
    kept = range(len(lines)) if extension == "vtt" else range(first, len(lines))
    text = "\n".join(_line(lines[number], f"{where}, line {number + 1}", extension) for number in kept)
    return text.lstrip() if extension == "vtt" else f"{FIRST}\n{text}"


def _line(line: str, where: str, extension: str) -> str:
    if not ("->" in line and line.lstrip()[:1].isdigit()):
        return line
    found = _TIMES.match(line)
    if found is None or _seconds(found, 5) < _seconds(found, 1):
        raise FilmError(Fault(where, f"{quoted(line)} says not when something is shown", LEGAL_TIMES))
    begin, end = (_moment(found, group, _POINTS[extension]) for group in (1, 5))
    return f"{begin} --> {end}{found[9]}"


def _parts(found: re.Match[str], group: int) -> Iterator[int]:
    for number in range(group, group + 3):
        yield int(found[number] or 0)
    # ".5" is half a second; ffmpeg takes it for five thousandths.
    yield int((found[group + 3] or "").ljust(3, "0"))


def _seconds(found: re.Match[str], group: int) -> float:
    hours, minutes, seconds, thousandths = _parts(found, group)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _moment(found: re.Match[str], group: int, point: str) -> str:
    hours, minutes, seconds, thousandths = _parts(found, group)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"
