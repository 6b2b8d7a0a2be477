"""A video from text (kling-api sections 6.2 and 7.2)."""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products import video
from airflow_provider_klingvideo.kling.products.base import AspectRatio, Product, Route, common_options, without_nones
from airflow_provider_klingvideo.kling.products.video import VideoRequest


class TextToVideoRequest(VideoRequest):
    """A video from text. Parameters as for :class:`VideoRequest`, and

    :param aspect_ratio: ``16:9``, ``9:16`` or ``1:1``.
    """  # noqa: D400, D415

    kind: Literal["text_to_video"] = "text_to_video"
    aspect_ratio: AspectRatio = "16:9"


def _new_body(request: TextToVideoRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return {
        "prompt": video.new_prompt(request),
        "settings": {**video.new_settings(request, can), "aspect_ratio": request.aspect_ratio},
        "options": common_options(request, external_task_id),
    }


def _legacy_body(request: TextToVideoRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return without_nones(
        {
            **video.legacy_settings(request, can),
            "aspect_ratio": request.aspect_ratio,
            **common_options(request, external_task_id),
        }
    )


def _line(request: TextToVideoRequest, can: Capability | None) -> Line:
    return Line(request.model, video.sound_of(request, can), request.resolution, request.duration)


PRODUCT = Product(
    kind="text_to_video",
    label="Text to video",
    request=TextToVideoRequest,
    routes={
        ApiFamily.NEW: Route("/text-to-video", _new_body, is_model_in_path=True),
        ApiFamily.LEGACY: Route("/v1/videos/text2video", _legacy_body),
    },
    rules=(*video.RULES, video.prompt_or_shots, video.aspect_ratio),
    line=_line,
)
