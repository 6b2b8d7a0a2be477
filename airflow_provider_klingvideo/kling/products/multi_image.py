"""A picture composed of several (kling-api section 7.5)."""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products import picture, video
from airflow_provider_klingvideo.kling.products.base import (
    AspectRatio,
    Model,
    Picture,
    Product,
    Route,
    WatermarkedRequest,
    common_options,
    vendor_name,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import counted


class MultiImageRequest(WatermarkedRequest):
    """Pictures composed of one to four subjects, a scene and a style.

    :param model: the model.
    :param subject_images: one to four pictures of subjects.
    :param scene_image: a picture of the scene.
    :param style_image: a picture in the style.
    :param prompt: what the picture shows.
    :param n: how many pictures, 1 to 9; each is paid.
    :param aspect_ratio: ``16:9``, ``9:16``, ``1:1``, ``4:3``, ``3:4``, ``3:2``, ``2:3`` or ``21:9``.
    """

    kind: Literal["multi_image"] = "multi_image"
    model: Model = "kling-v2-1"
    subject_images: tuple[Picture, ...]
    scene_image: Picture | None = None
    style_image: Picture | None = None
    prompt: str = ""
    n: int = 1
    aspect_ratio: AspectRatio = "16:9"


def _body(request: MultiImageRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return without_nones(
        {
            "model_name": vendor_name(request, can),
            "prompt": request.prompt or None,
            "subject_image_list": [{"subject_image": one} for one in request.subject_images],
            "scene_image": request.scene_image,
            "style_image": request.style_image,
            "n": request.n,
            "aspect_ratio": request.aspect_ratio,
            **common_options(request, external_task_id),
        }
    )


def _line(request: MultiImageRequest, _can: Capability | None) -> Line:
    return Line(request.model, "multi-image", "any", request.n)


PRODUCT = Product(
    kind="multi_image",
    label="Image from several",
    request=MultiImageRequest,
    routes={ApiFamily.LEGACY: Route("/v1/images/multi-image2image", _body)},
    rules=(counted("subject_images", 1, 4), video.aspect_ratio, video.prompt_length, picture.count),
    line=_line,
    pack="image",
)
