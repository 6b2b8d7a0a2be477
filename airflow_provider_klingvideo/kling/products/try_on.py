"""A person in other clothes, by the solutions and by the older legacy path (kling-api sections 7.5 and 8)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.products.base import (
    GenerationRequest,
    Picture,
    Product,
    Route,
    WatermarkedRequest,
    common_options,
)
from airflow_provider_klingvideo.kling.products.limits import by_url, one_of
from airflow_provider_klingvideo.kling.products.reading import OneOf
from airflow_provider_klingvideo.kling.products.solutions import solution_options

KOLORS_MODELS = ("kolors-virtual-try-on-v1", "kolors-virtual-try-on-v1-5")


class VirtualTryOnRequest(WatermarkedRequest):
    """A person in other clothes.

    :param product_image: the clothes; http(s) URL only, ``kolors_virtual_try_on`` takes files.
    :param person_image: the person; http(s) URL only.
    :param keep_face: keep the face as it is.
    :param keep_pose: keep the pose as it is.
    :param keep_background: keep the background as it is.
    """

    kind: Literal["virtual_try_on"] = "virtual_try_on"
    product_image: Picture
    person_image: Picture
    keep_face: bool = True
    keep_pose: bool = True
    keep_background: bool = True


class KolorsVirtualTryOnRequest(GenerationRequest):
    """A person in other clothes, by the older path that also takes AK/SK and pictures from files.

    :param human_image: the person.
    :param cloth_image: the clothes.
    :param variant: ``kolors-virtual-try-on-v1``, or ``kolors-virtual-try-on-v1-5``, which also takes an upper and a
        lower piece pasted into one picture.
    """

    kind: Literal["kolors_virtual_try_on"] = "kolors_virtual_try_on"
    human_image: Picture
    cloth_image: Picture
    variant: Annotated[str, OneOf(lambda: KOLORS_MODELS)] = KOLORS_MODELS[0]


def _body(request: VirtualTryOnRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return {
        "contents": [
            {"type": "product_image", "url": request.product_image},
            {"type": "person_image", "url": request.person_image},
        ],
        "settings": {
            "keep_face": request.keep_face,
            "keep_pose": request.keep_pose,
            "keep_background": request.keep_background,
        },
        "options": solution_options(request, external_task_id),
    }


def _kolors_body(request: KolorsVirtualTryOnRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return {
        "model_name": request.variant,
        "human_image": request.human_image,
        "cloth_image": request.cloth_image,
        **common_options(request, external_task_id),
    }


PRODUCT = Product(
    kind="virtual_try_on",
    label="Virtual try-on",
    request=VirtualTryOnRequest,
    routes={ApiFamily.SOLUTIONS: Route("/solutions/virtual_try_on", _body)},
    rules=(by_url("product_image", "person_image"),),
    pack="try_on",
)
KOLORS_PRODUCT = Product(
    kind="kolors_virtual_try_on",
    label="Virtual try-on by the older path",
    request=KolorsVirtualTryOnRequest,
    routes={ApiFamily.LEGACY: Route("/v1/images/kolors-virtual-try-on", _kolors_body)},
    rules=(one_of("variant", KOLORS_MODELS),),
    pack="try_on",
)
