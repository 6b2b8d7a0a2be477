"""What is in a picture, at once (kling-api section 7.5). It costs money."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_klingvideo.kling.services.speech import RESULT_LIFETIME
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.reading import list_of, mapping_of, text_of


@dataclass(frozen=True)
class Segment:
    """A part of a picture.

    :param type: ``object_seg``, ``head_seg``, ``face_seg`` or ``cloth_seg``.
    :param is_contained: whether the picture has it.
    :param url: a picture of it alone, signed; empty when there is none.
    """

    type: str
    is_contained: bool
    url: str = field(repr=False)


def recognize_image(image: str) -> Operation[tuple[Segment, ...]]:
    """Cut a picture into what it shows. It costs money.

    :param image: http(s) URL, or raw base64 of a JPG or PNG.
    """
    return Operation(
        "POST",
        "/v1/videos/image-recognize",
        _segments,
        json={"image": image},
        is_create=True,
        what="recognize_image",
        lifetime=RESULT_LIFETIME,
    )


def _segments(data: Any) -> tuple[Segment, ...]:
    images = list_of(mapping_of(mapping_of(data).get("task_result")).get("images"))
    return tuple(
        Segment(text_of(one.get("type")), one.get("is_contain") is True, text_of(one.get("url"))) for one in images
    )
