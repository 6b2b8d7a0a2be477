"""What the imitated account offers: models, limits and prices (kling-api sections 6.2, 7.2, 11 and 14)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Generation(StrEnum):
    """Of the API, not of the models."""

    NEW = "new"
    LEGACY = "legacy"
    SOLUTIONS = "solutions"


class Pack(StrEnum):
    """Which kind of resource pack pays for a task; each has slots of its own (kling-api sections 4 and 9)."""

    VIDEO = "video"
    IMAGE = "image"
    TRY_ON = "try_on"


class Product(StrEnum):
    """What a task makes."""

    TEXT_TO_VIDEO = "text-to-video"
    IMAGE_TO_VIDEO = "image-to-video"
    OMNI_VIDEO = "omni-video"
    MOTION_CONTROL = "motion-control"
    MULTI_ELEMENTS = "multi-elements"
    MULTI_ELEMENTS_SELECTION = "multi-elements-selection"
    IDENTIFY_FACE = "identify-face"
    LIP_SYNC = "lip-sync"
    AVATAR = "avatar"
    EFFECTS = "effects"


class Sound(StrEnum):
    """How a clip sounds; the rows of Kling's price table, except for the sound of an input, which is free."""

    SILENT = "silent"
    NATIVE = "native"
    VOICE = "native with voice"
    ORIGINAL = "original"


Prices = Mapping[Sound, Mapping[str, str]]
_PRICED_AS = {Sound.ORIGINAL: Sound.SILENT}


@dataclass(frozen=True)
class Family:
    """One model, whatever the two API generations call it.

    :param prices: units per second; a resolution without a price is not offered with that sound.
    :param last_frame_resolutions: with which an end frame is possible.
    :param last_frame_with_sound: whether an end frame goes together with sound.
    :param audio_field: whether the request has a field for sound.
    :param multi_shot_field: whether the request can switch multi-shot prompts off.
    """

    durations: Collection[int]
    prices: Prices
    last_frame_resolutions: frozenset[str] = frozenset()
    last_frame_with_sound: bool = False
    elements: int = 0
    voices: int = 0
    audio_field: bool = True
    multi_shot: bool = False
    multi_shot_field: bool = False

    @property
    def resolutions(self) -> frozenset[str]:
        """Every resolution that has a price."""
        return frozenset(resolution for row in self.prices.values() for resolution in row)

    @property
    def always_sounds(self) -> bool:
        """Whether the model makes sound without being asked."""
        return Sound.SILENT not in self.prices

    def offers(self, sound: Sound, resolution: str) -> bool:
        """Whether there is a price for this."""
        return resolution in self.prices.get(_PRICED_AS.get(sound, sound), {})

    def units(self, sound: Sound, resolution: str, seconds: int) -> Decimal:
        """What a clip costs."""
        return Decimal(self.prices[_PRICED_AS.get(sound, sound)][resolution]) * seconds


KLING_3_TURBO = Family(
    durations=range(3, 16),
    prices={Sound.NATIVE: {"720p": "0.8", "1080p": "1.0"}},
    audio_field=False,
    multi_shot=True,
)
KLING_3 = Family(
    durations=range(3, 16),
    prices={
        Sound.SILENT: {"720p": "0.6", "1080p": "0.8", "4k": "3.0"},
        Sound.NATIVE: {"720p": "0.9", "1080p": "1.2", "4k": "3.0"},
    },
    last_frame_resolutions=frozenset({"720p", "1080p", "4k"}),
    last_frame_with_sound=True,
    elements=3,
    multi_shot=True,
    multi_shot_field=True,
)
KLING_2_6 = Family(
    durations=(5, 10),
    prices={
        Sound.SILENT: {"720p": "0.3", "1080p": "0.5"},
        Sound.NATIVE: {"1080p": "1.0"},
        Sound.VOICE: {"1080p": "1.2"},
    },
    last_frame_resolutions=frozenset({"1080p"}),
    voices=2,
)
KLING_2_5_TURBO = Family(
    durations=(5, 10),
    prices={Sound.SILENT: {"720p": "0.3", "1080p": "0.5"}},
    last_frame_resolutions=frozenset({"1080p"}),
    last_frame_with_sound=True,
    audio_field=False,
)


@dataclass(frozen=True)
class Offer:
    """A model under one path of the new generation."""

    family: Family
    prompt_limit: int


NEW_MODELS: dict[Product, dict[str, Offer]] = {
    Product.TEXT_TO_VIDEO: {
        "kling-3.0-turbo": Offer(KLING_3_TURBO, 3072),
        "kling-3.0": Offer(KLING_3, 3072),
        "kling-2.6": Offer(KLING_2_6, 2500),
        "kling-2.5-turbo": Offer(KLING_2_5_TURBO, 2500),
    },
    Product.IMAGE_TO_VIDEO: {
        "kling-3.0-turbo": Offer(KLING_3_TURBO, 2500),
        "kling-3.0": Offer(KLING_3, 3072),
        "kling-2.6": Offer(KLING_2_6, 2500),
        "kling-2.5-turbo": Offer(KLING_2_5_TURBO, 2500),
    },
}

LEGACY_MODELS: dict[str, Family] = {
    "kling-v3": KLING_3,
    "kling-v2-6": KLING_2_6,
    "kling-v2-5-turbo": KLING_2_5_TURBO,
}
# Retired on 2026-09-15; the first is also the default of a request that names no model.
RETIRED_MODELS = ("kling-v1", "kling-v1-5", "kling-v1-6", "kling-v2-master", "kling-v2-1", "kling-v2-1-master")
LEGACY_PROMPT_LIMIT = 2500
LEGACY_PATHS: dict[str, Product] = {
    "/v1/videos/text2video": Product.TEXT_TO_VIDEO,
    "/v1/videos/image2video": Product.IMAGE_TO_VIDEO,
}
MODE_RESOLUTIONS = {"std": "720p", "pro": "1080p", "4k": "4k"}

ASPECT_RATIOS: dict[str, tuple[int, int]] = {"16:9": (16, 9), "9:16": (9, 16), "1:1": (1, 1)}
# The shorter side in pixels. The sizes of square clips are not documented: the shorter side is assumed.
SHORT_SIDES = {"720p": 720, "1080p": 1080, "4k": 2160}
FRAMES_PER_SECOND = 24
# The side in pixels of a square picture; other shapes have as many pixels. The sizes are not documented.
PICTURE_SIDES = {"1K": 1024, "2K": 2048, "4K": 4096}


def frame_size(proportions: tuple[int, int], resolution: str) -> tuple[int, int]:
    """Width and height of a clip or a picture, even as yuv420p wants them.

    :param resolution: one of :data:`SHORT_SIDES` or :data:`PICTURE_SIDES`; anything else keeps the size as it is.
    """
    across, down = proportions
    if resolution in PICTURE_SIDES:
        scale = PICTURE_SIDES[resolution] / math.sqrt(across * down)
    else:
        scale = SHORT_SIDES.get(resolution, min(proportions)) / min(proportions)
    return max(2, round(across * scale / 2) * 2), max(2, round(down * scale / 2) * 2)


def clip_seconds(asked_for: int) -> float:
    """How long a clip really is: Kling's are one frame longer than was asked for."""
    return asked_for + 1 / FRAMES_PER_SECOND
