"""Voices and elements of your own, for other requests (kling-api sections 7.3 and 7.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products.base import (
    GenerationRequest,
    Picture,
    Product,
    Route,
    Text,
    Video,
    common_options,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import exactly_one, longest, too_many

LONGEST_NAME = 20
LONGEST_DESCRIPTION = 100
MAX_REFERENCES = 3

TAGS = {
    "hottest": "o_101",
    "character": "o_102",
    "animal": "o_103",
    "item": "o_104",
    "costume": "o_105",
    "scene": "o_106",
    "effect": "o_107",
    "others": "o_108",
}
"""What an element is, and Kling's id of that."""


class CustomVoiceRequest(GenerationRequest):
    """A voice of your own, from a sample of 5 to 30 seconds in which one person speaks.

    :param name: at most 20 characters.
    :param sample: http(s) URL of the sample (MP3, WAV, MP4, MOV); or
    :param video_id: Kling's id of a video with sound that it made.
    """

    kind: Literal["custom_voice"] = "custom_voice"
    name: Text
    sample: Video | None = None
    video_id: str | None = None


class CustomElementRequest(GenerationRequest):
    """A character or a thing of your own, from pictures or from a video of a person.

    :param name: at most 20 characters.
    :param description: at most 100 characters.
    :param frontal_image: it from the front; with
    :param reference_images: one to three pictures of it from other sides; or
    :param video: a video of 3 to 8 seconds of a person; a voice in it becomes a voice of yours, too.
    :param voice_id: a voice that belongs to it.
    :param tags: what it is: ``hottest``, ``character``, ``animal``, ``item``, ``costume``, ``scene``, ``effect``,
        ``others``.
    """

    kind: Literal["custom_element"] = "custom_element"
    name: Text
    description: Text
    frontal_image: Picture | None = None
    reference_images: tuple[Picture, ...] = ()
    video: Video | None = None
    voice_id: str | None = None
    tags: tuple[str, ...] = ()


def _references(request: CustomElementRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.4."""
    count = len(request.reference_images)
    if request.frontal_image and not 1 <= count <= MAX_REFERENCES:
        yield too_many("reference_images", count, f"1 to {MAX_REFERENCES} with a frontal_image")
    if request.video and count:
        yield too_many("reference_images", count, "none with a video")


def _tags(request: CustomElementRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.4."""
    if unknown := [tag for tag in request.tags if tag not in TAGS]:
        yield Fault("tags", f"{quoted(', '.join(unknown))} are not known to Kling", ", ".join(TAGS))


def _voice_body(request: CustomVoiceRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return without_nones(
        {
            "voice_name": request.name,
            "voice_url": request.sample,
            "video_id": request.video_id,
            **common_options(request, external_task_id),
        }
    )


def _element_body(request: CustomElementRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    images = {
        "frontal_image": request.frontal_image,
        "refer_images": [{"image_url": one} for one in request.reference_images],
    }
    return without_nones(
        {
            "element_name": request.name,
            "element_description": request.description,
            "reference_type": "video_refer" if request.video else "image_refer",
            "element_image_list": None if request.video else images,
            "element_video_list": {"refer_videos": [{"video_url": request.video}]} if request.video else None,
            "element_voice_id": request.voice_id,
            "tag_list": [{"tag_id": TAGS.get(tag, tag)} for tag in request.tags] or None,
            **common_options(request, external_task_id),
        }
    )


def _voice_line(_request: CustomVoiceRequest, _can: Capability | None) -> Line:
    return Line("custom_voice")


def _element_line(_request: CustomElementRequest, _can: Capability | None) -> Line:
    """Elements cost nothing (kling-api section 9)."""
    return Line("custom_element")


PRODUCT = Product(
    kind="custom_voice",
    label="Custom voice",
    request=CustomVoiceRequest,
    routes={ApiFamily.LEGACY: Route("/v1/general/custom-voices", _voice_body)},
    rules=(longest("name", LONGEST_NAME), exactly_one("sample", "video_id")),
    line=_voice_line,
)
ELEMENT_PRODUCT = Product(
    kind="custom_element",
    label="Custom element",
    request=CustomElementRequest,
    routes={ApiFamily.LEGACY: Route("/v1/general/advanced-custom-elements", _element_body)},
    rules=(
        longest("name", LONGEST_NAME),
        longest("description", LONGEST_DESCRIPTION),
        exactly_one("frontal_image", "video"),
        _references,
        _tags,
    ),
    line=_element_line,
)
