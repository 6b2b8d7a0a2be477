"""What both generations let an omni model combine (kling-api section 6.3, rules per model)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Family, Sound
from airflow_provider_klingvideo.sandbox.account.library import ElementType
from airflow_provider_klingvideo.sandbox.account.limits import MEGABYTE, MOVIES, Kind, Limits

_RATES = ((24.0, 60.0),)
_REFERENCES = 7
_REFERENCES_WITH_VIDEO = 4
_REFERENCES_WITH_CHARACTERS = 4
_CHARACTERS = 3
_ELEMENTS_WITH_FRAMES = 3
_WHOLE_CLIPS = (5, 10)


class VideoUse(StrEnum):
    """What a reference video is for."""

    FEATURE = "feature"
    BASE = "base"


@dataclass(frozen=True)
class OmniModel:
    """An omni model, whatever the two generations call it.

    :param plain: durations and prices without a reference video.
    :param with_video: prices with one.
    :param video: what a reference video must satisfy.
    :param characters: whether it takes elements made of a video.
    """

    plain: Family
    with_video: Family
    video: Limits
    characters: bool

    def family(self, use: VideoUse | None) -> Family:
        """What it costs with or without a reference video."""
        return self.with_video if use else self.plain


@dataclass(frozen=True)
class References:
    """Everything that a request refers to.

    :param pictures: plain reference images.
    :param use: of the reference video, none if there is none.
    """

    first: bool
    last: bool
    pictures: int
    elements: tuple[ElementType, ...]
    use: VideoUse | None

    @property
    def images(self) -> int:
        """Frames and plain reference images."""
        return self.first + self.last + self.pictures

    @property
    def characters(self) -> int:
        """Elements made of a video."""
        return self.elements.count(ElementType.CHARACTER)

    @property
    def only_first_frame(self) -> bool:
        """Whether there is nothing else."""
        return self.first and not (self.last or self.pictures or self.elements or self.use)

    @property
    def nothing(self) -> bool:
        """Whether there is only text."""
        return not (self.images or self.elements or self.use)


OMNI_3 = OmniModel(
    plain=Family(
        durations=range(3, 16),
        prices={
            Sound.SILENT: {"720p": "0.6", "1080p": "0.8", "4k": "3.0"},
            Sound.NATIVE: {"720p": "0.8", "1080p": "1.0", "4k": "3.0"},
        },
        multi_shot=True,
    ),
    with_video=Family(
        durations=range(3, 16),
        prices={Sound.SILENT: {"720p": "0.9", "1080p": "1.2", "4k": "3.0"}},
        multi_shot=True,
    ),
    video=Limits(
        kind=Kind.VIDEO,
        formats=MOVIES,
        max_bytes=200 * MEGABYTE,
        shortest=700,
        longest=4553,
        area=8_294_400,
        ratio=(0.4, 2),
        seconds=((3, 15.5),),
        rates=_RATES,
    ),
    characters=True,
)
OMNI_O1 = OmniModel(
    plain=Family(durations=range(3, 11), prices={Sound.SILENT: {"720p": "0.6", "1080p": "0.8"}}),
    with_video=Family(durations=range(3, 11), prices={Sound.SILENT: {"720p": "0.9", "1080p": "1.2"}}),
    video=Limits(
        kind=Kind.VIDEO,
        formats=MOVIES,
        max_bytes=200 * MEGABYTE,
        shortest=700,
        longest=2160,
        seconds=((3, 10),),
        rates=_RATES,
    ),
    characters=False,
)


def check_frames(model: OmniModel, references: References) -> None:
    """Refuse frames that do not go together with the rest."""
    if references.last and not references.first:
        raise invalid("the last frame requires a first frame")
    if references.use is VideoUse.BASE and (references.first or references.last):
        raise invalid("first and last frame are not supported when a video is edited")
    if model is OMNI_O1 and references.last:
        if references.pictures or references.elements:
            raise invalid("reference images and elements are not supported with a last frame by the current model")
        if references.use:
            raise invalid("a reference video is not supported with a last frame by the current model")
    if references.characters and not model.characters:
        raise invalid("video character elements are not supported by the current model")


def check_length(model: OmniModel, references: References, seconds: int) -> None:
    """Refuse lengths that a model does not have without references."""
    alone = references.nothing or references.only_first_frame
    if model is OMNI_O1 and alone and seconds not in _WHOLE_CLIPS:
        raise invalid(f"duration value '{seconds}' is not supported without references by the current model")


def check_counts(model: OmniModel, references: References) -> None:
    """Refuse more references than the new generation takes."""
    characters = references.characters
    rest = references.images + len(references.elements) - characters
    if model is OMNI_O1:
        check_sum(references)
        return
    if references.use and characters and (characters > 1 or rest):
        raise invalid("a video character element must be the only reference beside a video")
    if characters > _CHARACTERS:
        raise invalid(f"at most {_CHARACTERS} video character elements are allowed")
    if references.first and len(references.elements) > _ELEMENTS_WITH_FRAMES:
        raise invalid(f"at most {_ELEMENTS_WITH_FRAMES} elements are allowed together with frames")
    _refuse_more(rest, _REFERENCES_WITH_VIDEO if references.use else _REFERENCES)
    if characters:
        _refuse_more(rest, _REFERENCES_WITH_CHARACTERS)


def check_sum(references: References) -> None:
    """Refuse more references than an omni model takes where kinds of elements make no difference."""
    total = references.images + len(references.elements)
    _refuse_more(total, _REFERENCES_WITH_VIDEO if references.use else _REFERENCES)


def _refuse_more(count: int, limit: int) -> None:
    if count > limit:
        raise invalid(f"the total number of images and elements exceeds the limit of {limit}")
