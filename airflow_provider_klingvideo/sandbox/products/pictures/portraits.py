"""Validates what brings pictures to life: avatars and effects (kling-api sections 7.2 and 12)."""

from __future__ import annotations

from decimal import Decimal

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import (
    LEGACY_PROMPT_LIMIT,
    MODE_RESOLUTIONS,
    Generation,
    Product,
    Sound,
    clip_seconds,
)
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.limits import LEGACY_IMAGE, MEGABYTE, SOUNDS, Kind, Limits
from airflow_provider_klingvideo.sandbox.account.orders import (
    Input,
    Order,
    legacy_options,
    read_input,
    unmarked_options,
)
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.products.pictures.effect_scenes import ONE_PICTURE, TWO_PICTURES
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import read_sound, required_text
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext

_AVATAR_SOUND = Limits(kind=Kind.AUDIO, formats=SOUNDS, max_bytes=5 * MEGABYTE, seconds=((2, 300),))
_AVATAR_SHORTEST = 2
_AVATAR_PRICES = {"std": Decimal("0.4"), "pro": Decimal("0.8")}  # units per second
# The price list of effects is not public: this is what a clip of the models behind the first of them cost.
_EFFECT_PRICE = Decimal(2)
_EFFECT_SECONDS = 5


def _read_avatar(fields: Fields, context: RequestContext) -> Order:
    image = read_input("image", required_text(fields, "image"), LEGACY_IMAGE)
    sound = read_sound(fields, _AVATAR_SOUND, context.library)
    mode = fields.choice("mode", _AVATAR_PRICES, "std")
    price = _AVATAR_PRICES[mode]
    return Order(
        generation=Generation.LEGACY,
        product=Product.AVATAR,
        path=context.path,
        model=Product.AVATAR,
        prompt=fields.text("prompt", LEGACY_PROMPT_LIMIT),
        units=price * _AVATAR_SHORTEST,
        results=(Result(sound=True),),
        inputs=(image, sound),
        follow=Follow(shape="image", length="audio", unit_price=price),
        resolution=MODE_RESOLUTIONS[mode],
        sound=Sound.NATIVE,
        **legacy_options(fields),
    )


def _read_effect(fields: Fields, context: RequestContext) -> Order:
    scene = fields.choice("effect_scene", ONE_PICTURE | TWO_PICTURES, "")
    if not scene:
        raise invalid("effect_scene is required")
    return Order(
        generation=Generation.LEGACY,
        product=Product.EFFECTS,
        path=context.path,
        model=scene,
        prompt="",
        units=_EFFECT_PRICE,
        results=(Result(seconds=clip_seconds(_EFFECT_SECONDS), timed=False),),
        inputs=_effect_images(fields.object("input"), scene),
        follow=Follow(shape="image"),
        resolution=MODE_RESOLUTIONS["std"],
        seconds=_EFFECT_SECONDS,
        **unmarked_options(fields),
    )


def _effect_images(wanted: Fields, scene: str) -> tuple[Input, ...]:
    if scene in ONE_PICTURE:
        return (read_input("image", required_text(wanted, "image"), LEGACY_IMAGE),)
    images = wanted.array("images")
    if len(images) != 2 or not all(isinstance(image, str) and image.strip() for image in images):
        raise invalid(f"input.images must have exactly 2 images for the effect_scene '{scene}'")
    return tuple(read_input("image", image, LEGACY_IMAGE) for image in images)


READERS: dict[str, Reader] = {
    "/v1/videos/avatar/image2video": _read_avatar,
    "/v1/videos/effects": _read_effect,
}
