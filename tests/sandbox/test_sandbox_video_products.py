"""What each video product accepts, what it costs, and Kling's words for what it refuses."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from airflow_provider_klingvideo.sandbox import SandboxServer

IMAGE = "https://images.invalid/a.png"
VIDEO = "https://videos.invalid/a.mp4"
SOUND = "https://sounds.invalid/a.mp3"
MULTI_IMAGE, CHARACTER = "829836802793406551", "829836802793406552"

PROMPT = {"type": "prompt", "text": "@hero walks"}
FIRST, LAST = {"type": "first_frame", "url": IMAGE}, {"type": "last_frame", "url": IMAGE}
REFER = {"type": "refer_image", "url": IMAGE}
FEATURE, BASE = {"type": "feature_video", "url": VIDEO}, {"type": "base_video", "url": VIDEO}
PERSON, DANCE = {"type": "image", "url": IMAGE}, {"type": "video", "url": VIDEO}

OMNI, O1, LEGACY_OMNI = "/omni-video/kling-3.0-omni", "/omni-video/kling-o1", "/v1/videos/omni-video"
MOTION, MOTION_2_6, LEGACY_MOTION = (
    "/motion-control/kling-3.0",
    "/motion-control/kling-2.6",
    "/v1/videos/motion-control",
)
AVATAR, EFFECTS, LIP_SYNC = "/v1/videos/avatar/image2video", "/v1/videos/effects", "/v1/videos/lip-sync"


def element(number: int = 1, element_id: str = MULTI_IMAGE) -> dict[str, Any]:
    return {"type": "element", "element_id": element_id, "id": f"hero{number}"}


def elements(count: int, element_id: str = MULTI_IMAGE) -> list[dict[str, Any]]:
    return [element(number, element_id) for number in range(count)]


def new(*contents: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"contents": list(contents), "settings": settings}


def listed(count: int, element_id: str = MULTI_IMAGE) -> list[dict[str, Any]]:
    return [{"element_id": int(element_id)}] * count


ACCEPTED: list[tuple[str, dict[str, Any], str]] = [
    # 3.0 omni, without a reference video
    (OMNI, new(PROMPT, aspect_ratio="1:1"), "3"),
    (OMNI, new(FIRST, audio="native"), "4"),
    (OMNI, new(FIRST, resolution="4k", duration=15), "45"),
    (OMNI, new(FIRST, LAST, *elements(3), resolution="1080p", audio="native", duration="3"), "3"),
    (OMNI, new(*[REFER] * 7, aspect_ratio="16:9"), "3"),
    (OMNI, new(REFER, *elements(6), aspect_ratio="16:9"), "3"),
    (OMNI, new(*[REFER] * 4, *elements(3, CHARACTER), aspect_ratio="16:9"), "3"),
    (OMNI, new(PROMPT, PERSON, DANCE, aspect_ratio="9:16"), "3"),
    ("/omni-video/kling-v3-omni", new(FIRST), "3"),
    # with one
    (OMNI, new(FEATURE), "4.5"),
    (OMNI, new(FEATURE, FIRST, REFER, *elements(2), resolution="4k", duration=3), "9"),
    (OMNI, new(FEATURE, element(1, CHARACTER), resolution="1080p"), "6"),
    (OMNI, new(BASE, multi_shot=False), "2.7"),
    (OMNI, new(BASE, *[REFER] * 4, multi_shot=False, audio="original", resolution="1080p"), "3.6"),
    # O1
    (O1, new(PROMPT, aspect_ratio="1:1", duration=10), "6"),
    (O1, new(FIRST, resolution="1080p"), "4"),
    (O1, new(FIRST, REFER, duration=7), "4.2"),
    (O1, new(FIRST, LAST, duration=3), "1.8"),
    (O1, new(FEATURE, FIRST, duration=3), "2.7"),
    (O1, new(BASE, audio="original", resolution="1080p"), "3.6"),
    # legacy omni
    (LEGACY_OMNI, {"prompt": "a", "aspect_ratio": "1:1"}, "4"),
    (LEGACY_OMNI, {"prompt": "a", "image_list": [{"image_url": IMAGE, "type": "first_frame"}], "mode": "std"}, "3"),
    (
        LEGACY_OMNI,
        {
            "model_name": "kling-v3-omni",
            "image_list": [{"image_url": IMAGE, "type": "first_frame"}, {"image_url": IMAGE, "type": "end_frame"}],
            "multi_shot": True,
            "shot_type": "customize",
            "multi_prompt": [{"index": 1, "prompt": "a", "duration": "5"}],
            "sound": "on",
        },
        "5",
    ),
    (LEGACY_OMNI, {"video_list": [{"video_url": VIDEO}]}, "3.6"),
    (
        LEGACY_OMNI,
        {
            "model_name": "kling-v3-omni",
            "aspect_ratio": "16:9",
            "mode": "4k",
            "video_list": [{"video_url": VIDEO, "refer_type": "feature", "keep_original_sound": "yes"}],
            "element_list": listed(4),
            "multi_shot": True,
            "shot_type": "intelligence",
        },
        "15",
    ),
    # motion control: at least three seconds
    (MOTION, new(PERSON, DANCE, character_orientation="video"), "2.7"),
    (MOTION, new(PROMPT, PERSON, DANCE, element(), character_orientation="video", resolution="1080p"), "3.6"),
    (MOTION_2_6, new(PERSON, DANCE, character_orientation="image", audio="off"), "1.5"),
    (
        LEGACY_MOTION,
        {"image_url": IMAGE, "video_url": VIDEO, "mode": "pro", "character_orientation": "image"},
        "2.4",
    ),
    (
        LEGACY_MOTION,
        {
            "model_name": "kling-v3",
            "image_url": IMAGE,
            "video_url": VIDEO,
            "mode": "std",
            "character_orientation": "video",
            "element_list": listed(1),
            "keep_original_sound": "no",
        },
        "2.7",
    ),
    # avatars: at least two seconds
    (AVATAR, {"image": IMAGE, "sound_file": SOUND}, "0.8"),
    (AVATAR, {"image": IMAGE, "sound_file": SOUND, "mode": "pro", "prompt": "smile"}, "1.6"),
    (EFFECTS, {"effect_scene": "zoom_out", "input": {"image": IMAGE}}, "2"),
    (EFFECTS, {"effect_scene": "hug_pro", "input": {"images": [IMAGE, IMAGE]}}, "2"),
    (
        LIP_SYNC,
        {"input": {"mode": "audio2video", "video_url": VIDEO, "audio_type": "url", "audio_url": SOUND}},
        "0.5",
    ),
]


@pytest.mark.parametrize(("path", "body", "price"), ACCEPTED)
def test_what_is_accepted_costs_what_the_price_list_says(
    client: httpx.Client, sandbox: SandboxServer, path: str, body: dict[str, Any], price: str
) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    row = sandbox.ledger()["tasks"][0]
    assert (row["quoted_units"], row["status"], row["pack"]) == (price, "submitted", "video")


V3_OMNI = {"model_name": "kling-v3-omni", "aspect_ratio": "16:9"}
ONE_SHOT = {"multi_shot": True, "shot_type": "customize", "multi_prompt": [{"prompt": "a", "duration": "5"}]}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (OMNI, {}, "contents cannot be empty"),
    (OMNI, new({"type": "voice"}), "contents[0].type value 'voice' is invalid"),
    (OMNI, new(PROMPT), "settings.aspect_ratio is required without a first frame and a reference video"),
    (OMNI, new(REFER), "settings.aspect_ratio is required without a first frame and a reference video"),
    (OMNI, new(LAST, aspect_ratio="1:1"), "the last frame requires a first frame"),
    (OMNI, new(FIRST, FIRST), "at most 1 content items of type 'first_frame' are allowed"),
    (OMNI, new({"type": "prompt", "text": "x" * 3073}, FIRST), "contents[0].text exceeds the 3072-character limit."),
    (OMNI, new(FIRST | {"id": "a"}, REFER | {"id": "a"}), "content item id 'a' is not unique"),
    (OMNI, new({"type": "refer_image"}), "content item of type 'refer_image' must have a non-blank url"),
    (OMNI, new(FEATURE | {"url": "AAAA"}), "Video URL is invalid"),
    (OMNI, new(FEATURE, FEATURE), "at most 1 content items of type 'feature_video' are allowed"),
    (OMNI, new(FEATURE, BASE), "at most one reference video is allowed"),
    (OMNI, new(FIRST, element(1, "1")), "Element id not found: 1"),
    (OMNI, new(FIRST, {"type": "element", "element_id": MULTI_IMAGE}), f"Invalid element id: {MULTI_IMAGE}"),
    (OMNI, new(*[REFER] * 8, aspect_ratio="1:1"), "the total number of images and elements exceeds the limit of 7"),
    (OMNI, new(*[REFER] * 5, FEATURE), "the total number of images and elements exceeds the limit of 4"),
    (
        OMNI,
        new(*[REFER] * 5, element(1, CHARACTER), aspect_ratio="1:1"),
        "the total number of images and elements exceeds the limit of 4",
    ),
    (OMNI, new(*elements(4, CHARACTER), aspect_ratio="1:1"), "at most 3 video character elements are allowed"),
    (OMNI, new(FIRST, *elements(4)), "at most 3 elements are allowed together with frames"),
    (
        OMNI,
        new(FEATURE, REFER, element(1, CHARACTER)),
        "a video character element must be the only reference beside a video",
    ),
    (
        OMNI,
        new(FEATURE, *elements(2, CHARACTER)),
        "a video character element must be the only reference beside a video",
    ),
    (OMNI, new(FEATURE, multi_shot=False), "settings.multi_shot must be true when a feature_video is given"),
    (OMNI, new(FEATURE, audio="native"), "settings.audio must be 'off' when a feature_video is given"),
    (OMNI, new(FEATURE, audio="original"), "settings.audio must be 'off' when a feature_video is given"),
    (OMNI, new(BASE), "settings.multi_shot must be false when a base_video is given"),
    (
        OMNI,
        new(BASE, multi_shot=False, audio="native"),
        "settings.audio must not be 'native' when a base_video is given",
    ),
    (OMNI, new(BASE, FIRST, multi_shot=False), "first and last frame are not supported when a video is edited"),
    (OMNI, new(FIRST, duration=16), "settings.duration value '16' is invalid"),
    (OMNI, new(FIRST, resolution="480p"), "settings.resolution value '480p' is invalid"),
    (
        OMNI,
        new({"type": "prompt", "text": "shot 1, 2, a; shot 2, 2, b;"}, FIRST),
        "the total duration of all shots must be equal to settings.duration",
    ),
    (O1, new(FIRST, audio="native"), "audio mode 'native' is not supported by the current model"),
    (O1, new(FIRST, resolution="4k"), "settings.resolution value '4k' is invalid"),
    (O1, new(FIRST, REFER, duration=11), "settings.duration value '11' is invalid"),
    (O1, new(FIRST, duration=6), "duration value '6' is not supported without references by the current model"),
    (
        O1,
        new(PROMPT, aspect_ratio="1:1", duration=3),
        "duration value '3' is not supported without references by the current model",
    ),
    (
        O1,
        new(FIRST, LAST, REFER),
        "reference images and elements are not supported with a last frame by the current model",
    ),
    (O1, new(FIRST, LAST, FEATURE), "a reference video is not supported with a last frame by the current model"),
    (O1, new(FIRST, element(1, CHARACTER)), "video character elements are not supported by the current model"),
    (O1, new(FIRST, BASE), "first and last frame are not supported when a video is edited"),
    (O1, new(FIRST, *[REFER] * 7), "the total number of images and elements exceeds the limit of 7"),
    (O1, new({"type": "prompt", "text": "x" * 2501}, FIRST), "contents[0].text exceeds the 2500-character limit."),
    ("/omni-video/kling-v1", new(FIRST), "model is not supported"),
    (LEGACY_OMNI, {"model_name": "kling-v3"}, "model_name value 'kling-v3' is invalid"),
    (LEGACY_OMNI, {"prompt": "a"}, "aspect_ratio is required without a first frame and a video to edit"),
    (
        LEGACY_OMNI,
        {"video_list": [{"video_url": VIDEO, "refer_type": "feature"}]},
        "aspect_ratio is required without a first frame and a video to edit",
    ),
    (LEGACY_OMNI, {"mode": "4k"}, "mode value '4k' is invalid"),
    (
        LEGACY_OMNI,
        {"aspect_ratio": "1:1", "duration": "7"},
        "duration value '7' is not supported without references by the current model",
    ),
    (
        LEGACY_OMNI,
        {"aspect_ratio": "1:1", "sound": "on"},
        "sound is not supported by the current model or with video_list",
    ),
    (
        LEGACY_OMNI,
        V3_OMNI | {"sound": "on", "video_list": [{"video_url": VIDEO}]},
        "sound is not supported by the current model or with video_list",
    ),
    (LEGACY_OMNI, V3_OMNI | {"image_list": [{"image_url": " "}]}, "image_url is required"),
    (
        LEGACY_OMNI,
        V3_OMNI | {"image_list": [{"image_url": IMAGE, "type": "last_frame"}]},
        "image_list[0].type value 'last_frame' is invalid",
    ),
    (
        LEGACY_OMNI,
        V3_OMNI | {"image_list": [{"image_url": IMAGE, "type": "end_frame"}]},
        "the last frame requires a first frame",
    ),
    (
        LEGACY_OMNI,
        V3_OMNI | {"image_list": [{"image_url": IMAGE, "type": "first_frame"}] * 2},
        "at most one first_frame is allowed in image_list",
    ),
    (
        LEGACY_OMNI,
        V3_OMNI | {"image_list": [{"image_url": IMAGE}] * 4, "element_list": listed(4)},
        "the total number of images and elements exceeds the limit of 7",
    ),
    (
        LEGACY_OMNI,
        V3_OMNI | {"video_list": [{"video_url": VIDEO}], "element_list": listed(1, CHARACTER)},
        "video character elements are not supported with video_list",
    ),
    (
        LEGACY_OMNI,
        V3_OMNI | {"video_list": [{"video_url": VIDEO}] * 2},
        "video_list exceeds the limit of 1 of the current model",
    ),
    (LEGACY_OMNI, V3_OMNI | {"video_list": [{"video_url": "AAAA"}]}, "Video URL is invalid"),
    (
        LEGACY_OMNI,
        V3_OMNI | {"video_list": [{"video_url": VIDEO}], **ONE_SHOT},
        "multi_shot is not supported when a video is edited",
    ),
    (
        LEGACY_OMNI,
        V3_OMNI | {"video_list": [{"video_url": VIDEO, "refer_type": "feature"}], **ONE_SHOT},
        "shot_type must be intelligence with a feature video",
    ),
    (
        LEGACY_OMNI,
        {"aspect_ratio": "1:1", **ONE_SHOT},
        "multi_shot is not supported by the current model",
    ),
    (MOTION, new(DANCE, character_orientation="video"), "content item of type 'image' is required"),
    (MOTION, new(PERSON, character_orientation="video"), "content item of type 'video' is required"),
    (MOTION, new(PERSON, DANCE), "settings.character_orientation is required"),
    (
        MOTION,
        new(PERSON, DANCE, character_orientation="left"),
        "settings.character_orientation value 'left' is invalid",
    ),
    (
        MOTION,
        new(PERSON, DANCE, element(), character_orientation="image"),
        "character_orientation must be 'video' when an element is given",
    ),
    (
        MOTION,
        new(PERSON, DANCE, *elements(2), character_orientation="video"),
        "at most 1 content items of type 'element' are allowed",
    ),
    (
        MOTION_2_6,
        new(PERSON, DANCE, element(), character_orientation="video"),
        "contents[2].type value 'element' is invalid",
    ),
    (
        MOTION,
        new(PERSON, DANCE, character_orientation="video", resolution="4k"),
        "settings.resolution value '4k' is invalid",
    ),
    (
        MOTION,
        new(PERSON, DANCE, character_orientation="video", audio="native"),
        "settings.audio value 'native' is invalid",
    ),
    (LEGACY_MOTION, {}, "imageUrl: must not be blank"),
    (LEGACY_MOTION, {"image_url": IMAGE}, "videoUrl: must not be blank"),
    (LEGACY_MOTION, {"image_url": IMAGE, "video_url": VIDEO}, "video mode must be specified"),
    (
        LEGACY_MOTION,
        {"image_url": IMAGE, "video_url": VIDEO, "mode": "std"},
        "character orientation must be specified",
    ),
    (
        LEGACY_MOTION,
        {
            "image_url": IMAGE,
            "video_url": VIDEO,
            "mode": "std",
            "character_orientation": "video",
            "element_list": listed(1),
        },
        "element_list exceeds the limit of 0 of the current model",
    ),
    (AVATAR, {"sound_file": SOUND}, "image is required"),
    (AVATAR, {"image": IMAGE}, "audio_id or sound_file is required"),
    (
        AVATAR,
        {"image": IMAGE, "sound_file": SOUND, "audio_id": "1-1"},
        "audio_id and sound_file cannot be used together",
    ),
    (AVATAR, {"image": IMAGE, "audio_id": "1-1"}, "Audio id not found"),
    (AVATAR, {"image": IMAGE, "sound_file": "data:audio/mp3;base64,AAAA"}, "File is not in a valid base64 format"),
    (AVATAR, {"image": IMAGE, "sound_file": SOUND, "mode": "4k"}, "mode value '4k' is invalid"),
    (EFFECTS, {"input": {"image": IMAGE}}, "effect_scene is required"),
    (EFFECTS, {"effect_scene": "hug", "input": {"image": IMAGE}}, "effect_scene value 'hug' is invalid"),
    (EFFECTS, {"effect_scene": "zoom_out", "input": {"images": [IMAGE, IMAGE]}}, "image is required"),
    (
        EFFECTS,
        {"effect_scene": "hug_pro", "input": {"images": [IMAGE]}},
        "input.images must have exactly 2 images for the effect_scene 'hug_pro'",
    ),
    (LIP_SYNC, {"input": {"mode": "audio2video"}}, "video_id or video_url is required"),
    (LIP_SYNC, {"input": {"video_id": "1-1"}}, "Video id not found"),
    (LIP_SYNC, {"input": {"video_url": VIDEO}}, "input.mode is required"),
    (LIP_SYNC, {"input": {"video_url": VIDEO, "mode": "audio2video"}}, "Audio type is null"),
    (LIP_SYNC, {"input": {"video_url": VIDEO, "mode": "text2video"}}, "text is required"),
    (LIP_SYNC, {"input": {"video_url": VIDEO, "mode": "text2video", "text": "hi"}}, "Voice id not found"),
    (
        LIP_SYNC,
        {"input": {"video_url": VIDEO, "mode": "text2video", "text": "x" * 121}},
        "input.text exceeds the 120-character limit.",
    ),
    ("/v1/videos/multi-image2video", {"prompt": "a"}, "This API is no longer available"),
    ("/v1/videos/video-extend", {}, "video_id is required"),
    ("/v1/videos/video-extend", {"video_id": "1"}, "video_id value '1' is invalid"),
    (
        "/v1/videos/text2video",
        {"model_name": "kling-v3", "prompt": "a", "camera_control": {"type": "simple"}},
        "kling-v3 is not supported with camera control",
    ),
]


@pytest.mark.parametrize(("path", "body", "said"), REFUSED)
def test_what_is_refused(
    client: httpx.Client, sandbox: SandboxServer, path: str, body: dict[str, Any], said: str
) -> None:
    response = client.post(path, json=body)
    assert (response.status_code, response.json()["code"], response.json()["message"]) == (400, 1201, said)
    assert sandbox.ledger()["tasks"] == []


@pytest.mark.parametrize("query", ["", "/1", "?pageNum=1"])
def test_nothing_is_left_of_a_retired_path(client: httpx.Client, query: str) -> None:
    response = client.get(f"/v1/videos/multi-image2video{query}")
    assert (response.status_code, response.json()["message"]) == (400, "This API is no longer available")


def test_a_file_that_is_too_large_is_refused_with_its_request(client: httpx.Client) -> None:
    large = base64.b64encode(bytes(10_000_001)).decode()
    words = {
        AVATAR: ({"image": IMAGE, "sound_file": large}, "File size exceeds the limit of 5MB"),
        "/v1/videos/image2video": ({"model_name": "kling-v3", "image": large}, "File size exceeds the limit of 10MB"),
    }
    for path, (body, said) in words.items():
        assert client.post(path, json=body).json()["message"] == said
    frame = {"type": "first_frame", "url": large}
    assert client.post("/image-to-video/kling-3.0", json=new(frame)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (OMNI, new({"type": "prompt", "text": "[sandbox:refuse=1301]"}, FIRST)),
        (LEGACY_OMNI, {"prompt": "[sandbox:refuse=1301]", "aspect_ratio": "1:1"}),
        (
            LEGACY_OMNI,
            V3_OMNI | ONE_SHOT | {"multi_prompt": [{"prompt": "[sandbox:refuse=1301]", "duration": "5"}]},
        ),
        (
            MOTION,
            new({"type": "prompt", "text": "[sandbox:refuse=1301]"}, PERSON, DANCE, character_orientation="video"),
        ),
        (AVATAR, {"image": IMAGE, "sound_file": SOUND, "prompt": "[sandbox:refuse=1301]"}),
    ],
)
def test_a_prompt_utters_wishes_in_every_product(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    assert client.post(path, json=body).json()["code"] == 1301


def test_rules_by_path_strike_where_there_is_no_prompt(client: httpx.Client, sandbox: SandboxServer) -> None:
    sandbox.add_rule({"match": {"path": EFFECTS}, "action": {"type": "refuse", "code": 1303}, "times": 1})
    body = {"effect_scene": "zoom_out", "input": {"image": IMAGE}}
    assert [client.post(EFFECTS, json=body).json()["code"] for _ in range(2)] == [1303, 0]


def test_rules_see_prompts_in_any_depth(client: httpx.Client, sandbox: SandboxServer) -> None:
    sandbox.add_rule({"match": {"prompt_contains": "wolf"}, "action": {"type": "refuse", "code": 1301}})
    shots = {"multi_prompt": [{"prompt": "a wolf", "duration": "5"}]}
    assert client.post(LEGACY_OMNI, json=V3_OMNI | ONE_SHOT | shots).json()["code"] == 1301
