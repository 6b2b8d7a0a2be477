"""What each model can do and costs: a dated data file, read without pydantic since DAG files ask it for choices."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from airflow_provider_klingvideo._text import closest, folded
from airflow_provider_klingvideo.errors import Fault, KlingVideoError
from airflow_provider_klingvideo.kling.catalogue.price_book import PriceBook, parse_prices, parse_rates

T = TypeVar("T")

DEFAULT_TYPICAL_SECONDS = 120.0
# How much of two names agrees when one is a misspelling; kling-3.0-pro and kling-3.0-omni agree by 0.74.
MISSPELT = 0.85


class ApiFamily(StrEnum):
    """The API families, and the family of whole solutions (kling-api section 1)."""

    NEW = "new"
    LEGACY = "legacy"
    SOLUTIONS = "solutions"


AUTO = "auto"
API_CHOICES = (AUTO, *(str(family) for family in ApiFamily))
"""What a request may say about the API family; ``auto`` lets credentials and model decide."""


@dataclass(frozen=True)
class Capability:
    """What a model can do for one product in one API family.

    :param kind: the product.
    :param family: the API family.
    :param model: the model's name here, one for both families; a product without models is its own.
    :param vendor_name: what this family calls it.
    :param resolutions: legal resolutions; the legacy modes std, pro and 4k are 720p, 1080p and 4k.
    :param durations: legal lengths in seconds; empty where the input decides.
    :param aspect_ratios: legal ratios, None where the picture decides.
    :param audio: legal sound; a single one leaves no choice, and no field for it.
    :param native_audio_resolution: the only resolution with sound, None for any.
    :param last_frame: whether a last frame can be given.
    :param last_frame_resolution: the only resolution with a last frame, None for any.
    :param last_frame_silent: whether a last frame excludes sound.
    :param elements: how many elements can be given.
    :param voices: how many voices can be given.
    :param prompt_max: longest prompt in characters, 0 without a prompt.
    :param multi_shot: whether there is a field for it.
    :param shots: whether it makes several shots.
    :param fps: frames per second of the video, None for what is no video.
    :param typical_seconds: how long a task usually takes.
    """

    kind: str
    family: ApiFamily
    model: str
    vendor_name: str
    label: str
    status: str
    retired_on: str | None
    successor: str | None
    resolutions: tuple[str, ...]
    durations: tuple[int, ...]
    aspect_ratios: tuple[str, ...] | None
    audio: tuple[str, ...]
    native_audio_resolution: str | None
    last_frame: bool
    last_frame_resolution: str | None
    last_frame_silent: bool
    elements: int
    voices: int
    prompt_max: int
    negative_prompt: bool
    cfg_scale: bool
    multi_shot: bool
    shots: bool
    fps: int | None
    typical_seconds: float
    source: str
    confidence: str

    @property
    def is_retired(self) -> bool:
        """Whether Kling has discontinued the model."""
        return self.status == "retired"


@dataclass(frozen=True)
class EffectScene:
    """A scene of the effects.

    :param images: how many pictures it takes.
    :param discontinued_on: the day that Kling announced for its end, None for none.
    :param is_gone: whether Kling has taken it off its list.
    """

    name: str
    images: int
    discontinued_on: str | None
    is_gone: bool


class Registry:
    """The models, as of a date.

    :param data: the content of the data file.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.as_of: str = data["as_of"]
        self.capabilities = tuple(_capability(row) for row in data["models"])
        self.book = PriceBook(self.as_of, parse_prices(data["prices"]), parse_rates(data["rates"]))
        self.effect_scenes = {row["name"]: EffectScene(**row) for row in data["effect_scenes"]}
        self.voices: dict[str, list[str]] = data["voices"]
        self._aliases = {one.vendor_name: one.model for one in self.capabilities} | {
            one.model: one.model for one in self.capabilities
        }
        without_models = {one.kind for one in self.capabilities if one.model == one.kind}
        self._names = tuple(name for name in self._aliases if name not in without_models)

    @property
    def names(self) -> Iterable[str]:
        """Every name of every model, of either family."""
        return self._names

    def values(self, name: str) -> list[str]:
        """Return what some model of some product can do.

        :param name: of a field of :class:`Capability` that lists it.
        """
        return _unique(getattr(one, name) or () for one in self.capabilities)

    def resolve(self, model: str) -> str:
        """Return the one name of a model, whichever family's name is given; an unknown one stays as it is."""
        return self._aliases.get(model, model)

    def meant(self, model: str) -> str | None:
        """Return the known model that an unknown one is a misspelling of, None for none.

        A name that differs from a known one by its digits alone is another version, which this release may not know.
        """
        if _without_digits(model) in map(_without_digits, self._names):
            return None
        return closest(model, self._names, MISSPELT)

    def find(self, kind: str, model: str, family: ApiFamily) -> Capability | None:
        """Return what a model can do, None when the registry does not know it there."""
        wanted = (kind, self.resolve(model), family)
        return next((one for one in self.capabilities if (one.kind, one.model, one.family) == wanted), None)

    def families(self, kind: str, model: str) -> list[ApiFamily]:
        """Return the families that have a model, the new one first; empty for an unknown model."""
        return [family for family in ApiFamily if self.find(kind, model, family)]

    def kinds_of(self, model: str) -> list[str]:
        """Return the products that a model makes; empty for an unknown model."""
        name = self.resolve(model)
        return _unique([one.kind] for one in self.capabilities if one.model == name)

    def model_names(self, kind: str) -> list[str]:
        """Return the models that a product can be ordered with today, the newest first."""
        return _unique([one.model] for one in self._current(kind))

    def label(self, model: str) -> str:
        """Return a model's name for people."""
        return next((one.label for one in self.capabilities if one.model == self.resolve(model)), model)

    def durations(self, kind: str) -> list[int]:
        """Return every length, in seconds, that some model of a product can make."""
        return sorted(_unique(one.durations for one in self._current(kind)))

    def resolutions(self, kind: str) -> list[str]:
        """Return every resolution that some model of a product can make."""
        return _unique(one.resolutions for one in self._current(kind))

    def aspect_ratios(self, kind: str) -> list[str]:
        """Return every aspect ratio of a product; empty where the picture decides."""
        return _unique(one.aspect_ratios or () for one in self._current(kind))

    def prompt_max(self, kind: str) -> int:
        """Return the longest prompt, in characters, that some model of a product takes."""
        return max(one.prompt_max for one in self._current(kind))

    def typical_seconds(self, kind: str, model: str) -> float:
        """Return how long a task usually takes; a guess for an unknown model."""
        known = (self.find(kind, model, family) for family in ApiFamily)
        return next((one.typical_seconds for one in known if one), DEFAULT_TYPICAL_SECONDS)

    def _current(self, kind: str) -> list[Capability]:
        return [one for one in self.capabilities if one.kind == kind and not one.is_retired]


class CatalogueError(KlingVideoError):
    """The user's own catalogue of models and prices cannot be read."""

    kind = "catalogue"
    default_advice = "Correct the file, or leave [klingvideo] catalogue empty for the catalogue of this release"


_source: Callable[[], str] = str


def read_from(source: Callable[[], str]) -> None:
    """Say where the registry is read from.

    :param source: tells the path of a file, empty for the one of this release; asked when the registry is first used.
    """
    global _source
    if source is not _source:
        _source = source
        registry.cache_clear()


@cache
def registry() -> Registry:
    """Return the registry, read once: the user's own one, else that of this release.

    :raises CatalogueError: the user's own one cannot be read.
    """
    path = _source()
    if not path:
        return Registry(json.loads(files(__package__).joinpath("capabilities.json").read_text(encoding="utf-8")))
    try:
        return Registry(json.loads(Path(path.removeprefix("file://")).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        legal = "a file in the form of this release's kling/catalogue/capabilities.json"
        raise CatalogueError(Fault("catalogue", f"{path} cannot be read: {what}", legal)) from error


def _without_digits(name: str) -> str:
    return "".join("0" if sign.isdigit() else sign for sign in folded(name))


def in_words(values: tuple[int, ...], separator: str = " or ") -> str:
    """Write ascending numbers as a range where they are one, else one after the other."""
    contiguous = len(values) > 2 and values[-1] - values[0] == len(values) - 1
    return f"{values[0]} to {values[-1]}" if contiguous else separator.join(map(str, values))


def _capability(row: dict[str, Any]) -> Capability:
    values = {one.name: row[one.name] for one in fields(Capability)}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Capability(**{**values, "family": ApiFamily(row["family"])})


def _unique(groups: Iterable[Iterable[T]]) -> list[T]:
    return list(dict.fromkeys(value for group in groups for value in group))
