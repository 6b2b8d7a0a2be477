"""Whether what a plan names can be used: found out before a video is ordered, and before anything is made of it.

ffmpeg itself is asked, with the options under which the file is opened later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from airflow_provider_klingvideo._urls import without_query
from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.media.decor.decoration import Decoration
from airflow_provider_klingvideo.media.decor.overlays import LOGO_PIXELS, PICTURES, Caption, Logo, Subtitles, Title
from airflow_provider_klingvideo.media.decor.sound import SOUNDS, Music, Voice
from airflow_provider_klingvideo.media.decor.subtitle_text import subtitles_in
from airflow_provider_klingvideo.media.errors import FFmpegError, FilmError, VerificationError
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.ffmpeg.blocks import Block
from airflow_provider_klingvideo.media.ffmpeg.runner import ffmpeg_command, run_ffmpeg
from airflow_provider_klingvideo.media.ffmpeg.trust import file_argument
from airflow_provider_klingvideo.media.inspect.filetypes import FileType, is_animated, names_of, picture_size, type_at
from airflow_provider_klingvideo.media.inspect.probing import Stream, streams_of
from airflow_provider_klingvideo.media.inspect.tracks import ENCRYPTED, tracks_at
from airflow_provider_klingvideo.media.settings import MediaSettings

FONTS = ("ttf", "otf", "ttc")
# Longer than any video of Kling; a film of an hour need not have heard all of its music first.
HEARD_SECONDS = 600


@dataclass(frozen=True)
class Tools:
    """What files are looked at with.

    :param binaries: None where there is no ffmpeg: then only what the bytes themselves tell is checked.
    :param settings: how long a look may take.
    """

    binaries: Binaries | None
    settings: MediaSettings

    def run(self, output: Any) -> float:
        """Make an output that writes nothing, and return the seconds that it had.

        :raises FFmpegError: it failed.
        """
        assert self.binaries is not None  # noqa: S101 - who has no ffmpeg does not ask it
        seconds = [0.0]
        argv = ffmpeg.compile(output, cmd=ffmpeg_command(self.binaries.ffmpeg))
        run_ffmpeg(argv, timeout=self.settings.ffmpeg_seconds, on_seconds=seconds.append, nice=self.settings.nice)
        return max(seconds)


Proof = Callable[[Path, str, Tools], None]
"""Takes a local file, what a person calls it, and the tools; raises FilmError for what cannot be used."""


@dataclass(frozen=True)
class Use:
    """A file that a plan names.

    :param where: the field.
    :param name: of the file, as the plan has it.
    :param proof: what the file must be.
    """

    where: str
    name: str
    proof: Proof

    @property
    def called(self) -> str:
        """Field and file, for a person: the whole name, whose end tells files apart."""
        return f"{self.where} {without_query(self.name)!r}"

    def prove(self, path: Path, tools: Tools) -> None:
        """Prove that the file can be used.

        :param path: where it lies on the local disk.
        :raises FilmError: it cannot.
        :raises FFmpegError: ffmpeg was ended before it could tell.
        """
        self.proof(path, self.called, tools)


def uses_of(decoration: Decoration, prefix: str = "") -> list[Use]:
    """Every use of a file by a decoration.

    :param prefix: of the names of its fields.
    """
    return [
        Use(f"{prefix}{where}", name, PROOFS[type(part)])
        for where, part in decoration.parts.items()
        if (name := part.material)
    ]


def _require_sound(path: Path, where: str, tools: Tools) -> None:
    found = _typed(path, where, SOUNDS)
    _require_open(path, where)
    if tools.binaries is None:
        return
    stream = _first(streams_of(path, found.input_options, tools.binaries), where, "Audio", "a sound track")
    if stream.codec not in found.decoders:
        raise FilmError(_undecoded(f"{where}, stream {stream.number}", stream.codec, found))
    source = ffmpeg.input(file_argument(path), **found.input_options)
    output = ffmpeg.output(source["a:0"], "-", format="null", t=HEARD_SECONDS)
    if not _decoded(output, f"{where}, stream {stream.number}", tools):
        raise FilmError(Fault(f"{where}, stream {stream.number}", "it has no sound in it", "a sound that lasts"))


def _require_picture(path: Path, where: str, tools: Tools) -> None:
    found, content = _typed(path, where, PICTURES), path.read_bytes()
    if is_animated(content):
        raise FilmError(Fault(where, f"is an animated {found.name}", "a picture that stands still"))
    width, height = picture_size(content) or (0, 0)
    if not 0 < width * height <= LOGO_PIXELS:
        raise FilmError(Fault(where, f"has {width}x{height} pixels", f"1 to {LOGO_PIXELS} pixels"))
    if tools.binaries is not None:
        source = ffmpeg.input(file_argument(path), **found.input_options)
        _decoded(ffmpeg.output(source["v:0"], "-", format="null"), where, tools)


def _require_font(path: Path, where: str, tools: Tools) -> None:
    _typed(path, where, FONTS)
    if tools.binaries is not None and "drawtext" in tools.binaries.features.filters:
        blank = ffmpeg.input("color=size=64x64:rate=1:duration=1", f="lavfi")
        drawn = blank.filter("drawtext", fontfile=str(path), text="a", expansion="none")
        _decoded(ffmpeg.output(drawn, "-", format="null"), where, tools)


def _require_subtitles(path: Path, where: str, _tools: Tools) -> None:
    subtitles_in(path, where)


PROOFS: Mapping[type[Block], Proof] = {
    Title: _require_font,
    Caption: _require_font,
    Logo: _require_picture,
    Subtitles: _require_subtitles,
    Music: _require_sound,
    Voice: _require_sound,
}


def _typed(path: Path, where: str, extensions: Sequence[str]) -> FileType:
    try:
        return type_at(path, extensions)
    except VerificationError as error:
        raise FilmError(Fault(where, error.message, names_of(extensions))) from error


def _require_open(path: Path, where: str) -> None:
    for number, track in enumerate(tracks_at(path)):
        if track.coding in ENCRYPTED:
            raise FilmError(Fault(f"{where}, stream {number}", "it is encrypted", "a file without copy protection"))


def _first(streams: Sequence[Stream], where: str, kind: str, legal: str) -> Stream:
    found = next((stream for stream in streams if stream.kind == kind), None)
    if found is None:
        there = ", ".join(f"stream {one.number} is {one.kind} {one.codec}" for one in streams) or "it has no streams"
        raise FilmError(Fault(where, there, legal))
    return found


def _undecoded(where: str, codec: str, found: FileType) -> Fault:
    return Fault(where, f"its codec {codec} is not decoded", f"in {found.name} one of {', '.join(found.decoders)}")


def _decoded(output: Any, where: str, tools: Tools) -> float:
    try:
        return tools.run(output)
    except FFmpegError as error:
        if error.inconclusive:
            raise
        told = "; ".join(error.stderr_tail[:2]) or error.message
        raise FilmError(Fault(where, f"it does not decode: {told}", "a file that is whole")) from error
