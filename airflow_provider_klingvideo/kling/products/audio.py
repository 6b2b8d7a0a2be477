"""Sounds from text and for videos (kling-api section 7.3)."""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products import video
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

LONGEST_WORDS = 200


class TextToAudioRequest(GenerationRequest):
    """A sound from text.

    :param prompt: what is to be heard, at most 200 characters.
    :param duration: seconds, 3 to 10.
    """

    kind: Literal["text_to_audio"] = "text_to_audio"
    prompt: Text
    duration: float = 5.0


class VideoToAudioRequest(GenerationRequest):
    """Sounds and music for a video of 3 to 20 seconds.

    :param video: the video; or
    :param video_id: Kling's id of one that it made.
    :param effects: which sounds are to be heard, at most 200 characters.
    :param music: which music is to be heard, at most 200 characters.
    :param asmr: sounds as close to the ear as can be.
    """

    kind: Literal["video_to_audio"] = "video_to_audio"
    video: Video | None = None
    video_id: str | None = None
    effects: str | None = None
    music: str | None = None
    asmr: bool = False


def _text_body(request: TextToAudioRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return {
        "prompt": request.prompt,
        "duration": request.duration,
        **common_options(request, external_task_id),
    }


def _video_body(request: VideoToAudioRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return without_nones(
        {
            "video_url": request.video,
            "video_id": request.video_id,
            "sound_effect_prompt": request.effects,
            "bgm_prompt": request.music,
            "asmr_mode": request.asmr,
            **common_options(request, external_task_id),
        }
    )


def _line(request: TextToAudioRequest | VideoToAudioRequest, _can: Capability | None) -> Line:
    return Line(request.kind)


PRODUCT = Product(
    kind="text_to_audio",
    label="Text to audio",
    request=TextToAudioRequest,
    routes={ApiFamily.LEGACY: Route("/v1/audio/text-to-audio", _text_body)},
    rules=(video.prompt_length, ranged("duration", 3, 10)),
    line=_line,
)
VIDEO_PRODUCT = Product(
    kind="video_to_audio",
    label="Video to audio",
    request=VideoToAudioRequest,
    routes={ApiFamily.LEGACY: Route("/v1/audio/video-to-audio", _video_body)},
    rules=(exactly_one("video", "video_id"), longest("effects", LONGEST_WORDS), longest("music", LONGEST_WORDS)),
    line=_line,
)
