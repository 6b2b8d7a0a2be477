"""What an input file must satisfy, and Kling's words for one that does not (kling-api sections 5, 13 and 16)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from airflow_provider_klingvideo.sandbox.files.audio_files import audio_facts
from airflow_provider_klingvideo.sandbox.files.images import image_facts
from airflow_provider_klingvideo.sandbox.files.media_facts import MediaFacts
from airflow_provider_klingvideo.sandbox.files.movie_files import movie_facts

UNREADABLE = "Something went wrong when we tried to get the contents of the file."
TOO_SMALL = "{kind} pixel is invalid"
BAD_SHAPE = (
    "The resolution or aspect ratio of the input {kind} is invalid. Please ensure it meets the required specifications."
)

Range = tuple[float, float]
MEGABYTE = 1_000_000
# Kling's own clips are a frame longer than their nominal seconds, and are taken as inputs.
_SLACK = 0.1


class Kind(StrEnum):
    """What an input is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    VOICE = "voice"


def _voice_facts(content: bytes) -> MediaFacts | None:
    """The facts of a sound or of a film in which something can be heard."""
    facts = audio_facts(content) or movie_facts(content)
    return facts if facts and facts.sound else None


_READERS = {
    Kind.IMAGE: image_facts,
    Kind.VIDEO: movie_facts,
    Kind.AUDIO: audio_facts,
    Kind.VOICE: _voice_facts,
}


class Limits(BaseModel):
    """What an input file must satisfy; what is none or empty is not limited.

    :param formats: as :class:`MediaFacts` names them.
    :param shortest: pixels that each side needs.
    :param longest: pixels that no side may have more of.
    :param ratio: width by height.
    :param area: pixels at most.
    :param sizes: width and height; it needs to have one of these.
    :param seconds: lengths; one of them has to hold the file's.
    :param rates: frames per second, in the same manner.
    :param unreadable: the words for a file that is not what it should be, where they differ from the usual ones;
        ``too_long`` likewise.
    :param silent: the words for a film in which nothing can be heard; empty where that is no problem.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    formats: frozenset[str]
    max_bytes: int
    shortest: int = 0
    longest: int | None = None
    ratio: Range | None = None
    area: int | None = None
    sizes: frozenset[tuple[int, int]] = frozenset()
    seconds: tuple[Range, ...] = ()
    rates: tuple[Range, ...] = ()
    unreadable: str = ""
    too_long: str = ""
    silent: str = ""

    def read(self, content: bytes) -> MediaFacts | None:
        """The facts of a file, none if it is not what it should be."""
        if len(content) > self.max_bytes:
            return None
        facts = _READERS[self.kind](content)
        return facts if facts and facts.format in self.formats else None

    def problem(self, facts: MediaFacts | None) -> str:
        """What is wrong with a file, in Kling's words; empty if nothing is."""
        if facts is None:
            return self.unreadable or ("Audio format is invalid" if self.kind is Kind.AUDIO else UNREADABLE)
        if self.silent and not facts.sound:
            return self.silent
        if self.sizes and (facts.width, facts.height) not in self.sizes:
            return BAD_SHAPE.format(kind=self.kind)
        return self._wrong_size(facts) or self._wrong_length(facts) or self._wrong_rate(facts)

    def _wrong_size(self, facts: MediaFacts) -> str:
        shorter, longer = sorted((facts.width, facts.height))
        if shorter < self.shortest:
            return TOO_SMALL.format(kind=self.kind.capitalize())
        too_large = (self.longest and longer > self.longest) or (self.area and shorter * longer > self.area)
        wrong_ratio = self.ratio and not (self.ratio[0] * facts.height <= facts.width <= self.ratio[1] * facts.height)
        return BAD_SHAPE.format(kind=self.kind) if too_large or wrong_ratio else ""

    def _wrong_length(self, facts: MediaFacts) -> str:
        if not self.seconds or any(low <= facts.seconds <= high + _SLACK for low, high in self.seconds):
            return ""
        shortest, longest = self.seconds[0][0], self.seconds[-1][1]
        if facts.seconds < shortest:
            return f"{self.kind.capitalize()} duration can not less than {shortest:g}s"
        if facts.seconds > longest + _SLACK:
            return self.too_long or f"{self.kind.capitalize()} duration can not more than {longest:g}s"
        return f"{self.kind.capitalize()} duration is invalid"

    def _wrong_rate(self, facts: MediaFacts) -> str:
        if not self.rates or any(low <= round(facts.frames_per_second) <= high for low, high in self.rates):
            return ""
        return "Video frame rate is invalid"


_PICTURES = frozenset({"png", "jpeg"})
MOVIES = frozenset({"mp4", "mov"})
SOUNDS = frozenset({"mp3", "wav", "m4a", "aac"})

NEW_IMAGE = Limits(kind=Kind.IMAGE, formats=_PICTURES, max_bytes=50 * MEGABYTE, shortest=300, ratio=(0.4, 2.5))
LEGACY_IMAGE = NEW_IMAGE.model_copy(update={"max_bytes": 10 * MEGABYTE})
