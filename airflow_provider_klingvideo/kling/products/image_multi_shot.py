"""A subject seen from other sides (kling-api section 7.5)."""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products.base import (
    GenerationRequest,
    Picture,
    Product,
    Route,
    common_options,
)


class ImageMultiShotRequest(GenerationRequest):
    """Three groups of three pictures of a subject from other sides, to make an element of.

    :param frontal_image: the subject from the front.
    """

    kind: Literal["image_multi_shot"] = "image_multi_shot"
    frontal_image: Picture


def _body(request: ImageMultiShotRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return {"element_frontal_image": request.frontal_image, **common_options(request, external_task_id)}


def _line(_request: ImageMultiShotRequest, _can: Capability | None) -> Line:
    return Line("image_multi_shot")


PRODUCT = Product(
    kind="image_multi_shot",
    label="Images from other sides",
    request=ImageMultiShotRequest,
    routes={ApiFamily.LEGACY: Route("/v1/general/ai-multi-shot", _body)},
    rules=(),
    line=_line,
    pack="image",
)
