"""What videos made from a prompt have in common: the fields, the rules, the price by the second."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability, in_words
from airflow_provider_klingvideo.kling.products.base import Model, Resolution, WatermarkedRequest, vendor_name
from airflow_provider_klingvideo.kling.products.limits import not_offered, too_long
from airflow_provider_klingvideo.kling.products.parts import (
    Handles,
    Shot,
    multi_prompt,
    shots_faults,
    shots_prompt,
    with_placeholders,
)

NO_NEGATIVE = "words of the prompt, or api set to legacy"
DEFAULT_MODEL = "kling-3.0-turbo"
MODES = {"720p": "std", "1080p": "pro", "4k": "4k"}
"""The legacy family's name of a resolution (kling-api section 6.1)."""


class VideoRequest(WatermarkedRequest):
    """What requests for a video from a prompt share.

    :param prompt: what the video shows.
    :param model: the model, by the name of either family.
    :param negative_prompt: what it must not show; legacy family only.
    :param resolution: ``720p``, ``1080p`` or ``4k``.
    :param duration: seconds.
    :param audio: ``native`` for sound, ``off`` for none, ``default``: none where the model leaves the choice.
    :param shots: several shots, in the place of the prompt.
    :param multi_shot: several shots, as Kling sees fit or as a multi-shot prompt says; None: Kling's default.
    :param cfg_scale: how closely to follow the prompt, 0 to 1; legacy family only.
    """

    model: Model = DEFAULT_MODEL
    prompt: str = ""
    negative_prompt: str | None = None
    resolution: Resolution = "720p"
    duration: int = 5
    audio: Literal["default", "native", "off"] = "default"
    shots: tuple[Shot, ...] = ()
    multi_shot: bool | None = None
    cfg_scale: float | None = Field(default=None, ge=0, le=1)


def resolution(request: Any, can: Capability) -> Iterator[Fault]:
    """Sources: the resolutions and modes of kling-api sections 6.2, 7.2 and 11."""
    if request.resolution not in can.resolutions:
        yield not_offered("resolution", request.resolution, ", ".join(can.resolutions))


def duration(request: Any, can: Capability) -> Iterator[Fault]:
    """Sources: the durations of kling-api sections 6.2, 7.2 and 11."""
    if request.duration not in can.durations:
        yield not_offered("duration", request.duration, f"{in_words(can.durations)} seconds")


def aspect_ratio(request: Any, can: Capability) -> Iterator[Fault]:
    """Sources: the aspect ratios of kling-api sections 6.2, 7.2 and 7.5."""
    if can.aspect_ratios and request.aspect_ratio is not None and request.aspect_ratio not in can.aspect_ratios:
        yield not_offered("aspect_ratio", request.aspect_ratio, ", ".join(can.aspect_ratios))


def audio(request: Any, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 11."""
    if request.audio not in ("default", *can.audio):
        yield not_offered("audio", request.audio, ", ".join(can.audio))


def audio_resolution(request: Any, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 6.3, native audio of 2.6."""
    needed = can.native_audio_resolution
    if request.audio == "native" and needed and request.resolution != needed:
        yield not_offered("resolution", request.resolution, f"{needed} with audio native")


def prompt_length(request: Any, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 13."""
    if len(request.prompt) > can.prompt_max:
        yield too_long("prompt", request.prompt, can.prompt_max)


def negative_prompt(request: Any, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.1 and 7.2."""
    if request.negative_prompt and not can.negative_prompt:
        yield Fault("negative_prompt", "is not known to this model in the new API family", NO_NEGATIVE)
    if len(request.negative_prompt or "") > can.prompt_max:
        yield too_long("negative_prompt", request.negative_prompt or "", can.prompt_max)


def cfg_scale(request: Any, can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.2."""
    if request.cfg_scale is not None and not can.cfg_scale:
        yield Fault(
            "cfg_scale",
            f"is not known to {can.model} in the {can.family} API family",
            "with kling-3.0 and api set to legacy",
        )


def multi_shot(request: Any, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.2 and 7.2."""
    if request.multi_shot and not can.multi_shot:
        yield Fault("multi_shot", f"is not known to {can.model}", "left out")
    if request.multi_shot and can.family is ApiFamily.LEGACY and not (request.prompt.strip() or request.shots):
        yield Fault("prompt", "is missing", "a text, which multi_shot needs in the legacy API family")


def shots(request: Any, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.3, 7.2 and 11."""
    if request.shots and not can.shots:
        yield Fault("shots", f"are not known to {can.model}", "none")
    if request.shots and request.multi_shot is False:
        yield Fault("multi_shot", "False contradicts the shots", "left out")
    if request.shots and request.prompt.strip():
        yield Fault("prompt", "is given with shots, which have prompts of their own", "one of the two")
    if request.shots and can.family is not ApiFamily.LEGACY and len(shots_prompt(request.shots)) > can.prompt_max:
        yield Fault("shots", "have prompts that are too long", f"at most {can.prompt_max} characters together")
    yield from shots_faults(request.shots, request.duration)


def prompt_or_shots(request: Any, can: Capability) -> Iterator[Fault]:
    """Source: kling-api sections 6.2 and 7.2."""
    if not request.shots and not request.prompt.strip():
        yield Fault("prompt", "is missing", f"a text of at most {can.prompt_max} characters, or shots")


RULES = (
    resolution,
    duration,
    audio,
    audio_resolution,
    prompt_length,
    negative_prompt,
    cfg_scale,
    multi_shot,
    shots,
)


def sound_of(request: Any, can: Capability | None) -> str:
    """Return the sound that a request gets: what it asks for, or what the model does by itself."""
    default = can.audio[0] if can else "off"
    return str(default if request.audio == "default" else request.audio)


def mode_of(request: Any) -> str:
    """Return the legacy family's name of a request's resolution; an unknown one is sent as it is."""
    return MODES.get(request.resolution, str(request.resolution))


def has_audio_field(can: Capability | None) -> bool:
    """Whether the model leaves a choice of sound, so that there is a field for it."""
    return can is None or len(can.audio) > 1


def new_settings(request: VideoRequest, can: Capability | None) -> dict[str, Any]:
    """Return the ``settings`` that all paths of the new family know."""
    settings: dict[str, Any] = {"resolution": request.resolution, "duration": request.duration}
    if request.audio != "default" and has_audio_field(can):
        settings["audio"] = request.audio
    several = True if request.shots else request.multi_shot
    if several is not None and (can is None or can.multi_shot):
        settings["multi_shot"] = several
    return settings


def new_prompt(request: VideoRequest) -> str:
    """Return the prompt as the new family reads it, shots included."""
    return shots_prompt(request.shots) or request.prompt


def legacy_settings(request: VideoRequest, can: Capability | None, handles: Handles | None = None) -> dict[str, Any]:
    """Return the fields that all legacy video paths know, None where nothing was given.

    :param handles: by which the prompt speaks of elements and voices.
    """
    return {
        "model_name": vendor_name(request, can),
        "mode": mode_of(request),
        "duration": str(request.duration),
        "prompt": with_placeholders(request.prompt, handles or {}) or None,
        "negative_prompt": request.negative_prompt,
        "cfg_scale": request.cfg_scale,
        "sound": {"native": "on", "off": "off"}.get(request.audio) if has_audio_field(can) else None,
        **legacy_shots(request, handles or {}),
    }


def legacy_shots(request: Any, handles: Handles) -> dict[str, Any]:
    """Return how the legacy family is asked for several shots."""
    if request.shots:
        shots = [one.model_copy(update={"prompt": with_placeholders(one.prompt, handles)}) for one in request.shots]
        return {"multi_shot": True, "shot_type": "customize", "multi_prompt": multi_prompt(shots)}
    return {"multi_shot": True, "shot_type": "intelligence"} if request.multi_shot else {}
