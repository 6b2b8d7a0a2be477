"""Validates create requests of the new generation (kling-api sections 6.1 to 6.3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import (
    ASPECT_RATIOS,
    NEW_MODELS,
    Family,
    Generation,
    Offer,
    Product,
    Sound,
)
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.library import Library
from airflow_provider_klingvideo.sandbox.account.orders import (
    Input,
    Order,
    chosen_sound,
    clip,
    new_options,
    takes_last_frame,
)
from airflow_provider_klingvideo.sandbox.account.tasks import Follow
from airflow_provider_klingvideo.sandbox.rules.contents import Contents
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.rules.shots import check_shots

AUDIO_WORDS = ("native", "original", "off")


def _audio(settings: Fields, family: Family) -> bool:
    """Whether sound is asked for."""
    if not family.audio_field:
        return False
    audio = settings.choice("audio", AUDIO_WORDS, "off")
    if audio == "original":
        raise _no_audio(audio)
    return audio == "native"


def _no_audio(audio: str) -> Exception:
    return invalid(f"audio mode '{audio}' is not supported by the current model")


_Inputs = Callable[[Fields, Offer, Library], "tuple[str, tuple[Input, ...], int]"]


def _from_text(fields: Fields, offer: Offer, _: Library) -> tuple[str, tuple[Input, ...], int]:
    prompt = fields.text("prompt", offer.prompt_limit)
    if not prompt.strip():
        raise invalid("prompt is required")
    return prompt, (), 0


def _from_contents(fields: Fields, offer: Offer, library: Library) -> tuple[str, tuple[Input, ...], int]:
    family = offer.family
    limits = {
        "prompt": 1,
        "first_frame": 1,
        "last_frame": int(bool(family.last_frame_resolutions)),
        "element": family.elements,
        "voice": family.voices,
    }
    contents = Contents(fields, limits)
    prompt = contents.prompt(offer.prompt_limit)
    contents.require("first_frame")
    images = contents.images("first_frame", "last_frame")
    contents.elements(library)
    return prompt, images, contents.voices(library)


_INPUTS: dict[Product, _Inputs] = {
    Product.TEXT_TO_VIDEO: _from_text,
    Product.IMAGE_TO_VIDEO: _from_contents,
}


def _read(product: Product, model: str, fields: Fields, context: RequestContext) -> Order:
    offer = NEW_MODELS[product][model]
    family = offer.family
    prompt, images, voices = _INPUTS[product](fields, offer, context.library)
    settings = fields.object("settings")
    resolution = settings.choice("resolution", family.resolutions, "720p")
    shape = settings.choice("aspect_ratio", ASPECT_RATIOS, "16:9") if product is Product.TEXT_TO_VIDEO else ""
    seconds = settings.integer("duration", family.durations, 5)
    wants_sound = _audio(settings, family)
    multi_shot = settings.flag("multi_shot", True) if family.multi_shot_field else family.multi_shot
    if multi_shot:
        check_shots(prompt, seconds)
    if voices and not wants_sound:
        raise invalid("content item of type 'voice' requires settings.audio to be 'native'")
    sound = chosen_sound(family, wanted=wants_sound, voices=voices)
    if not family.offers(sound, resolution):
        raise _no_audio("native")
    _check_last_frame(model, family, images, resolution, sound)
    return Order(
        generation=Generation.NEW,
        product=product,
        path=context.path,
        model=model,
        prompt=prompt,
        units=family.units(sound, resolution, seconds),
        results=(clip(shape, resolution, seconds, sound),),
        inputs=images,
        follow=Follow(shape="" if shape else "first_frame"),
        resolution=resolution,
        seconds=seconds,
        sound=sound,
        **new_options(fields),
    )


def _check_last_frame(model: str, family: Family, images: tuple[Input, ...], resolution: str, sound: Sound) -> None:
    wanted = any(image.role == "last_frame" for image in images)
    if wanted and not takes_last_frame(family, resolution, sound):
        raise invalid(f"model/resolution/audio({model}/{resolution}/{sound}) is not supported with last_frame")


READERS: dict[str, Reader] = {
    f"/{product}/{model}": partial(_read, product, model) for product, models in NEW_MODELS.items() for model in models
}
