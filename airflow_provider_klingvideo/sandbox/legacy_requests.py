"""Validates create requests of the legacy generation (kling-api sections 7.1, 7.2 and 11.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from airflow_provider_klingvideo.sandbox.answers import invalid
from airflow_provider_klingvideo.sandbox.catalog import (
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
from airflow_provider_klingvideo.sandbox.fields import Fields
from airflow_provider_klingvideo.sandbox.library import Library
from airflow_provider_klingvideo.sandbox.limits import LEGACY_IMAGE
from airflow_provider_klingvideo.sandbox.orders import (
    Input,
    Order,
    chosen_sound,
    clip,
    legacy_options,
    missing,
    read_input,
    takes_last_frame,
)
from airflow_provider_klingvideo.sandbox.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.tasks import Follow

SHOT_LIMIT = 6
SHOT_WORDS = 512
RETIRED_CONTROLS = {
    "static_mask": "motion brush",
    "dynamic_masks": "motion brush",
    "camera_control": "camera control",
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


def _family(fields: Fields) -> tuple[str, Family]:
    model = fields.text("model_name") or RETIRED_MODELS[0]
    if model in RETIRED_MODELS:
        raise invalid(f"The model '{model}' has been discontinued and is no longer available.")
    if model not in LEGACY_MODELS:
        raise fields.wrong("model_name")
    return model, LEGACY_MODELS[model]


def _choose(product: Product, fields: Fields, library: Library) -> _Choice:
    model, family = _family(fields)
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
    elements, voices = fields.objects("element_list"), fields.objects("voice_list")
    if elements and voices:
        raise invalid("element_list and voice_list cannot be used together")
    limits = (
        ("element", elements, family.elements, library.element),
        ("voice", voices, family.voices, library.has_voice),
    )
    for kind, items, limit, known in limits:
        if len(items) > limit:
            raise invalid(f"{kind}_list exceeds the limit of {limit} of the current model")
        for item in items:
            identifier = item.identifier(f"{kind}_id")
            if not known(identifier):
                raise missing(kind, identifier)
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
    shot_type = fields.choice("shot_type", ("customize", "intelligence"), "")
    if not shot_type:
        raise invalid("shot_type is required when multi_shot is true")
    if shot_type == "intelligence":
        if not prompt.strip():
            raise invalid("prompt is required")
        return prompt
    shots = fields.objects("multi_prompt")
    if not 1 <= len(shots) <= SHOT_LIMIT:
        raise invalid(f"multi_prompt must have 1 to {SHOT_LIMIT} items")
    allowed = range(1, choice.seconds + 1)
    if sum(shot.integer("duration", allowed, 0, as_text=True) for shot in shots) != choice.seconds:
        raise invalid("the total duration of multi_prompt must be equal to duration")
    return " / ".join(shot.text("prompt", SHOT_WORDS) for shot in shots)


def _images(fields: Fields, choice: _Choice) -> tuple[Input, ...]:
    tail = fields.text("image_tail")
    image = fields.text("image")
    if not image and not tail:
        raise invalid("image or image_tail is required")
    for name, control in RETIRED_CONTROLS.items():
        if name in fields:
            raise invalid(f"{choice.model} is not supported with {control}")
    if not tail:
        return (read_input("first_frame", image, LEGACY_IMAGE),)
    if not image:
        raise invalid("Image tail is not supported by the current model")
    if not takes_last_frame(choice.family, choice.resolution, choice.sound):
        which = f"{choice.model}/{choice.mode}/{choice.seconds}"
        raise invalid(f"model/mode/duration({which}) is not supported with image_tail")
    return read_input("first_frame", image, LEGACY_IMAGE), read_input("last_frame", tail, LEGACY_IMAGE)


READERS: dict[str, Reader] = {path: partial(_read, product) for path, product in LEGACY_PATHS.items()}
