"""One branch of a render pass: what an output is built from, which part of the source it shows, how large it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_klingvideo.media.decor.sound import Loudness
from airflow_provider_klingvideo.media.ffmpeg.binaries import Features
from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.outputs.copying import copies_pictures
from airflow_provider_klingvideo.media.outputs.geometry import Size, fit, wanted_size
from airflow_provider_klingvideo.media.outputs.plan import Output
from airflow_provider_klingvideo.media.outputs.presets import SIZING, Kind


@dataclass(frozen=True)
class Branch:
    """What an output is built from.

    :param source: the input with all its streams.
    :param frames: takes the decoded pictures for this branch.
    :param sound: takes the decoded first audio track for this branch.
    :param info: the source's streams.
    :param output: what is wanted.
    :param target: its main file.
    :param tags: metadata that are written, by name.
    :param texts: folder in which texts are written for ffmpeg; nothing in it is published.
    :param features: what this ffmpeg can do.
    :param threads: per encoder, None for as many as it likes.
    :param loudness: what was measured of its sound; None when that stays as loud as it is.
    """

    source: Any
    frames: Callable[[], Any]
    sound: Callable[[], Any]
    info: MediaInfo
    output: Output
    target: Path
    tags: Mapping[str, str]
    texts: Path
    features: Features
    threads: int | None = None
    loudness: Loudness | None = None


def window(output: Output, info: MediaInfo) -> tuple[float, float]:
    """Seconds of the source between which an output lies."""
    start = output.trim.start if output.trim else 0.0
    ends = [info.duration, output.trim and output.trim.end, output.row.seconds and start + output.row.seconds]
    return start, min(end for end in ends if end)


def duration_of(output: Output, info: MediaInfo) -> float:
    """Seconds that an output lasts; 0 when it lies behind the end of the source."""
    start, end = window(output, info)
    return max(0.0, end - start) / (output.speed or 1)


def size_of(output: Output, info: MediaInfo) -> Size:
    """Width and height of an output, except those of tiled pictures."""
    untouched = output.row.kind is Kind.POSTER and not output.sets(SIZING)
    if untouched or copies_pictures(output, info):
        return info.display_size
    size = wanted_size(info.display_size, output.width, output.height, output.aspect)
    return size if output.width or output.height or not output.row.box else fit(size, output.row.box)
