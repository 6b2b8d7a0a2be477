"""The last pass of a film: parts one after the other, never encoded again, with the whole sound and subtitles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from airflow_provider_klingvideo.media.decor.decoration import KEEP
from airflow_provider_klingvideo.media.decor.sound import CHANNELS, RATE, Loudness, normalised
from airflow_provider_klingvideo.media.ffmpeg.graphs import metadata
from airflow_provider_klingvideo.media.ffmpeg.passes import Passes
from airflow_provider_klingvideo.media.ffmpeg.scratch import write_text
from airflow_provider_klingvideo.media.ffmpeg.trust import UNTRUSTED_INPUT, file_argument
from airflow_provider_klingvideo.media.film.film_plan import FilmPlan
from airflow_provider_klingvideo.media.film.shots import Part

SOUND_BITRATE = "192k"
# MP4 has no field of its own for the marks.
FLAGS = "+faststart+use_metadata_tags"
LIST_INPUT = {
    "f": "concat",
    "protocol_whitelist": "file",
    "format_whitelist": f"concat,{UNTRUSTED_INPUT['format_whitelist']}",
    "safe": 0,
}


def join(
    parts: Sequence[Part],
    sound: Path | None,
    plan: FilmPlan,
    target: Path,
    passes: Passes,
    *,
    one_codec: bool,
    marks: Mapping[str, str],
) -> None:
    """Write the film.

    :param parts: its pictures, in order.
    :param sound: raw samples as long as all parts, None when no clip has sound.
    :param target: the film.
    :param one_codec: whether the codec data of all parts is known to be equal, so that packets need not carry it.
    :param marks: entries of the film's metadata, by name.
    :raises MediaError: music, voice or subtitles cannot be used, or ffmpeg failed.
    """
    seconds = float(sum((part.seconds for part in parts), Fraction(0)))
    streams: list[Any] = [_pictures(parts, passes, one_codec)["v:0"]]
    options: dict[str, Any] = {"vcodec": "copy", **metadata(marks)}
    heard = _sound(sound, seconds, plan, passes)
    if heard is not None:
        streams.append(heard)
        options |= {"acodec": "aac", "audio_bitrate": SOUND_BITRATE}
    subtitles = plan.muxed_subtitles
    if subtitles:
        streams.append(subtitles.track(passes.folder))
        options |= {"scodec": "mov_text", "metadata:s:s:0": f"language={subtitles.language}"}
    passes.run(ffmpeg.output(*streams, str(target), format="mp4", movflags=FLAGS, t=f"{seconds:.6f}", **options))


def _pictures(parts: Sequence[Part], passes: Passes, one_codec: bool) -> Any:
    listing = passes.folder / "parts.txt"
    lines = ["ffconcat version 1.0"]
    for part in parts:
        # Relative to the list, so that no name of a folder needs quoting.
        lines += [f"file {part.path.name}", f"duration {float(part.seconds):.6f}"]
    write_text(listing, "\n".join(lines) + "\n")
    return ffmpeg.input(file_argument(listing), auto_convert=int(not one_codec), **LIST_INPUT)


def _sound(raw: Path | None, seconds: float, plan: FilmPlan, passes: Passes) -> Any:
    clips = raw and ffmpeg.input(file_argument(raw), f="s16le", ar=RATE, ac=CHANNELS)["a:0"]
    mixed = plan.mixed(clips, seconds)
    if mixed is None or plan.loudness == KEEP:
        return mixed
    return normalised(mixed, plan.loudness, Loudness.of(mixed, plan.loudness, passes))
