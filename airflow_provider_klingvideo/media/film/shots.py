"""From clips to the parts that are joined: kept as they are, or encoded alike, each with its sound beside it.

A film with transitions is encoded one part at a time: a shot and its transition into the next one. So no run of ffmpeg
opens more than two clips, however many there are (one graph for six of them took 1.6 GB at 1080p), and every frame is
encoded once.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from airflow_provider_klingvideo.media.decor.sound import RATE, as_film_sound, silence
from airflow_provider_klingvideo.media.ffmpeg.blocks import Canvas
from airflow_provider_klingvideo.media.ffmpeg.graphs import open_source
from airflow_provider_klingvideo.media.ffmpeg.passes import Passes
from airflow_provider_klingvideo.media.film.film_plan import FilmPlan
from airflow_provider_klingvideo.media.film.timeline import Segment, frame_rate, samples, whole_frames
from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.outputs.tracks import PictureTrack
from airflow_provider_klingvideo.storage.objects import storage_errors

# Kept below what an eye sees, since platforms encode the film once more.
ENCODING = {"vcodec": "libx264", "preset": "veryfast", "crf": 18, "pix_fmt": "yuv420p"}
PCM = {"acodec": "pcm_s16le", "format": "s16le"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shot:
    """A clip on the local disk, past all gates before decoding.

    :param path: the local file.
    :param info: its streams.
    :param track: its picture track.
    """

    path: Path
    info: MediaInfo
    track: PictureTrack

    @property
    def size(self) -> tuple[Fraction, int]:
        """Width and height as a player shows it, in square pixels."""
        width, height = self.info.display_size
        shape = self.track.pixel_shape
        return width * (1 / shape if self.info.rotation in {90, 270} else shape), height


@dataclass(frozen=True)
class Part:
    """What is joined.

    :param path: an MP4 of our own with one picture track.
    :param seconds: how long it lasts.
    """

    path: Path
    seconds: Fraction


@dataclass(frozen=True)
class Format:
    """What all pictures of a film have in common.

    :param width: pixels.
    :param height: pixels.
    :param rate: frames per second.
    """

    width: int
    height: int
    rate: Fraction


def film_format(plan: FilmPlan, first: Shot) -> Format:
    """Return what the plan asks for, and where it does not, what the first shot has."""
    width, height = plan.size or (_even(side) for side in first.size)
    return Format(width, height, frame_rate(plan.fps or first.info.fps or 24))


def overlap_of(plan: FilmPlan, film: Format) -> Fraction:
    """Return for how many seconds two shots are seen together: whole frames, none for cuts."""
    return whole_frames(Fraction(plan.transition_seconds), film.rate) if plan.transition_seconds else Fraction(0)


def can_be_copied(shots: Sequence[Shot], plan: FilmPlan, film: Format) -> bool:
    """Tell whether the pictures can be joined without encoding them again."""
    first = shots[0]
    alike = all(shot.track.parameters == first.track.parameters and not shot.info.rotation for shot in shots)
    fits = (film.width, film.height) == first.info.display_size and all(
        frame_rate(shot.info.fps) == film.rate for shot in shots
    )
    return alike and fits and not plan.transition_seconds and not plan.overlays


def copied_pictures(shots: Sequence[Shot], passes: Passes) -> list[Part]:
    """Take the picture track out of each clip: beside a sound that begins early, pictures would be joined late."""
    parts = []
    for number, shot in enumerate(shots):
        target = passes.folder / f"part-{number}.mp4"
        passes.run(ffmpeg.output(open_source(shot.path)["v:0"], str(target), c="copy", format="mp4"))
        parts.append(Part(target, shot.track.seconds))
    return parts


def encoded_pictures(
    shots: Sequence[Shot], segments: Sequence[Segment], plan: FilmPlan, film: Format, passes: Passes
) -> list[Part]:
    """Encode each segment by itself, with its transition and what is drawn over it.

    :param segments: of whole frames.
    :raises MediaError: a clip is damaged, or an overlay cannot be made.
    """
    canvas = Canvas(film.width, film.height, passes.folder, passes.binaries.features)
    threads = {} if passes.settings.threads is None else {"threads": passes.settings.threads}
    parts = []
    for segment in segments:
        logger.info("Encoding shot %d of %d", segment.shot + 1, len(segments))
        frames = _pictures_of(segment, shots, plan, film, passes)
        target = passes.folder / f"part-{segment.shot}.mp4"
        drawn = _drawn_over(frames, segment, plan, film, canvas)
        # Some versions of ffmpeg end with a frame more.
        count = {"frames:v": int(segment.seconds * film.rate)}
        passes.run(ffmpeg.output(drawn, str(target), format="mp4", **ENCODING, **count, **threads))
        parts.append(Part(target, segment.seconds))
    return parts


def joined_sound(shots: Sequence[Shot], segments: Sequence[Segment], passes: Passes) -> Path | None:
    """Write the sound of all segments into one file, exactly as long as the pictures.

    :returns: raw samples, None when no clip has sound.
    :raises MediaError: a clip is damaged, or there is no room.
    """
    if not any(shot.info.audio_codec for shot in shots):
        return None
    whole, piece = passes.folder / "sound.pcm", passes.folder / "piece.pcm"
    with storage_errors("joining the sound"), whole.open("wb") as target:
        for segment in segments:
            passes.run(ffmpeg.output(_sound_of(segment, shots, passes), str(piece), **PCM))
            with piece.open("rb") as source:
                shutil.copyfileobj(source, target)
    return whole


def _pictures_of(segment: Segment, shots: Sequence[Shot], plan: FilmPlan, film: Format, passes: Passes) -> Any:
    own = _frames(shots[segment.shot], film, passes, segment.begin, segment.seconds)
    if not segment.overlap:
        return own
    following = _frames(shots[segment.shot + 1], film, passes, Fraction(0), segment.overlap)
    return ffmpeg.filter(
        [own, following],
        "xfade",
        transition=plan.transition.kind,
        duration=f"{float(segment.overlap):.6f}",
        offset=f"{float(segment.seconds - segment.overlap):.6f}",
    )


def _frames(shot: Shot, film: Format, passes: Passes, begin: Fraction, seconds: Fraction) -> Any:
    """Frames of a shot in the film's format, exactly as many as its time wants."""
    width, height = _inside(shot, film)
    first = round(begin * film.rate)
    return (
        open_source(shot.path, passes.settings.threads)["v:0"]
        .filter("scale", width, height, out_range="tv")
        .filter("setsar", 1)
        .filter("pad", film.width, film.height, -1, -1)
        .filter("format", "yuv420p")
        .filter("fps", str(film.rate), start_time=0)
        .filter("tpad", stop_mode="clone", stop=-1)
        .filter("trim", start_frame=first, end_frame=first + round(seconds * film.rate))
        .filter("setpts", "PTS-STARTPTS")
        # Behind setpts the rate counts as unknown, and xfade takes only streams of a known one.
        .filter("fps", str(film.rate))
    )


def _inside(shot: Shot, film: Format) -> tuple[int, int]:
    """The largest size in which a shot fits into the film, as a player shows it; both sides even."""
    width, height = shot.size
    scale = min(film.width / width, Fraction(film.height, height))
    return _even(width * scale), _even(height * scale)


def _even(length: Fraction | int) -> int:
    return max(2, round(Fraction(length) / 2) * 2)


def _drawn_over(frames: Any, segment: Segment, plan: FilmPlan, film: Format, canvas: Canvas) -> Any:
    """Draw with the film's times, not with those of the segment."""
    if not plan.overlays:
        return frames
    drawn = plan.drawn(frames.filter("setpts", f"PTS+{float(segment.start):.6f}/TB"), canvas)
    return drawn.filter("setpts", "PTS-STARTPTS").filter("fps", str(film.rate))


def _sound_of(segment: Segment, shots: Sequence[Shot], passes: Passes) -> Any:
    length = samples(segment.start, segment.seconds)
    own = _samples(shots[segment.shot], passes, round(segment.begin * RATE), length)
    if not segment.overlap:
        return own
    overlap = round(segment.overlap * RATE)
    following = _samples(shots[segment.shot + 1], passes, 0, overlap)
    return ffmpeg.filter([own, following], "acrossfade", ns=overlap)


def _samples(shot: Shot, passes: Passes, first: int, count: int) -> Any:
    """Sound of a shot, exactly as many samples as its time wants; silence where it has none."""
    has_sound = shot.info.audio_codec is not None
    sound = (
        as_film_sound(open_source(shot.path, passes.settings.threads)["a:0"])
        if has_sound
        else silence((first + count) / RATE)
    )
    return (
        sound.filter("apad")
        .filter("atrim", start_sample=first, end_sample=first + count)
        .filter("asetpts", "PTS-STARTPTS")
    )
