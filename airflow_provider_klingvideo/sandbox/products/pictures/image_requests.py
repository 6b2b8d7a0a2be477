"""Validates what makes pictures: they exist on legacy paths only (kling-api sections 7.5 and 11.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from airflow_provider_klingvideo.sandbox.account.answers import Refusal, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import LEGACY_PROMPT_LIMIT, Generation, Pack, frame_size
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.limits import LEGACY_IMAGE
from airflow_provider_klingvideo.sandbox.account.orders import (
    Input,
    Order,
    legacy_options,
    read_input,
    unmarked_options,
)
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import legacy_elements, legacy_model, required_text
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext

RATIOS: dict[str, tuple[int, int]] = {
    "16:9": (16, 9),
    "9:16": (9, 16),
    "1:1": (1, 1),
    "4:3": (4, 3),
    "3:4": (3, 4),
    "3:2": (3, 2),
    "2:3": (2, 3),
    "21:9": (21, 9),
}
AUTO = "auto"
COUNTS = range(1, 10)
REFERENCES = 10
RETIRED = ("kling-v1", "kling-v1-5", "kling-v2", "kling-v2-new")  # for pictures kling-v2-1 lives on
TRY_ON_MODELS = ("kolors-virtual-try-on-v1", "kolors-virtual-try-on-v1-5")

SUBJECTS = range(1, 5)
SERIES = range(2, 10)
AUTOMATIC_SERIES = 4
"""How many pictures the sandbox makes where Kling's model decides."""

EXPANSION = 2.0
EXPANDED_AREA = 3.0

# Units a picture (kling-api section 14); what a try-on costs is not known.
FROM_TEXT = {"kling-v3": 8, "kling-v2-1": 4}
FROM_IMAGE = {"kling-v3": 8, "kling-v2-1": 8}
OMNI = {
    "kling-image-o1": {"1k": 8, "2k": 8},
    "kling-v3-omni": {"1k": 8, "2k": 8, "4k": 16},
}
SERIES_MODELS = frozenset({"kling-v3-omni"})
FIXED_RATIO_FROM_TEXT = frozenset({"kling-v3-omni"})
FROM_SEVERAL = {"kling-v2-1": 16}
EXPANDED = 8
VIEWS = 20
TRY_ON = 1


def _count(fields: Fields) -> int:
    return fields.integer("n", COUNTS, 1)


def _pictures(count: int, shape: str, resolution: str) -> tuple[Result, ...]:
    """That many pictures of a shape; one that follows from an input has no size yet."""
    width, height = frame_size(RATIOS[shape], resolution) if shape in RATIOS else (0, 0)
    return tuple(Result(type="image", width=width, height=height) for _ in range(count))


def _unsupported(name: str) -> Refusal:
    return invalid(f"{name} is not supported by the current model")


def _optional(role: str, name: str, fields: Fields) -> list[Input]:
    image = fields.text(name)
    return [read_input(role, image, LEGACY_IMAGE)] if image else []


def _required(role: str, name: str, fields: Fields) -> Input:
    return read_input(role, required_text(fields, name), LEGACY_IMAGE)


def _order(
    fields: Fields,
    context: RequestContext,
    *,
    product: str,
    units: int,
    options: Callable[[Fields], dict[str, Any]] = legacy_options,
    results: Sequence[Result],
    inputs: Iterable[Input] = (),
    **more: Any,
) -> Order:
    """What the orders of all pictures have in common; each picture takes a slot.

    :param units: for all pictures together.
    """
    defaults: dict[str, Any] = {"model": product, "prompt": "", "pack": Pack.IMAGE, "weight": len(results)}
    return Order(
        **{**defaults, **more},
        **options(fields),
        generation=Generation.LEGACY,
        product=product,
        path=context.path,
        units=Decimal(units),
        results=tuple(results),
        inputs=tuple(inputs),
    )


def _generations(fields: Fields, context: RequestContext) -> Order:
    model = legacy_model(fields, FROM_TEXT, "kling-v3", RETIRED)
    prompt = required_text(fields, "prompt", LEGACY_PROMPT_LIMIT)
    images = _optional("image", "image", fields)
    if fields.text("negative_prompt", LEGACY_PROMPT_LIMIT) and images:
        raise invalid("negative_prompt cannot be used together with image")
    _check_likeness(fields, model, images)
    elements = legacy_elements(fields, REFERENCES - len(images), context.library)
    if elements and model != "kling-v3":
        raise _unsupported("element_list")
    count, resolution = _count(fields), fields.choice("resolution", ("1k", "2k"), "1k")
    shape = fields.choice("aspect_ratio", RATIOS, "16:9")
    return _order(
        fields,
        context,
        product="image-generation",
        model=model,
        prompt=prompt,
        units=(FROM_IMAGE if images else FROM_TEXT)[model] * count,
        results=_pictures(count, shape, resolution.upper()),
        inputs=images,
        resolution=resolution.upper(),
    )


def _check_likeness(fields: Fields, model: str, images: list[Input]) -> None:
    """How near to the reference image: only kling-v2-1 has that (kling-api section 7.5)."""
    for name in ("image_reference", "image_fidelity", "human_fidelity"):
        if name in fields and model != "kling-v2-1":
            raise _unsupported(name)
    reference = fields.choice("image_reference", ("subject", "face"), "")
    fields.number("image_fidelity", 0.5, 0, 1)
    fields.number("human_fidelity", 0.45, 0, 1)
    if reference and not images:
        raise invalid("image is required when image_reference is set")
    if "human_fidelity" in fields and reference != "subject":
        raise invalid("human_fidelity is only supported when image_reference is subject")


def _omni(fields: Fields, context: RequestContext) -> Order:
    model = legacy_model(fields, OMNI, "kling-image-o1", RETIRED)
    prompt = required_text(fields, "prompt", LEGACY_PROMPT_LIMIT)
    items = fields.objects("image_list")
    if len(items) > REFERENCES:
        raise invalid(f"image_list and element_list cannot exceed {REFERENCES} in total")
    images = [_required("image", "image", item) for item in items]
    elements = legacy_elements(fields, REFERENCES - len(images), context.library)
    resolution = fields.choice("resolution", OMNI[model], "1k")
    count, series = _count(fields), _series(fields, model)
    shape = fields.choice("aspect_ratio", (*RATIOS, AUTO), AUTO)
    if shape == AUTO and not images and not elements and model in FIXED_RATIO_FROM_TEXT:
        raise invalid("aspect_ratio is required when there is no image and no element")
    kind = {"type": "series_image", "group": "0"} if series else {}
    follows = shape == AUTO and bool(images)
    pictures = _pictures(series or count, "" if follows else shape.replace(AUTO, "1:1"), resolution.upper())
    return _order(
        fields,
        context,
        product="omni-image",
        model=model,
        prompt=prompt,
        units=OMNI[model][resolution] * len(pictures),
        results=[picture.model_copy(update=kind) for picture in pictures],
        inputs=images,
        follow=Follow(shape="image" if follows else ""),
        resolution=resolution.upper(),
        details={"task_result": {"result_type": "series" if series else "single"}},
    )


def _series(fields: Fields, model: str) -> int:
    """How many pictures that belong together; 0 where they stand alone."""
    if fields.choice("result_type", ("single", "series"), "single") == "single":
        _series_amount(fields)
        return 0
    if model not in SERIES_MODELS:
        raise _unsupported("result_type series")
    return _series_amount(fields)


def _series_amount(fields: Fields) -> int:
    if fields.holds("series_amount", AUTO):
        return AUTOMATIC_SERIES
    return fields.integer("series_amount", SERIES, AUTOMATIC_SERIES)


def _from_several(fields: Fields, context: RequestContext) -> Order:
    model = legacy_model(fields, FROM_SEVERAL, "kling-v2-1", RETIRED)
    subjects = fields.objects("subject_image_list")
    if len(subjects) not in SUBJECTS:
        raise invalid(f"subject_image_list must have {SUBJECTS[0]} to {SUBJECTS[-1]} items")
    images = [_required("subject_image", "subject_image", subject) for subject in subjects]
    images += _optional("scene_image", "scene_image", fields) + _optional("style_image", "style_image", fields)
    count = _count(fields)
    return _order(
        fields,
        context,
        product="multi-image2image",
        model=model,
        prompt=fields.text("prompt", LEGACY_PROMPT_LIMIT),
        units=FROM_SEVERAL[model] * count,
        results=_pictures(count, fields.choice("aspect_ratio", RATIOS, "16:9"), "1K"),
        inputs=images,
        resolution="1K",
    )


def _expand(fields: Fields, context: RequestContext) -> Order:
    image = _required("image", "image", fields)
    up, down, left, right = (_expansion(fields, side) for side in ("up", "down", "left", "right"))
    wider, higher = 1 + left + right, 1 + up + down
    if round(wider * higher, 6) > EXPANDED_AREA:
        raise invalid(f"the area of the new image cannot exceed {EXPANDED_AREA:g} times that of the original one")
    count = _count(fields)
    pictures = _pictures(count, "", "")
    return _order(
        fields,
        context,
        product="expand",
        prompt=fields.text("prompt", LEGACY_PROMPT_LIMIT),
        units=EXPANDED * count,
        results=[picture.model_copy(update={"type": "expanded_image"}) for picture in pictures],
        inputs=[image],
        follow=Follow(shape="image", wider=wider, higher=higher),
    )


def _expansion(fields: Fields, side: str) -> float:
    name = f"{side}_expansion_ratio"
    if name not in fields:
        raise invalid(f"{name} is required")
    return fields.number(name, 0, 0, EXPANSION)


def _views(fields: Fields, context: RequestContext) -> Order:
    image = _required("image", "element_frontal_image", fields)
    width, height = frame_size(RATIOS["1:1"], "1K")
    return _order(
        fields,
        context,
        product="ai-multi-shot",
        units=VIEWS,
        results=[
            Result(type="view", width=width, height=height, group=group, role=number)
            for group in ("0", "1", "2")
            for number in ("1", "2", "3")
        ],
        inputs=[image],
        weight=1,
        options=unmarked_options,
        resolution="1K",
    )


def _try_on(fields: Fields, context: RequestContext) -> Order:
    model = legacy_model(fields, TRY_ON_MODELS, TRY_ON_MODELS[0])
    return _order(
        fields,
        context,
        product="virtual-try-on",
        model=model,
        units=TRY_ON,
        results=_pictures(1, "", ""),
        inputs=[_required("human_image", "human_image", fields), _required("cloth_image", "cloth_image", fields)],
        follow=Follow(shape="human_image"),
        pack=Pack.TRY_ON,
        options=unmarked_options,
    )


READERS: dict[str, Reader] = {
    "/v1/images/generations": _generations,
    "/v1/images/omni-image": _omni,
    "/v1/images/multi-image2image": _from_several,
    "/v1/images/editing/expand": _expand,
    "/v1/general/ai-multi-shot": _views,
    "/v1/images/kolors-virtual-try-on": _try_on,
}
