"""A picture's person moves like one in a video (kling-api sections 6.2, 6.3 and 7.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.products import video
from airflow_provider_klingvideo.kling.products.base import (
    Model,
    Picture,
    Product,
    Resolution,
    Route,
    Video,
    WatermarkedRequest,
    common_options,
    vendor_name,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import not_offered
from airflow_provider_klingvideo.kling.products.parts import Element, element_list, with_placeholders


class MotionControlRequest(WatermarkedRequest):
    """A picture's person moves like one in a video; the length follows the video.

    :param image: the person.
    :param video: the movement, 3 to 30 seconds; at most 10 with ``orientation`` ``image``.
    :param orientation: whether the person faces as in the ``video`` or as in the ``image``.
    :param prompt: what else is to be seen.
    :param model: the model.
    :param element: a person from the element library; needs ``orientation`` ``video``.
    :param resolution: ``720p`` or ``1080p``.
    :param audio: ``original`` for the sound of the video, ``off`` for none.
    """

    kind: Literal["motion_control"] = "motion_control"
    model: Model = "kling-3.0"
    image: Picture
    video: Video
    orientation: Literal["image", "video"] = "video"
    prompt: str = ""
    element: Element | None = None
    resolution: Resolution = "720p"
    audio: Literal["original", "off"] = "original"


def _element(request: MotionControlRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 6.3."""
    if request.element and not can.elements:
        yield Fault("element", f"is not known to {can.model}", "none")
    if request.element and request.orientation != "video":
        yield not_offered("orientation", request.orientation, "video with an element")


def _new_body(request: MotionControlRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    contents: list[dict[str, Any]] = [
        {"type": "image", "url": request.image},
        {"type": "video", "url": request.video},
    ]
    if request.prompt.strip():
        contents.append({"type": "prompt", "text": request.prompt})
    if request.element:
        contents.append({"type": "element", **request.element.model_dump()})
    return {
        "contents": contents,
        "settings": {
            "character_orientation": request.orientation,
            "audio": request.audio,
            "resolution": request.resolution,
        },
        "options": common_options(request, external_task_id),
    }


def _legacy_body(request: MotionControlRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    elements = [request.element] if request.element else []
    return without_nones(
        {
            "model_name": vendor_name(request, can),
            "image_url": request.image,
            "video_url": request.video,
            "character_orientation": request.orientation,
            "mode": video.mode_of(request),
            "keep_original_sound": "yes" if request.audio == "original" else "no",
            "prompt": with_placeholders(request.prompt, {"element": [one.id for one in elements]}) or None,
            "element_list": element_list(elements) or None,
            **common_options(request, external_task_id),
        }
    )


PRODUCT = Product(
    kind="motion_control",
    label="Motion control",
    request=MotionControlRequest,
    routes={
        ApiFamily.NEW: Route("/motion-control", _new_body, is_model_in_path=True),
        ApiFamily.LEGACY: Route("/v1/videos/motion-control", _legacy_body),
    },
    rules=(video.resolution, video.prompt_length, _element),
)
