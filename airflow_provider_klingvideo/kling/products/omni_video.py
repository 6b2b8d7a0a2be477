"""A video from anything: text, frames, pictures, elements, another video (kling-api sections 6.2, 6.3 and 7.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability, in_words
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products import video
from airflow_provider_klingvideo.kling.products.base import (
    AspectRatio,
    Model,
    Part,
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
from airflow_provider_klingvideo.kling.products.limits import not_offered, too_many
from airflow_provider_klingvideo.kling.products.parts import (
    Element,
    Handles,
    Shot,
    element_list,
    handle_faults,
    shots_prompt,
    with_placeholders,
)

O1 = "kling-o1"
O1_SHORT_DURATIONS = (5, 10)
# kling-api section 6.3.
MAX_REFERENCES = 7
MAX_REFERENCES_BESIDE_CHARACTERS = 4
MAX_REFERENCES_BESIDE_A_VIDEO = 4
MAX_CHARACTERS = 3
MAX_ELEMENTS_BESIDE_FRAMES = 3


class ReferenceImage(Part):
    """A picture of something that is to be seen.

    :param url: the picture.
    :param id: a handle of your own; ``@id`` in the prompt means what it shows.
    """

    url: Picture
    id: str | None = None


class ReferenceVideo(Part):
    """A video to go by.

    :param url: the video, 3 to 15.5 seconds (kling-o1: 10).
    :param use: ``feature`` to take its style, camera or movement, ``base`` to change it.
    :param id: a handle of your own; ``@id`` in the prompt means the video.
    """

    url: Video
    use: Literal["feature", "base"] = "feature"
    id: str | None = None


class OmniElement(Element):
    """An element, and what it was made of.

    :param from_video: whether it was made of a video of a person; such elements have limits of their own.
    """

    from_video: bool = False


class OmniVideoRequest(WatermarkedRequest):
    """A video from anything: text, frames, pictures, elements, another video.

    :param model: ``kling-3.0-omni`` or ``kling-o1``.
    :param prompt: what the video shows; ``@id`` means what has this handle.
    :param shots: several shots, in the place of the prompt.
    :param first_frame: the picture that it begins with.
    :param last_frame: the picture that it ends with; needs a first one.
    :param reference_images: pictures of what is to be seen.
    :param elements: characters and things from the element library.
    :param reference_video: a video to go by, or to change.
    :param resolution: ``720p``, ``1080p`` or ``4k``.
    :param aspect_ratio: ``16:9``, ``9:16`` or ``1:1``; needed when neither a frame nor a video decides it.
    :param duration: seconds; a changed video keeps its own.
    :param audio: ``native`` for sound, ``original`` for that of the video, ``off`` for none; ``default``: none.
    :param multi_shot: several shots, as Kling sees fit; None: Kling's default.
    """

    kind: Literal["omni_video"] = "omni_video"
    model: Model = "kling-3.0-omni"
    prompt: str = ""
    shots: tuple[Shot, ...] = ()
    first_frame: Picture | None = None
    last_frame: Picture | None = None
    reference_images: tuple[ReferenceImage, ...] = ()
    elements: tuple[OmniElement, ...] = ()
    reference_video: ReferenceVideo | None = None
    resolution: Resolution = "720p"
    aspect_ratio: AspectRatio | None = None
    duration: int = 5
    audio: Literal["default", "native", "original", "off"] = "default"
    multi_shot: bool | None = None

    @property
    def handles(self) -> Handles:
        """By which the prompt speaks of pictures, elements and the video."""
        return {
            "image": [one.id for one in self.reference_images],
            "element": [one.id for one in self.elements],
            "video": [self.reference_video.id] if self.reference_video else [],
        }

    @property
    def has_frames(self) -> bool:
        """Whether a first frame is given."""
        return self.first_frame is not None

    @property
    def video_use(self) -> str | None:
        """What the reference video is for, None without one."""
        return self.reference_video.use if self.reference_video else None


def _aspect_ratio(request: OmniVideoRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.3 and 7.2."""
    deciding = ("base",) if _is_legacy(can) else ("base", "feature")
    if request.aspect_ratio is None and not request.has_frames and request.video_use not in deciding:
        decides = f"a first_frame or a reference_video with use {' or '.join(deciding)}"
        yield Fault("aspect_ratio", "is missing", f"{', '.join(can.aspect_ratios or ())}; not needed with {decides}")


def _something(request: OmniVideoRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 6.2: contents cannot be empty."""
    given = (request.prompt.strip(), request.shots, request.first_frame, request.reference_images, request.elements)
    if not any(given) and not request.reference_video:
        yield Fault("prompt", "is missing", "a text, or frames, shots, reference_images, elements or a reference_video")


def _last_frame(request: OmniVideoRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 6.3."""
    if request.last_frame and not request.has_frames:
        yield Fault("last_frame", "is given without a first_frame", "only with a first_frame")


def _audio(request: OmniVideoRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.3 and 7.2; kling-o1 may keep the sound of a video that it only goes by."""
    if request.audio == "native" and (request.video_use == "base" or (request.video_use and _is_legacy(can))):
        yield not_offered("audio", request.audio, f"original, off with a reference_video of use {request.video_use}")
    elif request.audio not in ("default", "off") and request.video_use == "feature" and _is_new_omni(can):
        yield not_offered("audio", request.audio, "off with a reference_video of use feature")


def _multi_shot(request: OmniVideoRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.3 and 7.2."""
    if (request.multi_shot or request.shots) and request.video_use == "base":
        yield Fault("multi_shot", "several shots are asked for of a reference_video with use base", "a single shot")
    if request.multi_shot is False and request.video_use == "feature" and _is_new_omni(can):
        yield Fault("multi_shot", "False is not offered with a reference_video of use feature", "true, or left out")
    if request.shots and request.video_use == "feature" and _is_legacy(can):
        yield Fault("shots", "are given with a reference_video of use feature", "multi_shot in the legacy API family")


def _is_legacy(can: Capability) -> bool:
    return can.family is ApiFamily.LEGACY


def _is_new_omni(can: Capability) -> bool:
    return can.family is ApiFamily.NEW and can.model != O1


def _base_video(request: OmniVideoRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 6.3."""
    if request.video_use == "base" and (request.first_frame or request.last_frame):
        frame = "first_frame" if request.first_frame else "last_frame"
        yield Fault(frame, "is given with a reference_video of use base", "one or the other")


def _counts(request: OmniVideoRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 6.3, 3.0 omni counts; the frames are pictures, too."""
    if not _is_new_omni(can):
        return
    characters = sum(one.from_video for one in request.elements)
    pictures = _pictures(request) + len(request.elements) - characters
    if request.has_frames and len(request.elements) > MAX_ELEMENTS_BESIDE_FRAMES:
        yield too_many("elements", len(request.elements), f"at most {MAX_ELEMENTS_BESIDE_FRAMES} with a first_frame")
    if request.reference_video and characters:
        if characters > 1 or pictures:
            legal = "beside a reference_video, an element made of a video alone"
            yield Fault("elements", "an element made of a video is given with others", legal)
    elif request.reference_video:
        yield from _too_many(pictures, MAX_REFERENCES_BESIDE_A_VIDEO, " with a reference_video")
    elif characters:
        if characters > MAX_CHARACTERS:
            yield too_many("elements", characters, f"at most {MAX_CHARACTERS} made of videos")
        yield from _too_many(pictures, MAX_REFERENCES_BESIDE_CHARACTERS, " beside elements made of videos")
    else:
        yield from _too_many(pictures, MAX_REFERENCES, "")


def _sum(request: OmniVideoRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.3, O1, and 7.2."""
    if _is_new_omni(can):
        return
    references = _pictures(request) + len(request.elements)
    if request.reference_video:
        yield from _too_many(references, MAX_REFERENCES_BESIDE_A_VIDEO, " with a reference_video")
        if any(one.from_video for one in request.elements):
            yield Fault("elements", "one is made of a video", "none made of a video beside a reference_video")
    else:
        yield from _too_many(references, MAX_REFERENCES, "")


def _pictures(request: OmniVideoRequest) -> int:
    return len(request.reference_images) + bool(request.first_frame) + bool(request.last_frame)


def _too_many(references: int, limit: int, where: str) -> Iterator[Fault]:
    if references > limit:
        yield too_many("reference_images", references, f"at most {limit}{where}, with frames and elements")


def _o1(request: OmniVideoRequest, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 6.3, O1."""
    if can.model != O1:
        return
    references = request.reference_images or request.elements or request.reference_video
    if any(one.from_video for one in request.elements):
        yield Fault("elements", "one is made of a video", f"none made of a video with {O1}")
    if request.last_frame and (request.reference_images or request.elements):
        yield Fault("last_frame", "is given with reference_images or elements", "one or the other")
    if request.video_use == "feature" and request.last_frame:
        yield Fault("last_frame", "is given with a reference_video of use feature", "one or the other")
    if not references and not request.last_frame and request.duration not in O1_SHORT_DURATIONS:
        yield not_offered("duration", request.duration, f"{in_words(O1_SHORT_DURATIONS)} without references")


def _handles(request: OmniVideoRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 6.3."""
    yield from handle_faults(request.handles)


def _new_body(request: OmniVideoRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    text = shots_prompt(request.shots) or request.prompt
    contents: list[dict[str, Any]] = [{"type": "prompt", "text": text}] if text.strip() else []
    frames = {"first_frame": request.first_frame, "last_frame": request.last_frame}
    contents += [{"type": name, "url": url} for name, url in frames.items() if url]
    contents += [{"type": "refer_image", **_given(one)} for one in request.reference_images]
    contents += [{"type": "element", "element_id": one.element_id, "id": one.id} for one in request.elements]
    if request.reference_video:
        contents.append({"type": f"{request.video_use}_video", **_given(request.reference_video)})
    settings = {
        "resolution": request.resolution,
        "duration": request.duration,
        "aspect_ratio": request.aspect_ratio,
        "audio": None if request.audio == "default" else request.audio,
        "multi_shot": _multi_shot_setting(request, can),
    }
    return {
        "contents": contents,
        "settings": without_nones(settings),
        "options": common_options(request, external_task_id),
    }


def _multi_shot_setting(request: OmniVideoRequest, can: Capability | None) -> bool | None:
    """A video to go by needs several shots, one that is changed cannot have them (kling-api section 6.3)."""
    if can is not None and not can.multi_shot:
        return None
    if request.video_use == "base":
        return False
    if request.shots or (request.video_use == "feature" and request.multi_shot is None):
        return True
    return request.multi_shot


def _given(part: ReferenceImage | ReferenceVideo) -> dict[str, Any]:
    return without_nones({"url": part.url, "id": part.id})


def _legacy_body(request: OmniVideoRequest, can: Capability | None, external_task_id: str) -> dict[str, Any]:
    frames = {"first_frame": request.first_frame, "end_frame": request.last_frame}
    # The pictures without a type come first, so that the numbers in the prompt are theirs.
    images = [{"image_url": one.url} for one in request.reference_images]
    images += [{"image_url": url, "type": kind} for kind, url in frames.items() if url]
    videos = [request.reference_video] if request.reference_video else []
    return without_nones(
        {
            "model_name": vendor_name(request, can),
            "mode": video.mode_of(request),
            "prompt": (None if request.shots else with_placeholders(request.prompt, request.handles)) or None,
            **video.legacy_shots(request, request.handles),
            "image_list": images or None,
            "element_list": element_list(request.elements) or None,
            "video_list": [_legacy_video(one, request.audio) for one in videos] or None,
            "sound": "on" if request.audio == "native" else "off",
            "aspect_ratio": request.aspect_ratio,
            "duration": str(request.duration),
            **common_options(request, external_task_id),
        }
    )


def _legacy_video(one: ReferenceVideo, audio: str) -> dict[str, Any]:
    return {
        "video_url": one.url,
        "refer_type": one.use,
        "keep_original_sound": "yes" if audio == "original" else "no",
    }


def _line(request: OmniVideoRequest, _can: Capability | None) -> Line | None:
    """A video that is changed is billed by its own length, which only Kling sees."""
    if request.video_use == "base":
        return None
    feature = "video" if request.reference_video else "native" if request.audio == "native" else "off"
    return Line(request.model, feature, request.resolution, request.duration)


PRODUCT = Product(
    kind="omni_video",
    label="Omni video",
    request=OmniVideoRequest,
    routes={
        ApiFamily.NEW: Route("/omni-video", _new_body, is_model_in_path=True),
        ApiFamily.LEGACY: Route("/v1/videos/omni-video", _legacy_body),
    },
    rules=(
        video.resolution,
        video.duration,
        video.aspect_ratio,
        video.audio,
        video.prompt_length,
        video.multi_shot,
        video.shots,
        _something,
        _aspect_ratio,
        _last_frame,
        _audio,
        _multi_shot,
        _base_video,
        _counts,
        _sum,
        _o1,
        _handles,
    ),
    line=_line,
)
