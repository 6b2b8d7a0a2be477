"""Requests that would be right, but for odd values, for everything that makes no clip."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_klingvideo.sandbox import SandboxServer

IMAGE, VIDEO = "https://images.invalid/a.png", "https://videos.invalid/a.mp4"
ELEMENT = {"element_id": 829836802793406551}
SERIES = {"result_type": "series", "series_amount": "auto", "image_list": [{"image": IMAGE}], "element_list": [ELEMENT]}
EXPANSION = dict.fromkeys([f"{side}_expansion_ratio" for side in ("up", "down", "left", "right")], 0.1)
ELEMENTS = {"element_name": "hero", "element_description": "a fox", "tag_list": [{"tag_id": "o_101"}]}
PICTURES = {"frontal_image": IMAGE, "refer_images": [{"image_url": IMAGE}]}
WINDOW = {"start_time": 1, "end_time": 2, "limit": 3, "filters": [{"key": "api_key_name", "values": ["SANDBOX"]}]}
COMMON = {"callback_url": "", "external_task_id": "", "watermark_info": {"enabled": True}}

REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/images/generations", {"prompt": "a", "image": IMAGE, "n": 1, "aspect_ratio": "1:1", "resolution": "2k"}),
    (
        "/v1/images/generations",
        {
            "prompt": "a",
            "model_name": "kling-v2-1",
            "image": IMAGE,
            "image_reference": "subject",
            "image_fidelity": 1,
            "human_fidelity": 1,
        },
    ),
    ("/v1/images/omni-image", {"prompt": "a", "model_name": "kling-v3-omni", "aspect_ratio": "auto", **SERIES}),
    ("/v1/images/multi-image2image", {"subject_image_list": [{"subject_image": IMAGE}], "scene_image": IMAGE}),
    ("/v1/images/editing/expand", {"image": IMAGE, **EXPANSION}),
    ("/v1/general/ai-multi-shot", {"element_frontal_image": IMAGE}),
    ("/v1/images/kolors-virtual-try-on", {"human_image": IMAGE, "cloth_image": IMAGE}),
    ("/v1/videos/image-recognize", {"image": "AAAA"}),
    ("/v1/audio/text-to-audio", {"prompt": "rain", "duration": 3}),
    ("/v1/audio/video-to-audio", {"video_url": VIDEO, "bgm_prompt": "flutes", "asmr_mode": True}),
    ("/v1/audio/tts", {"text": "Hi", "voice_id": "oversea_male1", "voice_language": "en", "voice_speed": 1}),
    ("/v1/general/custom-voices", {"voice_name": "me", "voice_url": VIDEO}),
    ("/v1/general/delete-voices", {"voice_id": "1-1"}),
    (
        "/v1/general/advanced-custom-elements",
        {**ELEMENTS, "reference_type": "image_refer", "element_image_list": PICTURES, "element_voice_id": ""},
    ),
    (
        "/v1/general/advanced-custom-elements",
        {
            **ELEMENTS,
            "reference_type": "video_refer",
            "element_video_list": {"refer_videos": [{"video_url": VIDEO}]},
        },
    ),
    ("/v1/general/delete-advanced-elements", {"element_id": 1}),
    ("/account/billing/package", {**WINDOW, "cursor": ""}),
    ("/account/billing/balance", {**WINDOW, "cursor": ""}),
]

_odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.sampled_from(["auto", "0", "1-1", "http://", "https://[", "bnVsbA==", "W251bGwsIDEsIDJd", "1" * 400]),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3), st.dictionaries(st.text(max_size=3), st.none()))),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@st.composite
def _almost_right(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A request in which one value, at whatever depth, is odd."""
    path, body = draw(st.sampled_from(REQUESTS))
    return path, _with_odd_value(draw, {**COMMON, **body})


def _with_odd_value(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value:
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: _with_odd_value(draw, value[name])}
    if isinstance(value, list) and draw(st.booleans()):
        return [_with_odd_value(draw, item) for item in value]
    return draw(_odd)


@settings(max_examples=300, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=_almost_right())
def test_no_odd_value_makes_the_sandbox_stumble(
    client: httpx.Client, sandbox: SandboxServer, request: tuple[str, dict[str, Any]]
) -> None:
    path, body = request
    response = client.post(path, json=body)
    assert response.status_code in {200, 400, 429}, response.text
    assert client.get("/sandbox/ledger").status_code == 200


@pytest.mark.parametrize("path", ["/tasks", "/solutions", "/account/billing/package", "/account/billing/balance"])
@pytest.mark.parametrize("content", ['[1e400, 2, "x"]', '[{"start_time": 1, "end_time": 2}, 1e400, "x"]', "[" * 5_000])
def test_no_cursor_makes_the_sandbox_stumble(client: httpx.Client, path: str, content: str) -> None:
    response = client.post(path, json={"cursor": base64.urlsafe_b64encode(content.encode()).decode()})
    assert (response.status_code, response.json()["message"]) == (400, "cursor is invalid")
