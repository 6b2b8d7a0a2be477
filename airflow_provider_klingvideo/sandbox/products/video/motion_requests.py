"""Validates motion-control requests of both generations (kling-api sections 6.2, 6.3 and 7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import (
    LEGACY_PROMPT_LIMIT,
    MODE_RESOLUTIONS,
    Generation,
    Product,
    Sound,
)
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.limits import LEGACY_IMAGE, MEGABYTE, MOVIES, Kind, Limits
from airflow_provider_klingvideo.sandbox.account.orders import (
    Input,
    Order,
    legacy_options,
    new_options,
    read_address,
    read_input,
)
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.rules.contents import Contents
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import legacy_elements, legacy_model
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext

_PATH = "/v1/videos/motion-control"
_PROMPT_LIMIT = 2500
_SHORTEST = 3
# The orientation decides how long the film may be.
_LONGEST = {"image": 10, "video": 30}
_SOUNDS = {"original": Sound.ORIGINAL, "off": Sound.SILENT}
_IMAGE = LEGACY_IMAGE.model_copy(update={"longest": 65_536})
# What a legacy request lacks, in the order in which Kling says so (kling-api section 7.2).
_MISSING = {
    "image_url": "imageUrl: must not be blank",
    "video_url": "videoUrl: must not be blank",
    "mode": "video mode must be specified",
    "character_orientation": "character orientation must be specified",
}


@dataclass(frozen=True)
class _Model:
    """A model that follows a film.

    :param prices: units per second.
    """

    prices: Mapping[str, str]
    elements: int


_KLING_3 = _Model({"720p": "0.9", "1080p": "1.2"}, elements=1)
_KLING_2_6 = _Model({"720p": "0.5", "1080p": "0.8"}, elements=0)
_NEW = {"kling-3.0": _KLING_3, "kling-2.6": _KLING_2_6}
_LEGACY = {"kling-v3": _KLING_3, "kling-v2-6": _KLING_2_6}


def _film(orientation: str) -> Limits:
    return Limits(
        kind=Kind.VIDEO,
        formats=MOVIES,
        max_bytes=100 * MEGABYTE,
        shortest=340,
        longest=3850,
        seconds=((_SHORTEST, _LONGEST[orientation]),),
    )


def _order(model: _Model, resolution: str, sound: Sound, inputs: tuple[Input, ...]) -> dict[str, Any]:
    """Price and results, as arguments of :class:`Order`; both follow from the film."""
    price = Decimal(model.prices[resolution])
    return {
        "product": Product.MOTION_CONTROL,
        "units": price * _SHORTEST,
        "results": (Result(sound=sound is Sound.ORIGINAL),),
        "inputs": inputs,
        "follow": Follow(shape="image", length="video", unit_price=price),
        "resolution": resolution,
        "sound": sound,
    }


def _read_new(name: str, fields: Fields, context: RequestContext) -> Order:
    model = _NEW[name]
    contents = Contents(fields, {"prompt": 1, "image": 1, "video": 1, "element": model.elements})
    prompt = contents.prompt(_PROMPT_LIMIT)
    contents.require("image")
    contents.require("video")
    settings = fields.object("settings")
    orientation = settings.choice("character_orientation", _LONGEST, "")
    if not orientation:
        raise invalid("settings.character_orientation is required")
    _check_orientation(orientation, len(contents.elements(context.library)))
    inputs = contents.images("image") + contents.videos("video", _film(orientation))
    sound = _SOUNDS[settings.choice("audio", _SOUNDS, "original")]
    return Order(
        generation=Generation.NEW,
        path=context.path,
        model=name,
        prompt=prompt,
        **_order(model, settings.choice("resolution", model.prices, "720p"), sound, inputs),
        **new_options(fields),
    )


def _check_orientation(orientation: str, elements: int) -> None:
    if elements and orientation != "video":
        raise invalid("character_orientation must be 'video' when an element is given")


def _read_legacy(fields: Fields, context: RequestContext) -> Order:
    name = legacy_model(fields, _LEGACY, "kling-v2-6")
    model = _LEGACY[name]
    for field, words in _MISSING.items():
        if not fields.text(field).strip():
            raise invalid(words)
    resolution = MODE_RESOLUTIONS[fields.choice("mode", ("std", "pro"), "")]
    orientation = fields.choice("character_orientation", _LONGEST, "")
    _check_orientation(orientation, len(legacy_elements(fields, model.elements, context.library)))
    image = read_input("image", fields.text("image_url"), _IMAGE)
    video = read_address("video", fields.text("video_url"), _film(orientation))
    kept = fields.choice("keep_original_sound", ("yes", "no"), "yes") == "yes"
    return Order(
        generation=Generation.LEGACY,
        path=context.path,
        model=name,
        prompt=fields.text("prompt", LEGACY_PROMPT_LIMIT),
        **_order(model, resolution, Sound.ORIGINAL if kept else Sound.SILENT, (image, video)),
        **legacy_options(fields),
    )


NEW_READERS: dict[str, Reader] = {f"/{Product.MOTION_CONTROL}/{name}": partial(_read_new, name) for name in _NEW}
LEGACY_READERS: dict[str, Reader] = {_PATH: _read_legacy}
