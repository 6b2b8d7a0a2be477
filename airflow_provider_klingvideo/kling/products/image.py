"""Pictures from text, or from text and a picture (kling-api section 7.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products import picture, video
from airflow_provider_klingvideo.kling.products.base import (
    Model,
    Picture,
    Product,
    Route,
    Text,
    common_options,
    vendor_name,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import longest, ranged, too_many
from airflow_provider_klingvideo.kling.products.parts import (
    Element,
    Handles,
    element_list,
    handle_faults,
    with_placeholders,
)
from airflow_provider_klingvideo.kling.products.picture import MAX_REFERENCES, PictureRequest

# Who takes these three is a rule of Kling's text, not of its capability map (kling-api section 7.5).
REFERENCE_MODEL = "kling-v2-1"


class ImageRequest(PictureRequest):
    """Pictures from text, or from text and a picture.

    :param negative_prompt: what it must not show; not together with a picture.
    :param image: a picture to go by.
    :param image_reference: what of the picture counts, ``subject`` or ``face``; kling-v2-1 only.
    :param image_fidelity: how close to stay to the picture, 0 to 1; kling-v2-1 only.
    :param human_fidelity: how close to stay to the person, 0 to 1; kling-v2-1 and ``subject`` only.
    :param elements: characters and things from the element library.
    """

    kind: Literal["image"] = "image"
    model: Model = "kling-3.0"
    prompt: Text
    negative_prompt: str | None = None
    image: Picture | None = None
    image_reference: Literal["subject", "face"] | None = None
    image_fidelity: float | None = None
    human_fidelity: float | None = None
    elements: tuple[Element, ...] = ()

    @property
    def handles(self) -> Handles:
        """By which the prompt speaks of elements."""
        return {"element": [one.id for one in self.elements]}


def _reference(request: ImageRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.5."""
    names = ("image_reference", "image_fidelity", "human_fidelity")
    given = [name for name in names if getattr(request, name) is not None]
    if given and can.model != REFERENCE_MODEL:
        yield Fault(" and ".join(given), f"cannot be set for {can.model}", f"only with {REFERENCE_MODEL}")
    if request.image_reference and not request.image:
        yield Fault("image_reference", "is given without an image", "only with an image")


def _human_fidelity(request: ImageRequest, _can: Capability) -> Iterator[Fault]:
    """Source: the capability sheet's note on human_fidelity."""
    if request.human_fidelity is not None and request.image_reference != "subject":
        yield Fault("human_fidelity", "cannot be set", "only with image_reference subject")


def _negative_prompt(request: ImageRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.5."""
    if request.negative_prompt and request.image:
        yield Fault("negative_prompt", "is given together with an image", "one of the two")


def _elements(request: ImageRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.5."""
    if request.elements and not can.elements:
        yield too_many("elements", len(request.elements), f"none with {can.model}")
    elif len(request.elements) + bool(request.image) > MAX_REFERENCES:
        count = len(request.elements) + bool(request.image)
        yield too_many("elements", count, f"at most {MAX_REFERENCES} together with the image")
    yield from handle_faults(request.handles)


def _body(request: ImageRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return without_nones(
        {
            "model_name": vendor_name(request, can),
            "prompt": with_placeholders(request.prompt, request.handles),
            "negative_prompt": request.negative_prompt or None,
            "image": request.image,
            "image_reference": request.image_reference,
            "image_fidelity": request.image_fidelity,
            "human_fidelity": request.human_fidelity,
            "element_list": element_list(request.elements) or None,
            "resolution": request.resolution,
            "n": request.n,
            "aspect_ratio": request.aspect_ratio,
            **common_options(request, external_task_id),
        }
    )


def _line(request: ImageRequest, _can: Capability | None) -> Line:
    feature = "any"
    if request.model == REFERENCE_MODEL:
        feature = "image" if request.image else "text"
    return Line(request.model, feature, request.resolution, request.n)


PRODUCT = Product(
    kind="image",
    label="Image",
    request=ImageRequest,
    routes={ApiFamily.LEGACY: Route("/v1/images/generations", _body)},
    rules=(
        video.resolution,
        video.aspect_ratio,
        video.prompt_length,
        longest("negative_prompt", 2500),
        picture.count,
        ranged("image_fidelity", 0, 1),
        ranged("human_fidelity", 0, 1),
        _reference,
        _human_fidelity,
        _negative_prompt,
        _elements,
    ),
    line=_line,
    pack="image",
)
