"""Validates create requests of the legacy generation (kling-api sections 7.1, 7.2 and 11.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import (
    ASPECT_RATIOS,
    LEGACY_MODELS,
    LEGACY_PATHS,
    LEGACY_PROMPT_LIMIT,
    MODE_RESOLUTIONS,
    RETIRED_MODELS,
    Family,
    Generation,
    Product,
    Sound,
)
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.library import Library
from airflow_provider_klingvideo.sandbox.account.limits import LEGACY_IMAGE
from airflow_provider_klingvideo.sandbox.account.orders import (
    Input,
    Order,
    chosen_sound,
    clip,
    legacy_options,
    missing,
    read_input,
    takes_last_frame,
)
from airflow_provider_klingvideo.sandbox.account.tasks import Follow
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import legacy_elements, legacy_model
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.rules.shots import legacy_shot_type, legacy_shots

# Fields that only retired models knew.
_CAMERA = {"camera_control": "camera control"}
RETIRED_CONTROLS: dict[Product, dict[str, str]] = {
    Product.TEXT_TO_VIDEO: _CAMERA,
    Product.IMAGE_TO_VIDEO: {"static_mask": "motion brush", "dynamic_masks": "motion brush"} | _CAMERA,
}


@dataclass(frozen=True)
class _Choice:
    """The model, and how it is to be used."""

    model: str
    family: Family
    mode: str
    seconds: int
    sound: Sound

    @property
    def resolution(self) -> str:
        return MODE_RESOLUTIONS[self.mode]


def _read(product: Product, fields: Fields, context: RequestContext) -> Order:
    choice = _choose(product, fields, context.library)
    prompt = _prompt(product, fields, choice)
    fields.text("negative_prompt", LEGACY_PROMPT_LIMIT)
    if choice.family.multi_shot:  # the 2.x models have no cfg_scale
        fields.number("cfg_scale", 0.5, 0, 1)
    for name, control in RETIRED_CONTROLS[product].items():
        if name in fields:
            raise invalid(f"{choice.model} is not supported with {control}")
    images = _images(fields, choice) if product is Product.IMAGE_TO_VIDEO else ()
    shape = fields.choice("aspect_ratio", ASPECT_RATIOS, "16:9") if product is Product.TEXT_TO_VIDEO else ""
    return Order(
        generation=Generation.LEGACY,
        product=product,
        path=context.path,
        model=choice.model,
        prompt=prompt,
        units=choice.family.units(choice.sound, choice.resolution, choice.seconds),
        results=(clip(shape, choice.resolution, choice.seconds, choice.sound),),
        inputs=images,
        follow=Follow(shape="" if shape else "first_frame"),
        resolution=choice.resolution,
        seconds=choice.seconds,
        sound=choice.sound,
        **legacy_options(fields),
    )


def _choose(product: Product, fields: Fields, library: Library) -> _Choice:
    model = legacy_model(fields, LEGACY_MODELS, RETIRED_MODELS[0])
    family = LEGACY_MODELS[model]
    modes = [mode for mode, resolution in MODE_RESOLUTIONS.items() if resolution in family.resolutions]
    mode = fields.choice("mode", modes, "std")
    seconds = fields.integer("duration", family.durations, 5, as_text=True)
    wanted = fields.choice("sound", ("on", "off"), "off") == "on"
    voices = _references(product, fields, family, library)
    if voices and not wanted:
        raise invalid("voice_list is only supported when sound is on")
    sound = chosen_sound(family, wanted=wanted, voices=voices)
    if not family.offers(sound, MODE_RESOLUTIONS[mode]):
        raise invalid(f"model/mode/duration({model}/{mode}/{seconds}) is not supported with sound")
    return _Choice(model, family, mode, seconds, sound)


def _references(product: Product, fields: Fields, family: Family, library: Library) -> int:
    """Check elements and voices, which only image-to-video has; how many voices there are."""
    if product is not Product.IMAGE_TO_VIDEO:
        return 0
    voices = fields.objects("voice_list")
    if voices and fields.objects("element_list"):
        raise invalid("element_list and voice_list cannot be used together")
    legacy_elements(fields, family.elements, library)
    if len(voices) > family.voices:
        raise invalid(f"voice_list exceeds the limit of {family.voices} of the current model")
    for voice in voices:
        if not library.has_voice(identifier := voice.identifier("voice_id")):
            raise missing("voice", identifier)
    return len(voices)


def _prompt(product: Product, fields: Fields, choice: _Choice) -> str:
    prompt = fields.text("prompt", LEGACY_PROMPT_LIMIT)
    if fields.flag("multi_shot", False):
        return _multi_shot_prompt(fields, choice, prompt)
    if product is Product.TEXT_TO_VIDEO and not prompt.strip():
        raise invalid("prompt is required")
    return prompt


def _multi_shot_prompt(fields: Fields, choice: _Choice, prompt: str) -> str:
    if not choice.family.multi_shot:
        raise invalid("multi_shot is not supported by the current model")
    if legacy_shot_type(fields) == "customize":
        return legacy_shots(fields, choice.seconds)
    if not prompt.strip():
        raise invalid("prompt is required")
    return prompt


def _images(fields: Fields, choice: _Choice) -> tuple[Input, ...]:
    tail = fields.text("image_tail")
    image = fields.text("image")
    if not image and not tail:
        raise invalid("image or image_tail is required")
    if not tail:
        return (read_input("first_frame", image, LEGACY_IMAGE),)
    if not image:
        raise invalid("Image tail is not supported by the current model")
    if not takes_last_frame(choice.family, choice.resolution, choice.sound):
        which = f"{choice.model}/{choice.mode}/{choice.seconds}"
        raise invalid(f"model/mode/duration({which}) is not supported with image_tail")
    return read_input("first_frame", image, LEGACY_IMAGE), read_input("last_frame", tail, LEGACY_IMAGE)


READERS: dict[str, Reader] = {path: partial(_read, product) for path, product in LEGACY_PATHS.items()}
