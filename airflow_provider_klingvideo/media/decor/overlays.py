"""What is drawn over pictures: a logo, texts, subtitles. Each block knows its filters and applies them to a stream."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import uuid4

import ffmpeg
from pydantic import Field, model_validator

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.media.decor.fonts import default_font
from airflow_provider_klingvideo.media.decor.subtitle_text import DEMUXERS, subtitles_in
from airflow_provider_klingvideo.media.errors import FilmError, VerificationError
from airflow_provider_klingvideo.media.ffmpeg.blocks import Block, Canvas
from airflow_provider_klingvideo.media.ffmpeg.graphs import input_of_its_own
from airflow_provider_klingvideo.media.ffmpeg.scratch import write_text
from airflow_provider_klingvideo.media.ffmpeg.trust import file_argument
from airflow_provider_klingvideo.media.inspect.filetypes import FileType, names_of, picture_size, type_at
from airflow_provider_klingvideo.validation import NotLegal

PICTURES = ("png", "jpg", "webp")
LOGO_PIXELS = 4096 * 4096
# Width of a letter in heights of the font, that of wide ones, to break lines before the picture ends.
LETTER = 0.62

Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right"]
Position = Literal["top_left", "top", "top_right", "left", "center", "right", "bottom_left", "bottom", "bottom_right"]
# Where the free space beside a thing goes: the share of it that is left of it, and above it.
ANCHORS: dict[str, tuple[float, float]] = {
    "top_left": (0, 0),
    "top": (0.5, 0),
    "top_right": (1, 0),
    "left": (0, 0.5),
    "center": (0.5, 0.5),
    "right": (1, 0.5),
    "bottom_left": (0, 1),
    "bottom": (0.5, 1),
    "bottom_right": (1, 1),
}
Share = Annotated[float, Field(gt=0, le=1)]
Margin = Annotated[float, Field(ge=0, lt=0.5)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# A name or #rrggbb, with an opacity behind @.
Colour = Annotated[str, Field(pattern=r"^([A-Za-z]+|#[0-9A-Fa-f]{6})(@(0?\.\d+|0|1|1\.0))?$")]


class Logo(Block):
    """A picture in a corner.

    :param file: a PNG, JPEG or WebP.
    :param corner: which one.
    :param width: share of the film's width, above 0 to 1; the logo keeps its shape.
    :param margin: to both sides, as a share of the film's height.
    :param opacity: 1 hides what is behind it.
    """

    filters: ClassVar[frozenset[str]] = frozenset({"scale", "format", "colorchannelmixer", "overlay"})

    file: str
    corner: Corner = "top_right"
    width: Share = 0.12
    margin: Margin = 0.04
    opacity: Share = 1.0

    def apply(self, frames: Any, canvas: Canvas) -> Any:
        """Draw it on every frame.

        :param frames: a stream of pictures.
        :returns: the stream with the logo.
        :raises FilmError: the file is no picture, or too large to be decoded.
        """
        self.require(canvas.features)
        path = Path(self.file)
        source = input_of_its_own(file_argument(path), **_logo_type(path).input_options)
        logo = (
            source["v:0"]
            .filter("scale", max(1, round(self.width * canvas.width)), -1)
            .filter("format", "rgba")
            .filter("colorchannelmixer", aa=self.opacity)
        )
        x, y = _placed(self.corner, round(self.margin * canvas.height), ("W", "w"), ("H", "h"))
        return ffmpeg.overlay(frames, logo, x=x, y=y)


class Caption(Block):
    """A text over the pictures. Line breaks are kept; a line that is wider than the picture is broken.

    :param text: is drawn as it is: nothing in it has a meaning to ffmpeg.
    :param start: seconds of the film at which it appears.
    :param end: seconds at which it goes; default: it stays.
    :param position: where.
    :param size: height of the letters, as a share of the film's height.
    :param margin: to the edges, as a share of the film's height.
    :param colour: a name or ``#rrggbb``, an opacity behind ``@``.
    :param box: colour of the box behind the text; ``black@0`` shows none.
    :param fontfile: a TrueType or OpenType font; default: one of the machine's. It decides which scripts can be drawn.
    """

    filters: ClassVar[frozenset[str]] = frozenset({"drawtext"})

    text: Annotated[str, Field(min_length=1, max_length=1000)]
    start: Seconds = 0.0
    end: Seconds | None = None
    position: Position = "bottom"
    size: Annotated[float, Field(ge=0.01, le=0.5)] = 0.05
    margin: Margin = 0.06
    colour: Colour = "white"
    box: Colour = "black@0.5"
    fontfile: str | None = None

    @property
    def material(self) -> str | None:
        """The font, where one is named."""
        return self.fontfile

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise NotLegal(f"`end` is {self.end:g} s", f"later than `start`, which is {self.start:g} s")
        return self

    def apply(self, frames: Any, canvas: Canvas) -> Any:
        """Draw it on the frames of its time.

        :param frames: a stream of pictures whose times are those of the film.
        :returns: the stream with the text.
        :raises FilmError: there is no font.
        """
        self.require(canvas.features)
        height = max(8, round(self.size * canvas.height))
        margin = round(self.margin * canvas.height)
        x, y = _placed(self.position, margin, ("w", "text_w"), ("h", "text_h"))
        return frames.filter(
            "drawtext",
            textfile=str(self._written(canvas, (canvas.width - 2 * margin) / (height * LETTER))),
            expansion="none",
            fontfile=self.fontfile or str(default_font()),
            fontsize=height,
            fontcolor=self.colour,
            line_spacing=height // 4,
            x=x,
            y=y,
            enable=f"gte(t,{self.start})" + (f"*lt(t,{self.end})" if self.end is not None else ""),
            box=1,
            boxcolor=self.box,
            boxborderw=height // 3,
        )

    def _written(self, canvas: Canvas, columns: float) -> Path:
        lines = [part for line in self.text.splitlines() for part in textwrap.wrap(line, max(1, int(columns))) or [""]]
        path = canvas.folder / f"text-{uuid4().hex[:8]}.txt"
        write_text(path, "\n".join(lines))
        return path


class Title(Caption):
    """A caption in the middle of the opening, in large letters."""

    end: Seconds | None = 3.0
    position: Position = "center"
    size: Annotated[float, Field(ge=0.01, le=0.5)] = 0.1


class Subtitles(Block):
    """Subtitles of the whole film.

    :param file: SRT, ASS or WebVTT, in UTF-8 or UTF-16.
    :param mode: ``burn`` draws them into the pictures, ``mux`` adds a track that a player can show.
    :param language: three letters (ISO 639-2), for the track.
    """

    filters: ClassVar[frozenset[str]] = frozenset({"subtitles"})

    file: str
    mode: Literal["burn", "mux"] = "burn"
    language: Annotated[str, Field(pattern=r"^[a-z]{3}$")] = "und"

    def apply(self, frames: Any, canvas: Canvas) -> Any:
        """Draw them on the frames of their time.

        :param frames: a stream of pictures whose times are those of the film.
        :returns: the stream with the subtitles.
        :raises FilmError: the file has no subtitles, or there is no font.
        """
        self.require(canvas.features)
        # The filter opens what it takes for subtitles by itself: nothing but subtitles may get there.
        path, _ = self._written(canvas.folder)
        # Where libass finds no font it draws nothing and says nothing.
        fonts = str(default_font().parent)
        return frames.filter("subtitles", filename=str(path.absolute()), charenc="UTF-8", fontsdir=fonts)

    def track(self, folder: Path | None = None) -> Any:
        """Return the stream of subtitles, for an output with ``scodec="mov_text"``.

        :param folder: where they are written for ffmpeg to read; default: beside the file.
        :raises FilmError: the file has no subtitles.
        """
        path, extension = self._written(folder or Path(self.file).parent)
        return input_of_its_own(file_argument(path), f=DEMUXERS[extension], protocol_whitelist="file")["s:0"]

    def _written(self, folder: Path) -> tuple[Path, str]:
        extension, text = subtitles_in(Path(self.file), "subtitles")
        path = folder / f"subtitles-{uuid4().hex[:8]}.{extension}"
        write_text(path, text)
        return path, extension


def _placed(position: str, margin: int, across: tuple[str, str], down: tuple[str, str]) -> tuple[str, str]:
    """Return where something goes, as two expressions of ffmpeg.

    :param across: ffmpeg's names of the film's width and the thing's width; ``down`` those of the heights.
    """
    x, y = (
        f"{margin}+({whole}-{part}-{2 * margin})*{share}"
        for (whole, part), share in zip((across, down), ANCHORS[position], strict=True)
    )
    return x, y


def _logo_type(path: Path) -> FileType:
    if (size := picture_size(path.read_bytes())) and size[0] * size[1] > LOGO_PIXELS:
        what = f"it has {size[0]}x{size[1]} pixels"
        raise FilmError(Fault("The logo cannot be used", what, f"at most {LOGO_PIXELS} pixels"))
    try:
        return type_at(path, PICTURES)
    except VerificationError as error:
        raise FilmError(Fault("The logo cannot be used", error.message, names_of(PICTURES))) from error
