"""What is legal per model: each rule a small function with its source, all of them checked before money is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from airflow_provider_klingvideo.kling.capabilities import Capability, Generation, registry
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.requests import GenerationRequest, ImageToVideoRequest

Rule = Callable[[GenerationRequest, Capability], Iterator[str]]


def check_request(
    request: GenerationRequest,
    generation: Generation,
    *,
    unknown_models: Literal["warn", "refuse"] = "warn",
) -> list[str]:
    """Check a request against the capability registry.

    :param request: the request.
    :param generation: the API generation that it will be sent to.
    :param unknown_models: what to do with a model that the registry does not know.
    :returns: warnings.
    :raises InvalidRequestError: naming every rule that is broken, the value, and what would be legal.
    """
    capability = registry().find(request.kind, request.model, generation)
    if capability is None:
        return _unknown(request, generation, unknown_models)
    if capability.is_retired:
        raise InvalidRequestError(
            f"The vendor retired {request.model} on {capability.retired_on}", advice=f"Use {capability.successor}"
        )
    faults = [fault for rule in _RULES for fault in rule(request, capability)]
    if faults:
        raise InvalidRequestError(f"{request.model} cannot do this: {'; '.join(faults)}")
    return []


def _unknown(request: GenerationRequest, generation: Generation, policy: str) -> list[str]:
    known = registry()
    elsewhere = known.generations(request.kind, request.model)
    if elsewhere:
        raise InvalidRequestError(
            f"{request.model} is not offered by the {generation} API generation, only by {', '.join(elsewhere)}",
            advice="Use an API key for the new generation, or another model: "
            + ", ".join(name for name in known.model_names(request.kind) if known.find(request.kind, name, generation)),
        )
    warning = (
        f"The capability registry of {known.as_of} does not know {request.model} for {request.kind}; "
        f"known are {', '.join(known.model_names(request.kind))}"
    )
    if policy == "refuse":
        raise InvalidRequestError(
            warning, advice="Correct the name, or allow unknown models ([klingvideo] unknown_models)"
        )
    return [f"{warning}. It is sent as it is."]


def _resolution(request: GenerationRequest, can: Capability) -> Iterator[str]:
    if request.resolution not in can.resolutions:
        yield f"resolution is {request.resolution}, legal: {', '.join(can.resolutions)}"


def _duration(request: GenerationRequest, can: Capability) -> Iterator[str]:
    if request.duration not in can.durations:
        yield f"duration is {request.duration} s, legal: {_numbers(can.durations)}"


def _aspect_ratio(request: GenerationRequest, can: Capability) -> Iterator[str]:
    ratio = getattr(request, "aspect_ratio", None)
    if can.aspect_ratios and ratio not in can.aspect_ratios:
        yield f"aspect_ratio is {ratio}, legal: {', '.join(can.aspect_ratios)}"


def _audio(request: GenerationRequest, can: Capability) -> Iterator[str]:
    if request.audio not in ("default", *can.audio):
        yield f"audio is {request.audio}, legal: {', '.join(can.audio)}"


def _audio_resolution(request: GenerationRequest, can: Capability) -> Iterator[str]:
    needed = can.native_audio_resolution
    if request.audio == "native" and needed and request.resolution != needed:
        yield f"audio native needs resolution {needed}, it is {request.resolution}"


def _last_frame(request: GenerationRequest, can: Capability) -> Iterator[str]:
    if not isinstance(request, ImageToVideoRequest) or request.last_frame is None:
        return
    if not can.last_frame:
        yield "last_frame cannot be given"
    if can.last_frame_resolution and request.resolution != can.last_frame_resolution:
        yield f"last_frame needs resolution {can.last_frame_resolution}, it is {request.resolution}"
    if can.last_frame_silent and request.audio == "native":
        yield "last_frame excludes audio native"


def _prompt_length(request: GenerationRequest, can: Capability) -> Iterator[str]:
    if len(request.prompt) > can.prompt_max:
        yield f"prompt has {len(request.prompt)} characters, at most {can.prompt_max}"


def _negative_prompt(request: GenerationRequest, can: Capability) -> Iterator[str]:
    if request.negative_prompt and not can.negative_prompt:
        yield "negative_prompt is not known to the new API generation; write it into the prompt, or set api to legacy"
    if len(request.negative_prompt or "") > can.prompt_max:
        yield f"negative_prompt has {len(request.negative_prompt or '')} characters, at most {can.prompt_max}"


def _cfg_scale(request: GenerationRequest, can: Capability) -> Iterator[str]:
    if request.cfg_scale is not None and not can.cfg_scale:
        yield "cfg_scale is not known to it; legal for kling-3.0 with api set to legacy"


def _multi_shot(request: GenerationRequest, can: Capability) -> Iterator[str]:
    if request.multi_shot and not can.multi_shot:
        yield "multi_shot cannot be set"
    if request.multi_shot and can.generation is Generation.LEGACY and not request.prompt.strip():
        yield "multi_shot needs a prompt in the legacy API generation"


# Sources: kling-api sections 6.2, 6.3 and 7.2; the figures per model are in the registry, each with its own.
_RULES: tuple[Rule, ...] = (
    _resolution,
    _duration,
    _aspect_ratio,
    _audio,
    _audio_resolution,
    _last_frame,
    _prompt_length,
    _negative_prompt,
    _cfg_scale,
    _multi_shot,
)


def _numbers(values: tuple[int, ...]) -> str:
    contiguous = len(values) > 2 and values[-1] - values[0] == len(values) - 1
    return f"{values[0]} to {values[-1]}" if contiguous else " or ".join(map(str, values))
