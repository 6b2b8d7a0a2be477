"""Bodies as Kling documents them or as they were observed, and those of the sandbox (kling-api)."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from sandbox_calls import Clock

from airflow_provider_klingvideo.sandbox import SandboxServer

SUCCEED = "SUCCEED"
NEW, LEGACY = "/text-to-video/kling-3.0", "/v1/videos/text2video"
LEGACY_BODY = {"model_name": "kling-v3", "prompt": "a fox", "external_task_id": "run-42"}

IMAGE_TO_VIDEO = {
    "contents": [
        {"type": "prompt", "text": "@hero turns to the camera"},
        {"type": "first_frame", "url": "https://example.org/a.png"},
        {"type": "element", "element_id": "829836802793406551", "id": "hero"},
    ],
    "settings": {"resolution": "1080p", "duration": 6, "audio": "native", "multi_shot": False},
    "options": {
        "external_task_id": "run-42",
        "callback_url": "https://example.org/cb",
        "watermark_info": {"enabled": False},
    },
}
MOTION_CONTROL = {
    "contents": [
        {"type": "image", "url": "https://example.org/p.png"},
        {"type": "video", "url": "https://example.org/dance.mp4"},
    ],
    "settings": {"character_orientation": "video", "audio": "off", "resolution": "720p"},
}
OLD_LIP_SYNC = {
    "input": {
        "mode": "audio2video",
        "video_url": "https://example.org/a.mp4",
        "audio_type": "url",
        "audio_url": "https://example.org/a.mp3",
    }
}

CREATED = {
    "id": "926484082518392851",
    "status": "submitted",
    "external_id": "job-7",
    "message": "",
    "create_time": 1788919537338,
    "update_time": 1788919537338,
}
SUCCEEDED = {
    "id": "933557962801545273",
    "status": "succeeded",
    "message": "",
    "create_time": 1790605869865,
    "update_time": 1790605899000,
    "external_id": "run-42",
    "outputs": [{"type": "video", "id": "...", "url": "https://...", "duration": "5.041"}],
    "billing": [{"charge_type": "unit", "amount": "3", "package_type": "video"}],
}
FAILED = {
    "id": "9335...",
    "status": "failed",
    "message": "Failure to pass the risk control system",
    "outputs": [],
    "create_time": 1790605869865,
    "update_time": 1790605871000,
    "billing": [{"amount": "0"}],
}
LEGACY_CREATED = {
    "task_id": "867283741759111202",
    "task_status": "submitted",
    "task_info": {"external_task_id": "run-42"},
    "created_at": 1722769557708,
    "updated_at": 1722769557708,
}
LEGACY_SUCCEEDED = {
    "task_id": "...",
    "task_status": "succeed",
    "task_status_msg": "",
    "task_info": {"external_task_id": "run-42"},
    "task_result": {
        "videos": [{"id": "...", "url": "https://...", "watermark_url": "https://...", "duration": "5.041"}]
    },
    "watermark_info": {"enabled": True},
    "final_unit_deduction": "3",
    "final_balance_deduction": {"quota": "0", "list_price": "0"},
    "created_at": 1722769557708,
    "updated_at": 1722769620000,
}
LEGACY_FAILED = {
    "task_id": "8334...",
    "task_info": {},
    "task_status": "failed",
    "task_status_msg": "Failure to pass the risk control system",
    "task_result": {},
    "created_at": 1722769557708,
    "updated_at": 1722769620000,
}

# What is told apart from one task to the next: ids, times, addresses.
VARIES = re.compile(r"(id|task_id|request_id|url|.+_url|create_time|update_time|created_at|updated_at)")


def shape(value: Any, name: str = "") -> Any:
    """A body with the kind of what varies in place of its value."""
    if isinstance(value, dict):
        return {key: shape(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__ if VARIES.fullmatch(name) else value


def data(response: httpx.Response) -> Any:
    body = response.json()
    assert (response.status_code, list(body)) == (200, ["code", "message", "request_id", "data"]), body
    assert (body["code"], body["message"]) == (0, SUCCEED)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body["request_id"])
    return body["data"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/image-to-video/kling-3.0", IMAGE_TO_VIDEO),
        ("/motion-control/kling-3.0", MOTION_CONTROL),
        ("/v1/videos/lip-sync", OLD_LIP_SYNC),
    ],
)
def test_documented_requests_are_accepted(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    data(client.post(path, json=body))


def test_a_created_task(client: httpx.Client) -> None:
    created = data(client.post(NEW, json={"prompt": "a fox", "options": {"external_task_id": "job-7"}}))
    assert shape(created) == shape(CREATED)
    assert re.fullmatch(r"[0-9]{18}", created["id"])
    without = data(client.post(NEW, json={"prompt": "a fox", "options": {"external_task_id": ""}}))
    assert shape(without) == shape({key: value for key, value in CREATED.items() if key != "external_id"})


def test_a_task_of_the_new_generation_to_its_end(client: httpx.Client, clock: Clock) -> None:
    created = data(client.post(NEW, json={"prompt": "a fox", "options": {"external_task_id": "run-42"}}))
    (running,) = data(client.get("/tasks", params={"task_ids": created["id"]}))
    assert not {"outputs", "billing"} & set(running)
    clock.finish()
    (task,) = data(client.get("/tasks", params={"external_task_ids": "run-42"}))
    assert shape(task) == shape(SUCCEEDED)


def test_a_task_of_the_new_generation_that_fails(client: httpx.Client, clock: Clock) -> None:
    created = data(client.post(NEW, json={"prompt": "a fox [sandbox:fail]"}))
    clock.finish()
    (task,) = data(client.get("/tasks", params={"task_ids": created["id"]}))
    assert shape(task) == shape(FAILED)


def test_a_task_of_the_legacy_generation(client: httpx.Client, clock: Clock) -> None:
    created = data(client.post(LEGACY, json=LEGACY_BODY | {"watermark_info": {"enabled": True}}))
    assert shape(created) == shape(LEGACY_CREATED)
    clock.finish()
    task = data(client.get(f"{LEGACY}/run-42"))
    assert shape(task) == shape(LEGACY_SUCCEEDED)
    assert data(client.get(LEGACY, params={"pageNum": 1, "pageSize": 30})) == [task]


def test_a_task_of_the_legacy_generation_that_fails(client: httpx.Client, clock: Clock) -> None:
    body = {"model_name": "kling-v3", "prompt": "a fox [sandbox:fail]"}
    created = data(client.post(LEGACY, json=body))
    clock.finish()
    assert shape(data(client.get(f"{LEGACY}/{created['task_id']}"))) == shape(LEGACY_FAILED)


def test_a_legacy_task_in_the_new_spelling(client: httpx.Client, clock: Clock) -> None:
    created = data(client.post(LEGACY, json=LEGACY_BODY))
    clock.finish()
    (task,) = data(client.get("/tasks", params={"task_ids": created["task_id"]}))
    assert shape(task) == shape(SUCCEEDED)


def test_pages(client: httpx.Client) -> None:
    assert data(client.post("/tasks", json={})) == {"count": 0, "has_more": False}
    for number in range(2):
        data(client.post(NEW, json={"prompt": str(number)}))
    times = {"start_time": "0", "end_time": 1_900_000_000_000}
    filters = [
        {"key": "status", "values": ["submitted", "succeeded"]},
        {"key": "product_type", "values": ["video", "image", "try_on"]},
    ]
    page = data(client.post("/tasks", json=times | {"limit": 1, "filters": filters}))
    assert (page["count"], page["has_more"], len(page["result"])) == (1, True, 1)
    rest = data(client.post("/tasks", json={"cursor": page["next_cursor"]}))
    assert (rest["count"], rest["has_more"], "next_cursor" in rest) == (1, False, False)


AUTHENTICATION = (
    "Authentication error. The current API does not support AK/SK; "
    "please go to the console (https://kling.ai/dev/api-key) to create API key."
)
MANY = ",".join(str(number) for number in range(21))
FRAME = {"type": "first_frame", "url": "https://example.org/a.png"}
I2V, OMNI = "/image-to-video/kling-3.0", "/omni-video/kling-3.0-omni"
REFUSALS: list[tuple[str, str, Any, str]] = [
    ("GET", f"{LEGACY}/nobody", None, "Task not found by id/external id: nobody"),
    ("GET", f"/tasks?task_ids={MANY}", None, "task_ids and external_task_ids cannot exceed 20 in total"),
    ("GET", "/tasks", None, "task_ids or external_task_ids is required"),
    ("POST", NEW, {}, "prompt is required"),
    ("POST", I2V, {"contents": []}, "contents cannot be empty"),
    ("POST", I2V, {"contents": "a"}, "contents value type is invalid, expected array"),
    ("POST", I2V, {"contents": [FRAME, {"type": "x"}]}, "contents[1].type value 'x' is invalid"),
    (
        "POST",
        I2V,
        {"contents": [FRAME, {"type": "prompt", "text": " "}]},
        "content item of type 'prompt' must have non-blank text",
    ),
    (
        "POST",
        I2V,
        {"contents": [{"type": "first_frame", "url": " "}]},
        "content item of type 'first_frame' must have a non-blank url",
    ),
    (
        "POST",
        I2V,
        {"contents": [FRAME, {"type": "last_frame", "url": ""}]},
        "content item of type 'last_frame' must have a non-blank url",
    ),
    (
        "POST",
        I2V,
        {"contents": [{"type": "prompt", "text": "a"}]},
        "content item of type 'first_frame' is required",
    ),
    (
        "POST",
        NEW,
        {"prompt": "a", "settings": {"resolution": "9000p"}},
        "settings.resolution value '9000p' is invalid",
    ),
    (
        "POST",
        NEW,
        {"prompt": "a", "settings": {"audio": "original"}},
        "audio mode 'original' is not supported by the current model",
    ),
    ("POST", "/omni-video/kling-9", {"contents": [FRAME]}, "model is not supported"),
    (
        "POST",
        I2V,
        {"contents": [FRAME, {"type": "element", "element_id": "1", "id": "a"}]},
        "Element id not found: 1",
    ),
    ("POST", I2V, {"contents": [FRAME, {"type": "element", "id": "a"}]}, "Invalid element id: "),
    ("POST", OMNI, {"contents": [{"type": "base_video", "url": "a"}]}, "Video URL is invalid"),
    (
        "POST",
        LEGACY,
        {"prompt": "a", "model_name": "kling-v1"},
        "The model 'kling-v1' has been discontinued and is no longer available.",
    ),
    ("POST", "/v1/videos/multi-image2video", {}, "This API is no longer available"),
    ("POST", LEGACY, {"prompt": "a", "model_name": "kling-v9"}, "model_name value 'kling-v9' is invalid"),
    (
        "POST",
        LEGACY,
        {"prompt": "a", "model_name": "kling-v3", "mode": "best"},
        "mode value 'best' is invalid",
    ),
    (
        "POST",
        "/v1/videos/image2video",
        {"model_name": "kling-v2-5-turbo", "image": "https://a.b", "image_tail": "https://a.b", "duration": "10"},
        "model/mode/duration(kling-v2-5-turbo/std/10) is not supported with image_tail",
    ),
    (
        "POST",
        "/v1/videos/image2video",
        {"model_name": "kling-v3", "image": "data:image/png;base64,AA=="},
        "File is not in a valid base64 format",
    ),
    ("POST", "/v1/videos/motion-control", {}, "imageUrl: must not be blank"),
    ("POST", "/v1/videos/lip-sync", {"input": {"mode": "audio2video"}}, "video_id or video_url is required"),
    (
        "POST",
        "/v1/videos/lip-sync",
        {"input": {"mode": "audio2video", "video_url": "https://a.b"}},
        "Audio type is null",
    ),
    (
        "POST",
        "/v1/audio/tts",
        {"text": "a", "voice_id": "nobody", "voice_language": "en"},
        "Voice id not found",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "words"), REFUSALS)
def test_observed_words(client: httpx.Client, method: str, path: str, body: Any, words: str) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == 400
    assert answer.json() == {"code": 1201, "message": words, "request_id": answer.json()["request_id"]}


@pytest.mark.parametrize(
    ("authorization", "code", "words"),
    [(None, 1001, "Authorization is empty"), ("Bearer garbage", 1002, AUTHENTICATION)],
)
def test_observed_words_about_who_asks(
    sandbox: SandboxServer, authorization: str | None, code: int, words: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = httpx.post(f"{sandbox.url}{NEW}", json={"prompt": "a"}, headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["code"], answer.json()["message"]) == (401, code, words)


def test_observed_words_about_what_is_used_up(client: httpx.Client, sandbox: SandboxServer) -> None:
    body = {"prompt": "a", "options": {"external_task_id": "mine"}}
    data(client.post(NEW, json=body))
    again = client.post(LEGACY, json=LEGACY_BODY | {"external_task_id": "mine"})
    assert again.json()["message"] == "External_task_id mine already exists"
    sandbox.settings(slots=1)
    full = client.post(NEW, json={"prompt": "a"})
    assert (full.status_code, full.json()["code"]) == (429, 1303)
    assert full.json()["message"] == "parallel task over resource pack limit"
    sandbox.settings(image_balance=0)
    # A pack of videos does not pay for pictures.
    poor = client.post("/v1/images/generations", json={"prompt": "a"})
    assert (poor.status_code, poor.json()["code"]) == (429, 1102)
    assert poor.json()["message"] == "Account balance not enough"
