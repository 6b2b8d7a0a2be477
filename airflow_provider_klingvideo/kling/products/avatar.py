"""A portrait that speaks (kling-api section 7.2)."""

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
    Sound,
    WatermarkedRequest,
    common_options,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import one_of_two


class AvatarRequest(WatermarkedRequest):
    """A portrait that speaks what a sound says.

    :param image: the portrait.
    :param audio_id: a speech that Kling made, see ``speak``; or
    :param sound: a sound of 2 to 300 seconds.
    :param prompt: how the person moves and looks.
    :param resolution: ``720p`` or ``1080p``.
    """

    kind: Literal["avatar"] = "avatar"
    image: Picture
    audio_id: str | None = None
    sound: Sound | None = None
    prompt: str = ""
    resolution: Resolution = "720p"


def _one_sound(request: AvatarRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.2."""
    if bool(request.audio_id) == bool(request.sound):
        yield one_of_two("audio_id", "sound")


def _body(request: AvatarRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return without_nones(
        {
            "image": request.image,
            "audio_id": request.audio_id,
            "sound_file": request.sound,
            "prompt": request.prompt or None,
            "mode": video.mode_of(request),
            **common_options(request, external_task_id),
        }
    )


PRODUCT = Product(
    kind="avatar",
    label="Avatar",
    request=AvatarRequest,
    routes={ApiFamily.LEGACY: Route("/v1/videos/avatar/image2video", _body)},
    rules=(_one_sound, video.resolution, video.prompt_length),
)
