"""From a row of the table of presets and a source to a part of ffmpeg's graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.outputs.branches import Branch, duration_of, size_of
from airflow_provider_klingvideo.media.outputs.copying import copies_pictures, copies_sound
from airflow_provider_klingvideo.media.outputs.geometry import Size
from airflow_provider_klingvideo.media.outputs.pictures import (
    build_gif,
    build_poster,
    build_sheet,
    build_sprite,
    build_webp,
    sheet_size,
    sprite_size,
    thumbnail_cues,
)
from airflow_provider_klingvideo.media.outputs.plan import Output
from airflow_provider_klingvideo.media.outputs.presets import SUBTITLE_CODEC, Kind
from airflow_provider_klingvideo.media.outputs.soundtrack import has_sound
from airflow_provider_klingvideo.media.outputs.videos import build_video

_BUILDERS: dict[Kind, Callable[[Branch], Any]] = {
    Kind.VIDEO: build_video,
    Kind.GIF: build_gif,
    Kind.WEBP: build_webp,
    Kind.POSTER: build_poster,
    Kind.SHEET: build_sheet,
    Kind.SPRITE: build_sprite,
}
_SIZES: dict[Kind, Callable[[Output, MediaInfo], Size]] = {Kind.SHEET: sheet_size, Kind.SPRITE: sprite_size}
_COMPANIONS: dict[Kind, Callable[[Output, MediaInfo], dict[str, str]]] = {
    Kind.SPRITE: lambda output, info: {f"{output.stem}.vtt": thumbnail_cues(output, info)}
}
_MOVING = frozenset({Kind.VIDEO, Kind.GIF, Kind.WEBP})


@dataclass(frozen=True)
class Shape:
    """What an output will be.

    :param size: width and height as a player shows them.
    :param duration: seconds, None for a still.
    """

    size: Size
    duration: float | None


def shape_of(output: Output, info: MediaInfo) -> Shape:
    """Tell size and duration of an output for a source."""
    duration = duration_of(output, info) if output.row.kind in _MOVING else None
    return Shape(_SIZES.get(output.row.kind, size_of)(output, info), duration)


def build(branch: Branch) -> Any:
    """Make an output's node of ffmpeg-python."""
    return _BUILDERS[branch.output.row.kind](branch)


def companions(output: Output, info: MediaInfo) -> dict[str, str]:
    """Text files that belong to an output and are not ffmpeg's: contents by name."""
    make = _COMPANIONS.get(output.row.kind)
    return make(output, info) if make else {}


def needs(output: Output, info: MediaInfo) -> tuple[frozenset[str], frozenset[str]]:
    """Encoders and filters of ffmpeg that an output needs for a source."""
    row = output.row
    encoders, filters = set(row.encoders), set(row.filters)
    if row.video and not copies_pictures(output, info):
        encoders.add(row.video.encoder)
        filters |= {"split", "scale", "format", "setparams"}
    if row.audio and has_sound(output, info) and not copies_sound(output, info):
        encoders.add(row.audio.encoder)
    if output.muxed_subtitles:
        encoders.add(SUBTITLE_CODEC)
    if output.fit == "blur":
        filters |= {"gblur", "overlay"}
    return frozenset(encoders), frozenset(filters) | output.needed_filters
