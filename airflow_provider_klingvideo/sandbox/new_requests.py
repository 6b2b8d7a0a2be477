"""Validates create requests of the new generation (kling-api sections 6.1 to 6.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from airflow_provider_klingvideo.sandbox.answers import invalid
from airflow_provider_klingvideo.sandbox.catalog import (
    ASPECT_RATIOS,
    NEW_MODELS,
    Family,
    Generation,
    Offer,
    Product,
    Sound,
)
from airflow_provider_klingvideo.sandbox.fields import Fields
from airflow_provider_klingvideo.sandbox.library import Library
from airflow_provider_klingvideo.sandbox.limits import NEW_IMAGE
from airflow_provider_klingvideo.sandbox.orders import (
    Input,
    Order,
    chosen_sound,
    clip,
    missing,
    new_options,
    read_input,
    takes_last_frame,
)
from airflow_provider_klingvideo.sandbox.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.tasks import Follow

AUDIO_WORDS = ("native", "original", "off")
SHOT = re.compile(r"shot\s+(\d+)\s*,\s*(\d+)\s*,\s*([^;]*);", re.IGNORECASE)
SHOTS = range(1, 7)
SHOT_WORDS = 512


class _Contents:
    """The ``contents`` of a request, counted by type."""

    def __init__(self, fields: Fields, family: Family) -> None:
        limits = {
            "prompt": 1,
            "first_frame": 1,
            "last_frame": int(bool(family.last_frame_resolutions)),
            "element": family.elements,
            "voice": family.voices,
        }
        items = fields.objects("contents")
        if not items:
            raise invalid("contents cannot be empty")
        self._items: dict[str, list[Fields]] = {}
        for item in items:
            kind = item.choice("type", [kind for kind, limit in limits.items() if limit], "")
            if not kind:
                raise item.wrong("type")
            self._items.setdefault(kind, []).append(item)
        for kind, limit in limits.items():
            if len(self.of(kind)) > limit:
                raise invalid(f"at most {limit} content items of type '{kind}' are allowed")

    def of(self, kind: str) -> list[Fields]:
        return self._items.get(kind, [])

    def prompt(self, limit: int) -> str:
        for item in self.of("prompt"):
            text = item.text("text", limit)
            if not text.strip():
                raise invalid("content item of type 'prompt' must have non-blank text")
            return text
        return ""

    def images(self) -> tuple[Input, ...]:
        if not self.of("first_frame"):
            raise invalid("content item of type 'first_frame' is required")
        return tuple(self._image(role, item) for role in ("first_frame", "last_frame") for item in self.of(role))

    @staticmethod
    def _image(role: str, item: Fields) -> Input:
        url = item.text("url")
        if not url.strip():
            raise invalid(f"content item of type '{role}' must have a non-blank url")
        return read_input(role, url, NEW_IMAGE)

    def check_known(self, library: Library) -> None:
        for kind, known in (("element", library.element), ("voice", library.has_voice)):
            for item in self.of(kind):
                identifier = item.text(f"{kind}_id")
                if not identifier or not item.text("id"):
                    raise invalid(f"Invalid {kind} id: {identifier}")
                if not known(identifier):
                    raise missing(kind, identifier)


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


def _check_shots(prompt: str, seconds: int) -> None:
    shots = SHOT.findall(prompt)
    if not shots:
        return
    if any(int(number) not in SHOTS or len(words) > SHOT_WORDS for number, _, words in shots):
        raise invalid("multi-shot prompt is invalid")
    if sum(int(length) for _, length, _ in shots) != seconds:
        raise invalid("the total duration of all shots must be equal to settings.duration")


_Inputs = Callable[[Fields, Offer, Library], "tuple[str, tuple[Input, ...], int]"]


def _from_text(fields: Fields, offer: Offer, _: Library) -> tuple[str, tuple[Input, ...], int]:
    prompt = fields.text("prompt", offer.prompt_limit)
    if not prompt.strip():
        raise invalid("prompt is required")
    return prompt, (), 0


def _from_contents(fields: Fields, offer: Offer, settings: Library) -> tuple[str, tuple[Input, ...], int]:
    contents = _Contents(fields, offer.family)
    prompt = contents.prompt(offer.prompt_limit)
    images = contents.images()
    contents.check_known(settings)
    return prompt, images, len(contents.of("voice"))


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
        _check_shots(prompt, seconds)
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
