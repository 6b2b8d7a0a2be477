"""What a create request may hold, and Kling's words for what it may not."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_klingvideo.sandbox import SandboxServer

IMAGE = "https://images.invalid/a.png"
FIRST = {"type": "first_frame", "url": IMAGE}
LAST = {"type": "last_frame", "url": IMAGE}
ELEMENT = {"type": "element", "element_id": "829836802793406551", "id": "hero"}
VOICE = {"type": "voice", "voice_id": "sandbox-voice", "id": "speaker"}
T2V, I2V = "/text-to-video/", "/image-to-video/"
L_T2V, L_I2V = "/v1/videos/text2video", "/v1/videos/image2video"
TAIL = {"image": IMAGE, "image_tail": IMAGE}


def words(client: httpx.Client, path: str, body: dict[str, Any]) -> str:
    response = client.post(path, json=body)
    assert (response.status_code, response.json()["code"]) == (400, 1201), response.text
    return str(response.json()["message"])


def units(client: httpx.Client, sandbox: SandboxServer, path: str, body: dict[str, Any]) -> str:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return str(sandbox.ledger()["tasks"][0]["quoted_units"])


@pytest.mark.parametrize(
    ("model", "body", "price"),
    [
        ("kling-3.0-turbo", {}, "4"),
        ("kling-3.0-turbo", {"settings": {"resolution": "1080p", "duration": 15}}, "15"),
        ("kling-3.0", {}, "3"),
        ("kling-3.0", {"settings": {"audio": "native", "duration": "3"}}, "2.7"),
        ("kling-3.0", {"settings": {"resolution": "4k", "multi_shot": False}}, "15"),
        ("kling-2.6", {"settings": {"duration": 10}}, "3"),
        ("kling-2.6", {"settings": {"audio": "native", "resolution": "1080p"}}, "5"),
        ("kling-2.5-turbo", {"settings": {"resolution": "1080p", "aspect_ratio": "9:16"}}, "2.5"),
    ],
)
def test_text_to_video_costs_what_the_price_list_says(
    client: httpx.Client, sandbox: SandboxServer, model: str, body: dict[str, Any], price: str
) -> None:
    assert units(client, sandbox, T2V + model, {"prompt": "a fox", **body}) == price


@pytest.mark.parametrize(
    ("model", "contents", "chosen", "price"),
    [
        ("kling-3.0-turbo", [FIRST], {}, "4"),
        ("kling-3.0", [FIRST, LAST, ELEMENT], {"audio": "native"}, "4.5"),
        (
            "kling-2.6",
            [FIRST, VOICE, {"type": "prompt", "text": "hi"}],
            {"audio": "native", "resolution": "1080p"},
            "6",
        ),
        ("kling-2.6", [FIRST, LAST], {"resolution": "1080p"}, "2.5"),
        ("kling-2.5-turbo", [FIRST, LAST], {"resolution": "1080p"}, "2.5"),
    ],
)
def test_image_to_video_costs_what_the_price_list_says(
    client: httpx.Client, sandbox: SandboxServer, model: str, contents: list[Any], chosen: dict[str, Any], price: str
) -> None:
    assert units(client, sandbox, I2V + model, {"contents": contents, "settings": chosen}) == price


@pytest.mark.parametrize(
    ("path", "body", "price"),
    [
        (L_T2V, {"model_name": "kling-v3", "prompt": "a"}, "3"),
        (L_T2V, {"model_name": "kling-v3", "prompt": "a", "mode": "4k", "duration": "3", "sound": "on"}, "9"),
        (L_T2V, {"model_name": "kling-v2-6", "prompt": "a", "mode": "pro", "sound": "on"}, "5"),
        (L_T2V, {"model_name": "kling-v2-5-turbo", "prompt": "a", "cfg_scale": 9}, "1.5"),
        (L_I2V, {"model_name": "kling-v2-5-turbo", "mode": "pro", **TAIL}, "2.5"),
        (L_I2V, {"model_name": "kling-v3", "image": IMAGE, "element_list": [{"element_id": 829836802793406551}]}, "3"),
        (
            L_I2V,
            {
                "model_name": "kling-v2-6",
                "image": IMAGE,
                "mode": "pro",
                "sound": "on",
                "voice_list": [{"voice_id": "sandbox-voice"}],
            },
            "6",
        ),
        (
            L_T2V,
            {
                "model_name": "kling-v3",
                "multi_shot": True,
                "shot_type": "customize",
                "multi_prompt": [
                    {"index": 1, "prompt": "a", "duration": "2"},
                    {"index": 2, "prompt": "b", "duration": "3"},
                ],
            },
            "3",
        ),
        (L_T2V, {"model_name": "kling-v3", "multi_shot": True, "shot_type": "intelligence", "prompt": "a"}, "3"),
    ],
)
def test_legacy_costs_what_the_price_list_says(
    client: httpx.Client, sandbox: SandboxServer, path: str, body: dict[str, Any], price: str
) -> None:
    assert units(client, sandbox, path, body) == price


@pytest.mark.parametrize(
    ("model", "body", "said"),
    [
        ("kling-9", {"prompt": "a"}, "model is not supported"),
        ("kling-v3", {"prompt": "a"}, "model is not supported"),
        ("kling-3.0", {}, "prompt is required"),
        ("kling-3.0", {"prompt": "  "}, "prompt is required"),
        ("kling-3.0", {"prompt": None}, "prompt is required"),
        ("kling-3.0", {"prompt": 3}, "prompt value type is invalid, expected string"),
        ("kling-3.0", {"prompt": "x" * 3073}, "prompt exceeds the 3072-character limit."),
        ("kling-2.6", {"prompt": "x" * 2501}, "prompt exceeds the 2500-character limit."),
        ("kling-3.0", {"settings": []}, "settings value type is invalid, expected object"),
        ("kling-3.0", {"settings": {"resolution": "9000p"}}, "settings.resolution value '9000p' is invalid"),
        ("kling-2.6", {"settings": {"resolution": "4k"}}, "settings.resolution value '4k' is invalid"),
        ("kling-3.0", {"settings": {"aspect_ratio": "21:9"}}, "settings.aspect_ratio value '21:9' is invalid"),
        ("kling-3.0", {"settings": {"duration": 2}}, "settings.duration value '2' is invalid"),
        ("kling-3.0", {"settings": {"duration": "5s"}}, "settings.duration value '5s' is invalid"),
        ("kling-3.0", {"settings": {"duration": 10**30}}, f"settings.duration value '{10**30}' is invalid"),
        ("kling-2.6", {"settings": {"duration": 6}}, "settings.duration value '6' is invalid"),
        ("kling-3.0", {"settings": {"duration": True}}, "settings.duration value type is invalid, expected integer"),
        ("kling-3.0", {"settings": {"audio": "loud"}}, "settings.audio value 'loud' is invalid"),
        (
            "kling-3.0",
            {"settings": {"audio": "original"}},
            "audio mode 'original' is not supported by the current model",
        ),
        ("kling-2.6", {"settings": {"audio": "native"}}, "audio mode 'native' is not supported by the current model"),
        ("kling-3.0", {"settings": {"multi_shot": 1}}, "settings.multi_shot value type is invalid, expected boolean"),
        (
            "kling-3.0",
            {"prompt": "shot 1, 2, a fox; shot 2, 2, snow;"},
            "the total duration of all shots must be equal to settings.duration",
        ),
        ("kling-3.0", {"prompt": "shot 7, 5, a fox;"}, "multi-shot prompt is invalid"),
        (
            "kling-3.0",
            {"options": {"external_task_id": 7}},
            "options.external_task_id value type is invalid, expected string",
        ),
        (
            "kling-3.0",
            {"options": {"watermark_info": {"enabled": "yes"}}},
            "options.watermark_info.enabled value type is invalid, expected boolean",
        ),
    ],
)
def test_text_to_video_refuses(client: httpx.Client, model: str, body: dict[str, Any], said: str) -> None:
    prompt = {} if said == "prompt is required" else {"prompt": "a fox"}
    assert words(client, T2V + model, prompt | body) == said


@pytest.mark.parametrize(
    ("model", "body", "said"),
    [
        ("kling-3.0", {}, "contents cannot be empty"),
        ("kling-3.0", {"contents": []}, "contents cannot be empty"),
        ("kling-3.0", {"contents": {}}, "contents value type is invalid, expected array"),
        ("kling-3.0", {"contents": ["x"]}, "contents[0] value type is invalid, expected object"),
        ("kling-3.0", {"contents": [FIRST, {"type": "photo"}]}, "contents[1].type value 'photo' is invalid"),
        ("kling-3.0", {"contents": [{}]}, "contents[0].type value 'None' is invalid"),
        ("kling-3.0", {"contents": [LAST]}, "content item of type 'first_frame' is required"),
        (
            "kling-3.0",
            {"contents": [{"type": "prompt", "text": " "}, FIRST]},
            "content item of type 'prompt' must have non-blank text",
        ),
        (
            "kling-3.0",
            {"contents": [{"type": "first_frame", "url": " "}]},
            "content item of type 'first_frame' must have a non-blank url",
        ),
        (
            "kling-3.0",
            {"contents": [FIRST, {"type": "last_frame"}]},
            "content item of type 'last_frame' must have a non-blank url",
        ),
        ("kling-3.0", {"contents": [FIRST, FIRST]}, "at most 1 content items of type 'first_frame' are allowed"),
        ("kling-3.0", {"contents": [FIRST, ELEMENT | {"element_id": "1"}]}, "Element id not found: 1"),
        ("kling-3.0", {"contents": [FIRST, {"type": "element"}]}, "Invalid element id: "),
        ("kling-2.6", {"contents": [FIRST, VOICE | {"voice_id": "?"}]}, "Voice id not found"),
        (
            "kling-2.6",
            {"contents": [FIRST, VOICE]},
            "content item of type 'voice' requires settings.audio to be 'native'",
        ),
        ("kling-3.0-turbo", {"contents": [FIRST, LAST]}, "contents[1].type value 'last_frame' is invalid"),
        ("kling-2.5-turbo", {"contents": [FIRST, ELEMENT]}, "contents[1].type value 'element' is invalid"),
        (
            "kling-2.5-turbo",
            {"contents": [FIRST, LAST]},
            "model/resolution/audio(kling-2.5-turbo/720p/silent) is not supported with last_frame",
        ),
        (
            "kling-2.6",
            {"contents": [FIRST, LAST], "settings": {"audio": "native", "resolution": "1080p"}},
            "model/resolution/audio(kling-2.6/1080p/native) is not supported with last_frame",
        ),
        (
            "kling-3.0",
            {"contents": [{"type": "first_frame", "url": "data:image/png;base64,AAAA"}]},
            "File is not in a valid base64 format",
        ),
        (
            "kling-3.0",
            {"contents": [{"type": "first_frame", "url": "file:///etc/passwd"}]},
            "File is not in a valid base64 format",
        ),
    ],
)
def test_image_to_video_refuses(client: httpx.Client, model: str, body: dict[str, Any], said: str) -> None:
    assert words(client, I2V + model, body) == said


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (L_T2V, {"model_name": None}, "The model 'kling-v1' has been discontinued and is no longer available."),
        (
            L_T2V,
            {"model": "kling-v3", "model_name": ""},
            "The model 'kling-v1' has been discontinued and is no longer available.",
        ),
        (
            L_I2V,
            {"model_name": "kling-v2-1"},
            "The model 'kling-v2-1' has been discontinued and is no longer available.",
        ),
        (L_T2V, {"model_name": "kling-3.0"}, "model_name value 'kling-3.0' is invalid"),
        (L_T2V, {"mode": "best"}, "mode value 'best' is invalid"),
        (L_T2V, {"model_name": "kling-v2-6", "mode": "4k"}, "mode value '4k' is invalid"),
        (L_T2V, {"duration": "2"}, "duration value '2' is invalid"),
        (L_T2V, {"duration": 5}, "duration value type is invalid, expected string"),
        (L_T2V, {"sound": True}, "sound value 'True' is invalid"),
        (
            L_T2V,
            {"model_name": "kling-v2-6", "sound": "on"},
            "model/mode/duration(kling-v2-6/std/5) is not supported with sound",
        ),
        (L_T2V, {"prompt": ""}, "prompt is required"),
        (L_T2V, {"prompt": "x" * 2501}, "prompt exceeds the 2500-character limit."),
        (L_T2V, {"negative_prompt": "x" * 2501}, "negative_prompt exceeds the 2500-character limit."),
        (L_T2V, {"cfg_scale": 1.5}, "cfg_scale value '1.5' is invalid"),
        (L_T2V, {"cfg_scale": "1"}, "cfg_scale value type is invalid, expected number"),
        (L_T2V, {"aspect_ratio": "4:3"}, "aspect_ratio value '4:3' is invalid"),
        (L_T2V, {"multi_shot": True}, "shot_type is required when multi_shot is true"),
        (L_T2V, {"multi_shot": True, "shot_type": "customize"}, "multi_prompt must have 1 to 6 items"),
        (
            L_T2V,
            {"multi_shot": True, "shot_type": "customize", "multi_prompt": [{"prompt": "a", "duration": "4"}]},
            "the total duration of multi_prompt must be equal to duration",
        ),
        (L_T2V, {"multi_shot": True, "shot_type": "intelligence", "prompt": " "}, "prompt is required"),
        (L_T2V, {"model_name": "kling-v2-6", "multi_shot": True}, "multi_shot is not supported by the current model"),
        (L_I2V, {}, "image or image_tail is required"),
        (L_I2V, {"image_tail": IMAGE}, "Image tail is not supported by the current model"),
        (L_I2V, {"image": "data:image/png;base64,AAAA"}, "File is not in a valid base64 format"),
        (
            L_I2V,
            {"model_name": "kling-v2-5-turbo", "duration": "10", **TAIL},
            "model/mode/duration(kling-v2-5-turbo/std/10) is not supported with image_tail",
        ),
        (
            L_I2V,
            {"model_name": "kling-v2-6", "mode": "pro", "sound": "on", **TAIL},
            "model/mode/duration(kling-v2-6/pro/5) is not supported with image_tail",
        ),
        (L_I2V, {"image": IMAGE, "static_mask": IMAGE}, "kling-v3 is not supported with motion brush"),
        (L_I2V, {"image": IMAGE, "camera_control": {}}, "kling-v3 is not supported with camera control"),
        (L_I2V, {"image": IMAGE, "element_list": [{"element_id": 1}]}, "Element id not found: 1"),
        (
            L_I2V,
            {"image": IMAGE, "element_list": [{"element_id": 1}] * 4},
            "element_list exceeds the limit of 3 of the current model",
        ),
        (
            L_I2V,
            {"image": IMAGE, "element_list": [{"element_id": 1}], "voice_list": [{"voice_id": "a"}]},
            "element_list and voice_list cannot be used together",
        ),
        (
            L_I2V,
            {"model_name": "kling-v2-6", "image": IMAGE, "voice_list": [{"voice_id": "sandbox-voice"}]},
            "voice_list is only supported when sound is on",
        ),
    ],
)
def test_legacy_refuses(client: httpx.Client, path: str, body: dict[str, Any], said: str) -> None:
    assert words(client, path, {"model_name": "kling-v3", "prompt": "a fox"} | body) == said


def test_unknown_and_misplaced_keys_are_ignored_without_a_word(client: httpx.Client, sandbox: SandboxServer) -> None:
    body = {
        "prompt": "a fox",
        "duration": 15,
        "external_task_id": "misplaced",
        "settings": {"mode": "pro", "colour": "red", "audio": "native"},
        "model_name": "kling-v3",
    }
    assert client.post(T2V + "kling-2.5-turbo", json=body).status_code == 200
    (row,) = sandbox.ledger()["tasks"]
    assert (row["seconds"], row["resolution"], row["sound"], row["external_id"]) == (5, "720p", "silent", None)


def test_raw_base64_is_an_image(client: httpx.Client) -> None:
    picture = base64.b64encode(client.get("/sandbox/samples/square.png").content).decode()
    body = {"contents": [{"type": "first_frame", "url": picture}]}
    assert client.post(I2V + "kling-3.0", json=body).status_code == 200


def test_nothing_refused_leaves_a_trace(client: httpx.Client, sandbox: SandboxServer) -> None:
    client.post(T2V + "kling-3.0", json={"prompt": "a", "settings": {"duration": 99}})
    ledger = sandbox.ledger()
    assert (ledger["tasks"], ledger["spent_units"], ledger["in_flight"]) == ([], "0", 0)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = [
    "prompt",
    "contents",
    "settings",
    "options",
    "resolution",
    "aspect_ratio",
    "duration",
    "audio",
    "multi_shot",
    "type",
    "text",
    "url",
    "element_id",
    "id",
    "external_task_id",
    "callback_url",
    "watermark_info",
    "enabled",
    "model_name",
    "mode",
    "sound",
    "image",
    "image_tail",
    "element_list",
    "multi_prompt",
    "shot_type",
    "cfg_scale",
    "voice_list",
    "start_time",
    "end_time",
    "cursor",
    "limit",
    "filters",
    "key",
    "values",
    "image_list",
    "image_url",
    "video_list",
    "video_url",
    "video_id",
    "refer_type",
    "keep_original_sound",
    "character_orientation",
    "sound_file",
    "audio_id",
    "effect_scene",
    "input",
    "images",
    "session_id",
    "frame_index",
    "points",
    "face_choose",
    "edit_mode",
    "shot_type",
]
_body = st.dictionaries(
    st.sampled_from(_FIELDS),
    _json
    | st.dictionaries(st.sampled_from(_FIELDS), _json, max_size=4)
    | st.lists(st.dictionaries(st.sampled_from(_FIELDS), _json, max_size=4), max_size=3),
    max_size=6,
)
_likely = st.sampled_from(
    [
        {},
        {"prompt": "a", "model_name": "kling-v3"},
        {"model_name": "kling-v3", "image": IMAGE},
        {"contents": [FIRST], "settings": {"character_orientation": "video"}},
        {"image": IMAGE, "sound_file": IMAGE},
        {"effect_scene": "zoom_out", "input": {"image": IMAGE}},
    ]
)
_PATHS = [
    *(T2V + "kling-3.0", I2V + "kling-3.0", I2V + "kling-2.6", L_T2V, L_I2V, "/tasks"),
    *("/omni-video/kling-3.0-omni", "/omni-video/kling-o1", "/motion-control/kling-3.0"),
    *("/v1/videos/" + name for name in ("omni-video", "motion-control", "multi-elements", "avatar/image2video")),
    *("/v1/videos/" + name for name in ("effects", "lip-sync", "advanced-lip-sync", "identify-face", "video-extend")),
    *("/v1/videos/multi-elements/" + name for name in ("init-selection", "add-selection", "clear-selection")),
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(_PATHS), base=_likely, body=_body)
def test_no_body_makes_the_sandbox_stumble(
    client: httpx.Client, path: str, base: dict[str, Any], body: dict[str, Any]
) -> None:
    assert client.post(path, json=base | body).status_code in {200, 400, 429}
