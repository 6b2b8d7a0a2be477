"""The sound of an output: the source's, with a voice over it and music below it, at the loudness that is wanted."""

from __future__ import annotations

from typing import Any

from airflow_provider_klingvideo.media.decor.decoration import KEEP
from airflow_provider_klingvideo.media.decor.sound import Loudness, normalised
from airflow_provider_klingvideo.media.ffmpeg.passes import Passes
from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.outputs.branches import Branch, duration_of, window
from airflow_provider_klingvideo.media.outputs.copying import copies_sound
from airflow_provider_klingvideo.media.outputs.plan import Output
from airflow_provider_klingvideo.media.outputs.presets import SOUNDED


def has_sound(output: Output, info: MediaInfo) -> bool:
    """Tell whether an output of a source gets a sound track."""
    return bool(output.row.audio and (info.audio_codec or output.sounds))


def soundtrack(branch: Branch) -> Any:
    """The sound of an output that has some, as a stream to encode or to copy.

    :raises FilmError: the file of voice or music is no sound.
    """
    output = branch.output
    if copies_sound(output, branch.info):
        return branch.source["a?"]
    if not output.sets(SOUNDED):
        return _own(branch)
    mixed = _mixed(branch)
    if branch.loudness is None or output.loudness == KEEP:
        return mixed
    return normalised(mixed, output.loudness, branch.loudness)


def measured_loudness(branch: Branch, passes: Passes) -> Loudness | None:
    """Measure what :func:`soundtrack` brings to a loudness; None when it brings nothing.

    A damaged source is judged elsewhere: here it is measured as far as it decodes.

    :raises FilmError: the file of voice or music is no sound.
    :raises FFmpegError: ffmpeg failed.
    """
    output = branch.output
    if output.loudness == KEEP or not has_sound(output, branch.info):
        return None
    return Loudness.of(_mixed(branch), output.loudness, passes, stop_at_errors=False)


def _mixed(branch: Branch) -> Any:
    """What is heard before its loudness is set; sound that ends before the pictures goes on silently."""
    seconds = duration_of(branch.output, branch.info)
    own = _own(branch).filter("apad").filter("atrim", end=seconds) if branch.info.audio_codec else None
    return branch.output.mixed(own, seconds)


def _own(branch: Branch) -> Any:
    """The source's sound, for the wanted part and at the wanted speed.

    Sound that ends before the pictures goes on silently: a part without a single sample cannot be encoded.
    """
    output, sound = branch.output, branch.sound()
    if output.trim:
        start, end = window(output, branch.info)
        sound = sound.filter("apad").filter("atrim", start=start, end=end).filter("asetpts", "PTS-STARTPTS")
    return sound.filter("atempo", output.speed) if output.speed else sound
