"""The sound of a film: music and a voice below or over what the clips bring, and its loudness.

Everything between the clips and the finished film is 48 kHz stereo.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import ffmpeg
from pydantic import Field

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.media.errors import FilmError, VerificationError
from airflow_provider_klingvideo.media.ffmpeg.blocks import Block
from airflow_provider_klingvideo.media.ffmpeg.graphs import input_of_its_own
from airflow_provider_klingvideo.media.ffmpeg.passes import Passes
from airflow_provider_klingvideo.media.ffmpeg.trust import file_argument
from airflow_provider_klingvideo.media.inspect.filetypes import FileType, names_of, type_at

RATE = 48000
CHANNELS = 2
SOUNDS = ("mp3", "wav", "m4a", "mp4", "aac")
# The same everywhere, so that the filters behind need not guess.
FORMAT = {"sample_rates": RATE, "channel_layouts": "stereo", "sample_fmts": "fltp"}
# Music gives way to speech within a few hundredths of a second and comes back within half a second.
DUCKING = {"threshold": 0.02, "ratio": 12, "attack": 20, "release": 500}
# What EBU R128 calls silence; there is nothing to raise below it.
SILENCE = -70.0
TRUE_PEAK = -1.5
# Loudnorm stays a plain gain as long as the range of the sound is within the one that is asked for; old ones go to 20.
LOUDNESS_RANGE = 20
# Filters of ffmpeg that every mix needs, and every change of its loudness.
MIXING = frozenset({"anullsrc", "aresample", "aformat", "apad", "atrim"})
LEVELLING = MIXING | {"loudnorm"}

Volume = Annotated[float, Field(gt=0, le=4)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Music(Block):
    """Music below the whole film: repeated when it is shorter, cut when it is longer.

    :param file: MP3, WAV, M4A or AAC.
    :param volume: 1 leaves it as it is.
    :param fade_in: seconds.
    :param fade_out: seconds, at the end of the film.
    :param ducking: lower it while the film has a sound of its own.
    """

    filters: ClassVar[frozenset[str]] = frozenset({"amix", "afade", "volume", "sidechaincompress"})

    file: str
    volume: Volume = 0.5
    fade_in: Seconds = 1.0
    fade_out: Seconds = 2.0
    ducking: bool = True

    def apply(self, sound: Any, seconds: float) -> Any:
        """Mix it below a sound.

        :param sound: a stream that lasts as long as the film.
        :param seconds: how long that is.
        :returns: the mixed stream.
        :raises FilmError: the file is no sound.
        """
        fade_out = min(self.fade_out, seconds)
        music = (
            as_film_sound(_opened(self.file, "music", stream_loop=-1))
            .filter("atrim", end=seconds)
            .filter("volume", self.volume)
            .filter("afade", type="in", duration=min(self.fade_in, seconds))
            .filter("afade", type="out", start_time=seconds - fade_out, duration=fade_out)
        )
        if not self.ducking:
            return _mixed(sound, music)
        copies = sound.filter_multi_output("asplit")
        return _mixed(copies[0], ffmpeg.filter([music, copies[1]], "sidechaincompress", **DUCKING))


class Voice(Block):
    """A narration over the film's own sound; music gives way to it.

    :param file: MP3, WAV, M4A or AAC.
    :param start: seconds of the film at which it begins; what goes beyond the film's end is cut.
    :param volume: 1 leaves it as it is.
    """

    filters: ClassVar[frozenset[str]] = frozenset({"amix", "adelay", "volume"})

    file: str
    start: Seconds = 0.0
    volume: Volume = 1.0

    def apply(self, sound: Any, seconds: float) -> Any:
        """Mix it with a sound.

        :param sound: a stream that lasts as long as the film.
        :param seconds: how long that is.
        :returns: the mixed stream.
        :raises FilmError: the file is no sound.
        """
        delay = round(self.start * 1000)
        voice = (
            as_film_sound(_opened(self.file, "voice"))
            .filter("volume", self.volume)
            .filter("adelay", delay, all=1)
            .filter("atrim", end=seconds)
        )
        return _mixed(sound, voice)


@dataclass(frozen=True)
class Loudness:
    """What loudnorm has measured: the values that it wants to see again, by the names under which it prints them."""

    integrated: float
    peak: float
    range: float
    threshold: float
    offset: float

    @classmethod
    def from_lines(cls, lines: Sequence[str]) -> Loudness:
        """Read what :func:`measured` made ffmpeg print.

        :raises FilmError: it is not there.
        """
        text = "\n".join(lines)
        begin, end = text.rfind("{"), text.rfind("}")
        try:
            found: Mapping[str, str] = json.loads(text[begin : end + 1])
            names = ("input_i", "input_tp", "input_lra", "input_thresh", "target_offset")
            return cls(*(float(found[name]) for name in names))
        except (ValueError, KeyError, TypeError) as error:
            what = "The loudness could not be measured"
            raise FilmError(Fault("loudness", what, "what loudnorm of ffmpeg prints"), retryable=True) from error

    @classmethod
    def of(cls, sound: Any, target: float, passes: Passes, *, stop_at_errors: bool = True) -> Loudness:
        """Measure a sound.

        :param target: LUFS to which it will be brought.
        :param stop_at_errors: whether damaged sound is an error.
        :raises FFmpegError: ffmpeg failed.
        :raises FilmError: it printed no measure.
        """
        return cls.from_lines(passes.run(measured(sound, target), loglevel="info", stop_at_errors=stop_at_errors))

    @property
    def is_silence(self) -> bool:
        """Whether there is nothing to hear."""
        return not math.isfinite(self.integrated) or self.integrated <= SILENCE


def as_film_sound(sound: Any) -> Any:
    """Bring a stream of sound to the film's rate and channels, from the film's first moment on."""
    return sound.filter("aresample", RATE, **{"async": 1, "first_pts": 0}).filter("aformat", **FORMAT)


def silence(seconds: float) -> Any:
    """A stream without a sound.

    :param seconds: how long it lasts.
    """
    name = f"anullsrc=sample_rate={RATE}:channel_layout=stereo"
    source = input_of_its_own(name, f="lavfi", t=f"{seconds:.6f}")
    return source["a:0"].filter("aformat", **FORMAT)


def measured(sound: Any, target: float) -> Any:
    """An output that measures a sound for :func:`normalised` and writes nothing; read ffmpeg's lines at level info.

    :param target: LUFS.
    """
    chosen = _loudnorm(sound, target, print_format="json")
    return ffmpeg.output(chosen, "-", format="null")


def normalised(sound: Any, target: float, found: Loudness) -> Any:
    """Bring a sound to a loudness, by a plain gain where its peaks allow that.

    One pass alone (what loudnorm does without ``found``) turns the volume up and down while it listens, and misses the
    target by several LU in short films; so the sound is measured first.

    :param target: LUFS.
    :param found: of the same sound.
    """
    if found.is_silence:
        return sound
    return (
        _loudnorm(
            sound,
            target,
            linear="true",
            measured_I=found.integrated,
            measured_TP=found.peak,
            measured_LRA=found.range,
            measured_thresh=found.threshold,
            offset=found.offset,
        )
        .filter("aresample", RATE)
        .filter("aformat", **FORMAT)
    )


def _loudnorm(sound: Any, target: float, **options: Any) -> Any:
    return sound.filter("loudnorm", I=target, TP=TRUE_PEAK, LRA=LOUDNESS_RANGE, **options)


def _mixed(first: Any, second: Any) -> Any:
    """Both together, as loud as they are, for as long as the first lasts."""
    return ffmpeg.filter([first, second], "amix", inputs=2, duration="first", normalize=0)


def _opened(file: str, what: str, **options: Any) -> Any:
    path = Path(file)
    return input_of_its_own(file_argument(path), **options, **_sound_type(path, what).input_options)["a:0"]


def _sound_type(path: Path, what: str) -> FileType:
    try:
        return type_at(path, SOUNDS)
    except VerificationError as error:
        raise FilmError(Fault(f"The {what} cannot be used", error.message, names_of(SOUNDS))) from error
