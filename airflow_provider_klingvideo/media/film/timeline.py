"""When each shot of a film begins and ends, counted in frames and samples, so that nothing drifts apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.media.decor.sound import RATE
from airflow_provider_klingvideo.media.errors import FilmError

# What cameras and players count with; a probe tells the third of them as 29.97.
COMMON_RATES = tuple(
    Fraction(*rate)
    for rate in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1))
)
RATE_TOLERANCE = 0.005


@dataclass(frozen=True)
class Segment:
    """The part of a film from a shot's first own frame to the end of its transition into the next one.

    :param shot: index of the shot.
    :param begin: seconds of the shot at which it begins: what comes before was seen in the transition into it.
    :param overlap: seconds for which the next shot is seen, too.
    :param start: seconds of the film at which it begins.
    :param seconds: how long it lasts.
    """

    shot: int
    begin: Fraction
    overlap: Fraction
    start: Fraction
    seconds: Fraction


def frame_rate(fps: float) -> Fraction:
    """Return the exact rate that a rounded one stands for."""
    near = [rate for rate in COMMON_RATES if abs(rate - fps) < RATE_TOLERANCE]
    return near[0] if near else Fraction(fps).limit_denominator(1001)


def timeline(durations: Sequence[Fraction], overlap: Fraction = Fraction(0)) -> list[Segment]:
    """Lay shots one after the other.

    :param durations: seconds of each shot.
    :param overlap: seconds for which two shots are seen together; 0 for cuts.
    :raises FilmError: a shot is shorter than its transitions.
    """
    segments: list[Segment] = []
    start, last = Fraction(0), len(durations) - 1
    for shot, duration in enumerate(durations):
        begin, following = overlap if shot else Fraction(0), overlap if shot < last else Fraction(0)
        seconds = duration - begin
        if seconds <= following:
            what = (
                f"Shot {shot + 1} lasts {float(duration):.2f} s, which is too short for its transitions of "
                f"{float(overlap):.2f} s each"
            )
            raise FilmError(Fault("transition", what, f"shots of more than {float(begin + following):.2f} s"))
        segments.append(Segment(shot, begin, following, start, seconds))
        start += seconds
    return segments


def whole_frames(seconds: Fraction, rate: Fraction) -> Fraction:
    """Round a time to frames, to one at least.

    :param rate: frames per second.
    :returns: seconds.
    """
    return max(1, round(seconds * rate)) / rate


def samples(start: Fraction, seconds: Fraction) -> int:
    """Return how many samples of sound belong to a part of the film; rounded so that the sum of all parts is right."""
    return round((start + seconds) * RATE) - round(start * RATE)
