"""The client's rules and the sandbox's were written apart: what one accepts the other must accept, and refuse likewise.

What Kling ignores silently (a field that a path does not know) is refused by the client alone, so such fields are
left out here; every other random request goes over HTTP.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kling_servers import API_KEY

from airflow_provider_klingvideo.kling import (
    ApiFamily,
    ApiKeyAuth,
    GenerationRequest,
    InvalidRequestError,
    KlingClient,
    check_request,
    parse_request,
    quote,
    registry,
)
from airflow_provider_klingvideo.kling.catalogue.capabilities import Capability
from airflow_provider_klingvideo.sandbox import SandboxServer

numbers = itertools.count()

FROM_PROMPTS = [one for one in registry().capabilities if one.kind in ("text_to_video", "image_to_video")]
CURRENT_FROM_PROMPTS = [one for one in FROM_PROMPTS if not one.is_retired]

FRAME = st.sampled_from(["http://127.0.0.1:9/a.png", "iVBORw0KGgo=", "data:image/png;base64,iVBORw0KGgo="])
EDGE_LENGTHS = (1, 2499, 2500, 2501, 3071, 3072, 3073)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip) | st.sampled_from(
    EDGE_LENGTHS
).map(lambda length: "ü" * length)


@st.composite
def fields_for(draw: st.DrawFn, can: Capability) -> dict[str, Any]:
    """Legal values and illegal ones, of those fields that the model's path knows."""
    fields: dict[str, Any] = {
        "kind": can.kind,
        "model": draw(st.sampled_from([can.model, can.vendor_name])),
        "prompt": draw(WORDS),
        "resolution": draw(st.sampled_from(["720p", "1080p", "4k", "480p"])),
        "duration": draw(st.sampled_from([2, 3, 5, 10, 15, 16]) | st.integers(-1, 1000)),
        "watermark": draw(st.booleans()),
        "callback_url": draw(st.none() | st.just("http://127.0.0.1:9/callback")),
    }
    optional = {
        "aspect_ratio": (can.aspect_ratios is not None, st.sampled_from(["16:9", "9:16", "1:1", "4:3", ""])),
        "audio": (len(can.audio) > 1, st.sampled_from(["default", "native", "off"])),
        "multi_shot": (can.multi_shot, st.none() | st.booleans()),
        "negative_prompt": (can.negative_prompt, st.none() | WORDS),
        "cfg_scale": (can.cfg_scale, st.none() | st.floats(0, 1)),
        "first_frame": (can.kind == "image_to_video", FRAME),
        "last_frame": (can.kind == "image_to_video", st.none() | FRAME),
    }
    fields |= {name: draw(values) for name, (is_known, values) in optional.items() if is_known}
    if can.kind == "image_to_video" and draw(st.booleans()):
        fields["prompt"] = draw(st.sampled_from(["", " "]))
    return fields


ANY_MODEL = st.sampled_from(FROM_PROMPTS)


@st.composite
def nearly_legal_fields_for(draw: st.DrawFn, can: Capability) -> dict[str, Any]:
    """A legal request, all but one field of it: with every field at random hardly one is legal as a whole."""
    fields = draw(fields_for(can))
    legal = {
        "resolution": draw(st.sampled_from(can.resolutions)),
        "duration": draw(st.sampled_from(can.durations)),
        "prompt": draw(WORDS.filter(lambda words: len(words) <= can.prompt_max)),
        **({"aspect_ratio": draw(st.sampled_from(can.aspect_ratios))} if can.aspect_ratios else {}),
    }
    at_random = draw(st.sampled_from([*legal, None]))
    return fields | {name: value for name, value in legal.items() if name != at_random}


def is_accepted_by_the_client(request: GenerationRequest, family: ApiFamily) -> bool:
    try:
        check_request(request, family, unknown_models="refuse")
    except InvalidRequestError:
        return False
    return True


def is_accepted_by_the_sandbox(sandbox: SandboxServer, request: GenerationRequest, family: ApiFamily) -> bool:
    with KlingClient(ApiKeyAuth(API_KEY), base_url=sandbox.url) as client:
        try:
            client.create(request, external_task_id=f"agreement-{next(numbers)}", family=family)
        except InvalidRequestError:
            return False
    return True


def agree(sandbox: SandboxServer, fields: dict[str, Any], family: ApiFamily) -> bool:
    """Both accept, or both refuse; where they accept, the price that was estimated is the price of the order."""
    request = parse_request(fields)
    accepted = is_accepted_by_the_client(request, family)
    assert is_accepted_by_the_sandbox(sandbox, request, family) == accepted
    if accepted:
        price = quote(request, family)
        assert price.units is not None
        quoted = max(sandbox.ledger()["tasks"], key=lambda row: int(row["id"]))["quoted_units"]
        assert price.units == type(price.units)(quoted)
    return accepted


PROPERTY = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@given(ANY_MODEL.flatmap(lambda can: st.tuples(st.just(can.family), fields_for(can))))
@PROPERTY
def test_any_request_is_judged_alike(sandbox: SandboxServer, ordered: tuple[ApiFamily, dict[str, Any]]) -> None:
    family, fields = ordered
    agree(sandbox, fields, family)


CURRENT = st.sampled_from(CURRENT_FROM_PROMPTS)


@given(CURRENT.flatmap(lambda can: st.tuples(st.just(can.family), nearly_legal_fields_for(can))))
@PROPERTY
def test_a_nearly_legal_request_is_judged_alike(
    sandbox: SandboxServer, ordered: tuple[ApiFamily, dict[str, Any]]
) -> None:
    family, fields = ordered
    agree(sandbox, fields, family)


@given(
    family=st.sampled_from([ApiFamily.NEW, ApiFamily.LEGACY]),
    kind=st.sampled_from(["text_to_video", "image_to_video"]),
    can=ANY_MODEL,
)
@PROPERTY
def test_every_model_name_is_known_to_both_or_to_none(
    sandbox: SandboxServer, family: ApiFamily, kind: str, can: Capability
) -> None:
    fields = {"kind": kind, "model": can.model, "prompt": "a red fox", "first_frame": "http://127.0.0.1:9/a.png"}
    if kind == "text_to_video":
        del fields["first_frame"]
    offered = registry().find(kind, can.model, family)
    assert agree(sandbox, fields, family) == (offered is not None and not offered.is_retired)


@pytest.mark.parametrize(
    "can",
    CURRENT_FROM_PROMPTS,
    ids=lambda can: f"{can.kind}-{can.family}-{can.model}",
)
def test_every_extreme_that_a_model_offers_is_accepted_by_both(sandbox: SandboxServer, can: Capability) -> None:
    frames = {"first_frame": "http://127.0.0.1:9/a.png"} if can.kind == "image_to_video" else {}
    for resolution, duration in itertools.product(can.resolutions, (can.durations[0], can.durations[-1])):
        for ratio in can.aspect_ratios or (None,):
            shape = {"aspect_ratio": ratio} if ratio else {}
            fields = {"kind": can.kind, "model": can.model, "prompt": "p" * can.prompt_max, **frames, **shape}
            assert agree(sandbox, {**fields, "resolution": resolution, "duration": duration}, can.family)


def breaks(can: Capability) -> dict[str, dict[str, Any]]:
    """One illegal value for each rule of a model."""
    found: dict[str, dict[str, Any]] = {
        "resolution": {"resolution": "480p"},
        "too short": {"duration": can.durations[0] - 1},
        "too long": {"duration": can.durations[-1] + 1},
        "prompt too long": {"prompt": "p" * (can.prompt_max + 1)},
    }
    if can.aspect_ratios:
        found["aspect ratio"] = {"aspect_ratio": "21:9"}
    if can.negative_prompt:
        found["negative prompt too long"] = {"negative_prompt": "p" * (can.prompt_max + 1)}
    if can.native_audio_resolution:
        found["sound at another resolution"] = {"audio": "native", "resolution": "720p"}
    if can.last_frame_resolution:
        found["last frame at another resolution"] = {"last_frame": "http://127.0.0.1:9/b.png", "resolution": "720p"}
    if can.last_frame_silent:
        found["last frame with sound"] = {"last_frame": "http://127.0.0.1:9/b.png", "audio": "native"}
    if can.kind == "image_to_video" and not can.last_frame:
        found["last frame"] = {"last_frame": "http://127.0.0.1:9/b.png"}
    if can.kind == "image_to_video" and can.multi_shot and can.family is ApiFamily.LEGACY:
        found["several shots of nothing"] = {"multi_shot": True, "prompt": " "}
    return found


BREAKS = [(can, name) for can in CURRENT_FROM_PROMPTS for name in breaks(can)]


@pytest.mark.parametrize(
    ("can", "name"), BREAKS, ids=[f"{can.kind}-{can.family}-{can.model}-{name}" for can, name in BREAKS]
)
def test_each_rule_by_itself_is_broken_for_both(sandbox: SandboxServer, can: Capability, name: str) -> None:
    frames = {"first_frame": "http://127.0.0.1:9/a.png"} if can.kind == "image_to_video" else {}
    legal = {"kind": can.kind, "model": can.model, "prompt": "a red fox", "resolution": "1080p", **frames}
    assert agree(sandbox, legal, can.family)
    assert not agree(sandbox, {**legal, **breaks(can)[name]}, can.family)
