"""Things added to a video, swapped or taken out of it (kling-api section 7.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.products import video
from airflow_provider_klingvideo.kling.products.base import (
    Picture,
    Product,
    Resolution,
    Route,
    Text,
    WatermarkedRequest,
    common_options,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import longest, too_many

# How many pictures each change takes (kling-api section 7.2).
IMAGES = {"addition": (1, 2), "swap": (1, 1), "removal": (0, 0)}


class MultiElementsRequest(WatermarkedRequest):
    """Things added to a video, swapped or taken out of it.

    The video and what is meant in it are chosen before, in a session: ``init_selection``, ``add_selection``.

    :param session_id: of the session, at most 24 hours ago.
    :param edit: ``addition``, ``swap`` or ``removal``.
    :param images: what comes in: one or two pictures to add, one to swap, none to remove.
    :param prompt: what is to happen; ``<<<video_1>>>`` means the video, ``<<<image_1>>>`` a picture.
    :param negative_prompt: what is not to be seen.
    :param resolution: ``720p`` or ``1080p``.
    :param duration: seconds: 5 for a video of 2 to 5 seconds, 10 for one of 7 to 10.
    """

    kind: Literal["multi_elements"] = "multi_elements"
    session_id: Text
    edit: Literal["addition", "swap", "removal"]
    images: tuple[Picture, ...] = ()
    prompt: Text
    negative_prompt: str | None = None
    resolution: Resolution = "720p"
    duration: int = 5


def _images(request: MultiElementsRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.2."""
    low, high = IMAGES[request.edit]
    if not low <= len(request.images) <= high:
        legal = str(low) if low == high else f"{low} to {high}"
        yield too_many("images", len(request.images), f"{legal} for {request.edit}")


def _body(request: MultiElementsRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return without_nones(
        {
            "session_id": request.session_id,
            "edit_mode": request.edit,
            "image_list": [{"image": one} for one in request.images] or None,
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt or None,
            "mode": video.mode_of(request),
            "duration": str(request.duration),
            **common_options(request, external_task_id),
        }
    )


PRODUCT = Product(
    kind="multi_elements",
    label="Multi-elements editing",
    request=MultiElementsRequest,
    routes={ApiFamily.LEGACY: Route("/v1/videos/multi-elements", _body)},
    rules=(video.resolution, video.duration, video.prompt_length, longest("negative_prompt", 2500), _images),
)
