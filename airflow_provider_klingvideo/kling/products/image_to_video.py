"""A video that starts with a picture; its shape decides the video's (kling-api sections 6.2, 6.3 and 7.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products import video
from airflow_provider_klingvideo.kling.products.base import Picture, Product, Route, common_options, without_nones
from airflow_provider_klingvideo.kling.products.limits import not_offered, too_many
from airflow_provider_klingvideo.kling.products.parts import Element, Handles, Voice, element_list, handle_faults
from airflow_provider_klingvideo.kling.products.video import VideoRequest


class ImageToVideoRequest(VideoRequest):
    """A video that starts with a picture. Parameters as for :class:`VideoRequest`, and

    :param first_frame: http(s) URL, or raw base64 of a JPG or PNG.
    :param last_frame: the picture that it ends with.
    :param elements: characters and things from the element library.
    :param voices: voices from the voice library; they need ``audio`` ``native``.
    """  # noqa: D400, D415

    kind: Literal["image_to_video"] = "image_to_video"
    first_frame: Picture
    last_frame: Picture | None = None
    elements: tuple[Element, ...] = ()
    voices: tuple[Voice, ...] = ()

    @property
    def handles(self) -> Handles:
        """By which the prompt speaks of elements and voices."""
        return {"element": [one.id for one in self.elements], "voice": [one.id for one in self.voices]}


def _last_frame(request: ImageToVideoRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.2, 6.3 and 11."""
    if request.last_frame is None:
        return
    if not can.last_frame:
        yield Fault("last_frame", f"is not known to {can.model}", "none")
    if can.last_frame_resolution and request.resolution != can.last_frame_resolution:
        yield not_offered("resolution", request.resolution, f"{can.last_frame_resolution} with a last_frame")
    if can.last_frame_silent and request.audio == "native":
        yield not_offered("audio", request.audio, "off with a last_frame")


def _library(request: ImageToVideoRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.2, 6.3, 7.2 and 11."""
    for name, count, limit in (
        ("elements", len(request.elements), can.elements),
        ("voices", len(request.voices), can.voices),
    ):
        if count > limit:
            yield too_many(
                name, count, f"at most {limit}" if limit else f"none with {can.model} in the {can.family} API family"
            )
    if request.voices and request.audio != "native":
        yield not_offered("audio", request.audio, "native with voices")
    yield from handle_faults(request.handles)


def _new_body(request: ImageToVideoRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    prompt = video.new_prompt(request)
    contents = [{"type": "prompt", "text": prompt}] if prompt.strip() else []
    contents.append({"type": "first_frame", "url": request.first_frame})
    if request.last_frame:
        contents.append({"type": "last_frame", "url": request.last_frame})
    contents += [{"type": "element", **one.model_dump()} for one in request.elements]
    contents += [{"type": "voice", **one.model_dump()} for one in request.voices]
    return {
        "contents": contents,
        "settings": video.new_settings(request, can),
        "options": common_options(request, external_task_id),
    }


def _legacy_body(request: ImageToVideoRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return without_nones(
        {
            **video.legacy_settings(request, can, request.handles),
            "image": request.first_frame,
            "image_tail": request.last_frame,
            "element_list": element_list(request.elements) or None,
            "voice_list": [{"voice_id": one.voice_id} for one in request.voices] or None,
            **common_options(request, external_task_id),
        }
    )


def _line(request: ImageToVideoRequest, can: Capability | None) -> Line:
    feature = "native+voice" if request.voices else video.sound_of(request, can)
    return Line(request.model, feature, request.resolution, request.duration)


PRODUCT = Product(
    kind="image_to_video",
    label="Image to video",
    request=ImageToVideoRequest,
    routes={
        ApiFamily.NEW: Route("/image-to-video", _new_body, is_model_in_path=True),
        ApiFamily.LEGACY: Route("/v1/videos/image2video", _legacy_body),
    },
    rules=(*video.RULES, _last_frame, _library),
    line=_line,
)
