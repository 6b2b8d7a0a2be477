"""The older lip-sync, which also speaks a text: undocumented now, but served (kling-api section 7.2)."""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.products.base import (
    GenerationRequest,
    Product,
    Route,
    Text,
    Video,
    common_options,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import exactly_one, longest, ranged


class LipSyncTextRequest(GenerationRequest):
    """The person in a video speaks a text.

    :param video: the video; or
    :param video_id: Kling's id of one that it made.
    :param text: what is spoken, at most 120 characters.
    :param voice_id: the voice, see ``klingvideo models --voices``.
    :param language: ``zh`` or ``en``.
    :param speed: 0.8 to 2.
    """

    kind: Literal["lip_sync_text"] = "lip_sync_text"
    video: Video | None = None
    video_id: str | None = None
    text: Text
    voice_id: Text
    language: Literal["zh", "en"] = "en"
    speed: float = 1.0


def _body(request: LipSyncTextRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return {
        "input": without_nones(
            {
                "mode": "text2video",
                "video_url": request.video,
                "video_id": request.video_id,
                "text": request.text,
                "voice_id": request.voice_id,
                "voice_language": request.language,
                "voice_speed": request.speed,
            }
        ),
        **common_options(request, external_task_id),
    }


PRODUCT = Product(
    kind="lip_sync_text",
    label="Lip-sync of a text",
    request=LipSyncTextRequest,
    routes={ApiFamily.LEGACY: Route("/v1/videos/lip-sync", _body)},
    rules=(exactly_one("video", "video_id"), longest("text", 120), ranged("speed", 0.8, 2)),
)
