"""Pictures from text, pictures and elements, one by one or as a series (kling-api section 7.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products import picture, video
from airflow_provider_klingvideo.kling.products.base import (
    AspectRatio,
    Model,
    Part,
    Picture,
    Product,
    Route,
    Text,
    common_options,
    vendor_name,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import not_offered, too_many
from airflow_provider_klingvideo.kling.products.parts import (
    Element,
    Handles,
    element_list,
    handle_faults,
    with_placeholders,
)
from airflow_provider_klingvideo.kling.products.picture import MAX_REFERENCES, PictureRequest

SERIES_MODEL = "kling-3.0-omni"
SERIES = range(2, 10)


class ReferencePicture(Part):
    """A picture to go by.

    :param image: the picture.
    :param id: a handle of your own; ``@id`` in the prompt means the picture.
    """

    image: Picture
    id: str | None = None


class OmniImageRequest(PictureRequest):
    """Pictures from text, pictures and elements, one by one or as a series that belongs together.

    :param images: pictures to go by.
    :param elements: characters and things from the element library.
    :param series: how many pictures the series has, 2 to 9, or ``auto``; None for single pictures.
    :param aspect_ratio: as for other pictures, or ``auto``: as the pictures are.
    """

    kind: Literal["omni_image"] = "omni_image"
    model: Model = "kling-3.0-omni"
    prompt: Text
    images: tuple[ReferencePicture, ...] = ()
    elements: tuple[Element, ...] = ()
    series: int | Literal["auto"] | None = None
    aspect_ratio: AspectRatio = "16:9"

    @property
    def handles(self) -> Handles:
        """By which the prompt speaks of pictures and elements."""
        return {"image": [one.id for one in self.images], "element": [one.id for one in self.elements]}


def _references(request: OmniImageRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.5."""
    count = len(request.images) + len(request.elements)
    if count > MAX_REFERENCES:
        yield too_many("images", count, f"at most {MAX_REFERENCES} together with elements")
    yield from handle_faults(request.handles)


def _series(request: OmniImageRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.5."""
    if request.series is None:
        return
    if can.model != SERIES_MODEL:
        yield Fault("series", f"is not known to {can.model}", f"only with {SERIES_MODEL}")
    if request.series != "auto" and request.series not in SERIES:
        yield not_offered("series", request.series, f"{SERIES[0]} to {SERIES[-1]}, auto")
    if request.n != 1:
        yield not_offered("n", request.n, "1 with a series")


def _auto_ratio(request: OmniImageRequest, can: Capability) -> Iterator[Fault]:
    """Source: the capability sheet's note on aspect_ratio."""
    if request.aspect_ratio == "auto" and can.model == SERIES_MODEL and not (request.images or request.elements):
        yield not_offered("aspect_ratio", request.aspect_ratio, "auto only with an image or an element")


def _body(request: OmniImageRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    series = {"result_type": "series", "series_amount": request.series}
    return without_nones(
        {
            "model_name": vendor_name(request, can),
            "prompt": with_placeholders(request.prompt, request.handles),
            "image_list": [{"image": one.image} for one in request.images] or None,
            "element_list": element_list(request.elements) or None,
            "resolution": request.resolution,
            "aspect_ratio": request.aspect_ratio,
            **(series if request.series is not None else {"result_type": "single", "n": request.n}),
            **common_options(request, external_task_id),
        }
    )


def _line(request: OmniImageRequest, _can: Capability | None) -> Line | None:
    """The number of pictures of an automatic series is Kling's choice."""
    pictures = request.n if request.series is None else request.series
    return None if pictures == "auto" else Line(request.model, "any", request.resolution, pictures)


PRODUCT = Product(
    kind="omni_image",
    label="Omni image",
    request=OmniImageRequest,
    routes={ApiFamily.LEGACY: Route("/v1/images/omni-image", _body)},
    rules=(
        video.resolution,
        video.aspect_ratio,
        video.prompt_length,
        picture.count,
        _references,
        _series,
        _auto_ratio,
    ),
    line=_line,
    pack="image",
)
