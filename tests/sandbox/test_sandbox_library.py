"""Voices and elements: made, listed, used in other requests, deleted, and unknown from then on."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_calls import Clock, Create, Finished, Look, client_of

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.sandbox.files.audio_files import audio_facts
from airflow_provider_klingvideo.sandbox.files.images import sample_png

Data = dict[str, Any]

VOICES, DELETE_VOICE = "/v1/general/custom-voices", "/v1/general/delete-voices"
PRESET_VOICES = "/v1/general/presets-voices"
ELEMENTS, PRESET_ELEMENTS = "/v1/general/advanced-custom-elements", "/v1/general/advanced-presets-elements"
DELETE_ELEMENT, DELETE_ELEMENT_TOO = "/v1/general/delete-advanced-elements", "/v1/general/delete-elements"
SPEECH = "/v1/audio/tts"
IMAGE, VIDEO = "https://images.invalid/a.png", "https://videos.invalid/a.mp4"
PORTRAIT = base64.b64encode(sample_png("portrait")).decode()
SPEAKING = {"audio": "native", "resolution": "1080p"}


def images(*others: str) -> Data:
    return {"frontal_image": PORTRAIT, "refer_images": [{"image_url": image} for image in others]}


HERO: Data = {
    "element_name": "hero",
    "element_description": "a fox with a red scarf",
    "reference_type": "image_refer",
    "element_image_list": images(PORTRAIT, PORTRAIT),
}
ACTOR: Data = {**HERO, "reference_type": "video_refer", "element_image_list": None}


@pytest.fixture
def sample(sandbox: SandboxServer) -> str:
    """The address of a sound of six seconds."""
    return f"{sandbox.url}/sandbox/samples/voice.wav"


@pytest.fixture
def voice(finished: Finished, sample: str) -> str:
    """The id of a voice that was made."""
    (made,) = finished(VOICES, {"voice_name": "my voice", "voice_url": sample})["task_result"]["voices"]
    return str(made["voice_id"])


@pytest.fixture
def clip(create: Create, look: Look, clock: Clock) -> Callable[..., Data]:
    """Makes a clip; its entry in the outputs."""

    def clip(model: str = "kling-3.0", **chosen: Any) -> Data:
        task_id = create("a fox talks", model, settings=chosen)
        clock.finish()
        return dict(look(task_id)["outputs"][0])

    return clip


def words(response: httpx.Response) -> str:
    assert (response.status_code, response.json()["code"]) == (400, 1201), response.text
    return str(response.json()["message"])


def speak(client: httpx.Client, voice_id: str) -> httpx.Response:
    contents = [
        {"type": "first_frame", "url": IMAGE},
        {"type": "voice", "voice_id": voice_id, "id": "speaker"},
    ]
    return client.post("/image-to-video/kling-2.6", json={"contents": contents, "settings": SPEAKING})


def star(client: httpx.Client, element_id: int) -> httpx.Response:
    contents = [
        {"type": "first_frame", "url": IMAGE},
        {"type": "element", "element_id": str(element_id), "id": "hero"},
    ]
    return client.post("/image-to-video/kling-3.0", json={"contents": contents})


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (VOICES, {"voice_url": VIDEO}, "voice_name is required"),
        (VOICES, {"voice_name": "a" * 21, "voice_url": VIDEO}, "voice_name exceeds the 20-character limit."),
        (VOICES, {"voice_name": "me"}, "video_id or voice_url is required"),
        (
            VOICES,
            {"voice_name": "me", "voice_url": VIDEO, "video_id": "1-1"},
            "video_id and voice_url cannot be used together",
        ),
        (VOICES, {"voice_name": "me", "voice_url": "AAAA"}, "Voice URL is invalid"),
        (VOICES, {"voice_name": "me", "video_id": "1-1"}, "Video id not found"),
        (DELETE_VOICE, {}, "voice_id is required"),
        (DELETE_VOICE, {"voice_id": "1-1"}, "Voice id not found"),
        (DELETE_VOICE, {"voice_id": "sandbox-voice"}, "Voice id not found"),
        (ELEMENTS, {**HERO, "element_name": None}, "element_name is required"),
        (ELEMENTS, {**HERO, "element_name": "a" * 21}, "element_name exceeds the 20-character limit."),
        (ELEMENTS, {**HERO, "element_description": " "}, "element_description is required"),
        (ELEMENTS, {**HERO, "element_description": "a" * 101}, "element_description exceeds the 100-character limit."),
        (ELEMENTS, {**HERO, "reference_type": None}, "reference_type is required"),
        (ELEMENTS, {**HERO, "reference_type": "text"}, "reference_type value 'text' is invalid"),
        (
            ELEMENTS,
            {**HERO, "element_image_list": None},
            "element_image_list is required when reference_type is image_refer",
        ),
        (
            ELEMENTS,
            {**HERO, "element_image_list": {"refer_images": [{"image_url": IMAGE}]}},
            "frontal_image is required",
        ),
        (ELEMENTS, {**HERO, "element_image_list": images()}, "refer_images must have 1 to 3 items"),
        (ELEMENTS, {**HERO, "element_image_list": images(*[IMAGE] * 4)}, "refer_images must have 1 to 3 items"),
        (ELEMENTS, {**HERO, "element_image_list": images("")}, "image_url is required"),
        (ELEMENTS, ACTOR, "element_video_list is required when reference_type is video_refer"),
        (ELEMENTS, {**ACTOR, "element_video_list": {}}, "refer_videos must have exactly 1 item"),
        (
            ELEMENTS,
            {**ACTOR, "element_video_list": {"refer_videos": [{"video_url": VIDEO}] * 2}},
            "refer_videos must have exactly 1 item",
        ),
        (ELEMENTS, {**ACTOR, "element_video_list": {"refer_videos": [{"video_url": "AAAA"}]}}, "Video URL is invalid"),
        (ELEMENTS, {**HERO, "element_voice_id": "nobody"}, "Voice id not found"),
        (ELEMENTS, {**HERO, "tag_list": [{"tag_id": "o_109"}]}, "tag_list[0].tag_id value 'o_109' is invalid"),
        (ELEMENTS, {**HERO, "tag_list": ["o_101"]}, "tag_list[0] value type is invalid, expected object"),
        (DELETE_ELEMENT, {}, "element_id is required"),
        (DELETE_ELEMENT_TOO, {"element_id": "1"}, "Element id not found: 1"),
        (DELETE_ELEMENT, {"element_id": 829836802793406551}, "Element id not found: 829836802793406551"),
        (DELETE_ELEMENT, {"element_id": "9" * 40}, f"Element id not found: {'9' * 40}"),
    ],
)
def test_what_breaks_a_rule_is_refused_in_the_words_of_the_vendor(
    client: httpx.Client, sandbox: SandboxServer, path: str, body: Data, said: str
) -> None:
    assert words(client.post(path, json=body)) == said
    assert sandbox.ledger()["tasks"] == []


class TestVoices:
    def test_a_voice_is_made_from_a_sample(
        self, client: httpx.Client, finished: Finished, sandbox: SandboxServer, sample: str
    ) -> None:
        task = finished(VOICES, {"voice_name": "my voice", "voice_url": sample, "external_task_id": "voice-1"})
        (made,) = task["task_result"]["voices"]
        assert (made["voice_name"], made["owned_by"]) == ("my voice", "SANDBOX")
        facts = audio_facts(httpx.get(made["trial_url"], trust_env=False, timeout=60).content)
        assert facts is not None
        assert facts.seconds == pytest.approx(6, abs=0.1)
        assert client.get(f"{VOICES}/voice-1").json()["data"] == task
        assert sandbox.ledger()["spent_units"] == "0.05"
        (view,) = client.get("/tasks", params={"task_ids": task["task_id"]}).json()["data"]
        expected = {"type": "voice", "id": made["voice_id"], "name": "my voice", "url": made["trial_url"]}
        assert view["outputs"] == [expected | {"owned_by": "SANDBOX", "status": "succeeded"}]

    def test_a_clip_speaks_with_it_until_it_is_deleted(self, client: httpx.Client, voice: str) -> None:
        assert speak(client, voice).status_code == 200
        deleted = client.post(DELETE_VOICE, json={"voice_id": voice}).json()["data"]
        assert deleted == {"task_id": voice.removesuffix("-1"), "task_status": "succeed"}
        assert words(speak(client, voice)) == "Voice id not found"
        assert words(client.post(DELETE_VOICE, json={"voice_id": voice})) == "Voice id not found"

    def test_text_to_speech_does_not_know_it(self, client: httpx.Client, voice: str) -> None:
        body = {"text": "hello", "voice_id": voice, "voice_language": "en"}
        assert words(client.post(SPEECH, json=body)) == "Voice id not found"

    def test_it_cannot_be_used_before_it_is_made(self, client: httpx.Client, sample: str) -> None:
        task_id = client.post(VOICES, json={"voice_name": "me", "voice_url": sample}).json()["data"]["task_id"]
        assert words(speak(client, f"{task_id}-1")) == "Voice id not found"

    def test_it_can_be_taken_from_a_clip_in_which_somebody_speaks(
        self, client: httpx.Client, finished: Finished, clip: Callable[..., Data]
    ) -> None:
        spoken = clip("kling-2.6", **SPEAKING)
        (made,) = finished(VOICES, {"voice_name": "me", "video_id": spoken["id"]})["task_result"]["voices"]
        assert speak(client, made["voice_id"]).status_code == 200

    @pytest.mark.parametrize(("model", "chosen"), [("kling-2.6", {}), ("kling-3.0", {"audio": "native"})])
    def test_it_cannot_be_taken_from_another_clip(
        self, client: httpx.Client, clip: Callable[..., Data], model: str, chosen: Data
    ) -> None:
        body = {"voice_name": "me", "video_id": clip(model, **chosen)["id"]}
        assert words(client.post(VOICES, json=body)) == "the video of video_id has no voice that can be taken"

    def test_a_film_with_sound_is_a_sample_and_a_silent_one_is_none(
        self, finished: Finished, clip: Callable[..., Data]
    ) -> None:
        heard, silent = clip(audio="native", duration=5), clip(duration=5)
        assert finished(VOICES, {"voice_name": "me", "voice_url": heard["url"]})["task_status"] == "succeed"
        assert finished(VOICES, {"voice_name": "me", "voice_url": silent["url"]})["task_status"] == "failed"

    def test_a_sample_needs_five_seconds(self, client: httpx.Client, finished: Finished) -> None:
        spoken = {"text": "Hi there, you over there!", "voice_id": "oversea_male1", "voice_language": "en"}
        sound = client.post(SPEECH, json=spoken).json()["data"]["task_result"]["audios"][0]
        task = finished(VOICES, {"voice_name": "me", "voice_url": sound["url"]})
        assert (task["task_status"], task["task_status_msg"]) == ("failed", "Voice duration can not less than 5s")

    def test_lists_have_larger_pages_than_those_of_other_tasks(self, client: httpx.Client, voice: str) -> None:
        (entry,) = client.get(VOICES, params={"pageSize": 1000}).json()["data"]
        assert entry["task_result"]["voices"][0]["voice_id"] == voice
        assert words(client.get(VOICES, params={"pageSize": 1001})) == "pageSize value '1001' is invalid"
        assert words(client.get(ELEMENTS, params={"pageSize": 501})) == "pageSize value '501' is invalid"

    def test_there_are_voices_for_everybody(self, client: httpx.Client) -> None:
        (entry,) = client.get(PRESET_VOICES).json()["data"]
        (preset,) = entry["task_result"]["voices"]
        assert preset["owned_by"] == "kling"
        assert speak(client, preset["voice_id"]).status_code == 200
        assert audio_facts(httpx.get(preset["trial_url"], trust_env=False).content) is not None
        assert client.get(PRESET_VOICES, params={"pageNum": 2}).json()["data"] == []
        assert words(client.get(PRESET_VOICES, params={"pageNum": "x"})) == "pageNum value 'x' is invalid"


class TestElements:
    def test_an_element_is_made_from_pictures_and_costs_nothing(
        self, client: httpx.Client, finished: Finished, sandbox: SandboxServer
    ) -> None:
        sandbox.settings(balance="0", slots=0)
        body = {**HERO, "tag_list": [{"tag_id": "o_102"}, {"tag_id": "o_103"}]}
        task = finished(ELEMENTS, body)
        assert task["final_unit_deduction"] == "0"
        (made,) = task["task_result"]["elements"]
        assert made["element_id"] > 2**53, "a client that reads it as a float loses digits"
        assert str(made["element_id"]) != task["task_id"]
        assert {name: made[name] for name in ("element_name", "reference_type", "owned_by", "status")} == {
            "element_name": "hero",
            "reference_type": "image_refer",
            "owned_by": "SANDBOX",
            "status": "succeed",
        }
        assert [tag["tag_id"] for tag in made["tag_list"]] == ["o_102", "o_103"]
        assert "element_voice_info" not in made
        pictures = made["element_image_list"]
        urls = [pictures["frontal_image"], *(other["image_url"] for other in pictures["refer_images"])]
        assert len(set(urls)) == 3
        assert httpx.get(urls[2], trust_env=False, timeout=60).headers["content-type"] == "image/png"
        (view,) = client.get("/tasks", params={"task_ids": task["task_id"]}).json()["data"]
        (output,) = view["outputs"]
        assert (output["type"], output["id"]) == ("element", str(made["element_id"]))
        assert output["element_type"] == "multi_image_elements"
        assert [(part["type"], part["role"]) for part in output["references"]] == [
            ("image", "frontal"),
            ("image", "reference"),
            ("image", "reference"),
        ]
        assert [tag["id"] for tag in output["tags"]] == [102, 103]

    @pytest.mark.parametrize("path", [DELETE_ELEMENT, DELETE_ELEMENT_TOO])
    def test_a_clip_shows_it_until_it_is_deleted(self, client: httpx.Client, finished: Finished, path: str) -> None:
        task = finished(ELEMENTS, HERO)
        element_id = task["task_result"]["elements"][0]["element_id"]
        assert star(client, element_id).status_code == 200
        legacy = {"prompt": "a", "image_list": [], "element_list": [{"element_id": element_id}]}
        assert client.post("/v1/images/omni-image", json=legacy).status_code == 200
        deleted = client.post(path, json={"element_id": str(element_id)}).json()["data"]
        assert deleted == {"task_id": task["task_id"], "task_status": "succeed"}
        assert words(star(client, element_id)) == f"Element id not found: {element_id}"
        assert words(client.post(path, json={"element_id": element_id})) == f"Element id not found: {element_id}"
        (shown,) = client.get(ELEMENTS).json()["data"]
        assert shown["task_result"]["elements"][0]["status"] == "deleted"
        (view,) = client.get("/tasks", params={"task_ids": task["task_id"]}).json()["data"]
        assert view["outputs"][0]["status"] == "deleted"

    def test_it_cannot_be_used_before_it_is_made_nor_by_the_id_of_its_task(
        self, client: httpx.Client, finished: Finished
    ) -> None:
        task_id = int(client.post(ELEMENTS, json=HERO).json()["data"]["task_id"])
        assert words(star(client, task_id | 1 << 20)) == f"Element id not found: {task_id | 1 << 20}"
        task_id = int(finished(ELEMENTS, HERO)["task_id"])
        assert words(star(client, task_id)) == f"Element id not found: {task_id}"

    def test_its_pictures_show_what_they_were_made_from(self, finished: Finished) -> None:
        def second(image: str) -> bytes:
            (made,) = finished(ELEMENTS, {**HERO, "element_image_list": images(image)})["task_result"]["elements"]
            url = made["element_image_list"]["refer_images"][0]["image_url"]
            return httpx.get(url, trust_env=False, timeout=60).content

        ocean = base64.b64encode(sample_png("ocean")).decode()
        assert second(PORTRAIT) == second(PORTRAIT) != second(ocean)

    def test_it_can_have_a_voice(self, client: httpx.Client, finished: Finished, voice: str) -> None:
        (made,) = finished(ELEMENTS, {**HERO, "element_voice_id": voice})["task_result"]["elements"]
        info = made["element_voice_info"]
        assert (info["voice_id"], info["voice_name"]) == (voice, "my voice")
        assert httpx.get(info["trial_url"], trust_env=False, timeout=60).headers["content-type"] == "audio/mpeg"

    def test_a_film_makes_a_character_and_the_voice_in_it_a_voice(
        self, client: httpx.Client, finished: Finished, clip: Callable[..., Data]
    ) -> None:
        film = clip(resolution="1080p", audio="native", duration=5)
        body = {**ACTOR, "element_video_list": {"refer_videos": [{"video_url": film["url"]}]}}
        (made,) = finished(ELEMENTS, body)["task_result"]["elements"]
        assert made["element_video_list"]["refer_videos"][0]["video_url"].startswith("http")
        assert "element_image_list" not in made
        assert speak(client, made["element_voice_info"]["voice_id"]).status_code == 200
        contents = [{"type": "element", "element_id": str(made["element_id"]), "id": f"actor{n}"} for n in range(4)]
        omni = {"contents": contents, "settings": {"aspect_ratio": "1:1"}}
        assert client.post("/omni-video/kling-3.0-omni", json=omni).status_code == 400, "three characters at most"

    def test_a_silent_film_makes_no_voice(
        self, client: httpx.Client, finished: Finished, clip: Callable[..., Data]
    ) -> None:
        film = clip(resolution="1080p", duration=5, aspect_ratio="9:16")
        task = finished(ELEMENTS, {**ACTOR, "element_video_list": {"refer_videos": [{"video_url": film["url"]}]}})
        assert "element_voice_info" not in task["task_result"]["elements"][0]
        assert words(speak(client, f"{task['task_id']}-3")) == "Voice id not found"

    @pytest.mark.parametrize(
        ("chosen", "said"),
        [
            ({"resolution": "720p"}, "The resolution or aspect ratio of the input video is invalid."),
            ({"resolution": "1080p", "aspect_ratio": "1:1"}, "The resolution or aspect ratio of the input video"),
            ({"resolution": "1080p", "duration": 9}, "Video duration can not more than 8s"),
        ],
    )
    def test_a_film_of_another_kind_fails_the_task(
        self, finished: Finished, clip: Callable[..., Data], chosen: Data, said: str
    ) -> None:
        body = {**ACTOR, "element_video_list": {"refer_videos": [{"video_url": clip(**chosen)["url"]}]}}
        task = finished(ELEMENTS, body)
        assert task["task_status"] == "failed"
        assert task["task_status_msg"].startswith(said)

    def test_there_are_elements_for_everybody(self, client: httpx.Client) -> None:
        entries = client.get(PRESET_ELEMENTS).json()["data"]
        presets = [entry["task_result"]["elements"][0] for entry in entries]
        assert [preset["reference_type"] for preset in presets] == ["image_refer", "video_refer"]
        assert {preset["owned_by"] for preset in presets} == {"kling"}
        assert all(star(client, preset["element_id"]).status_code == 200 for preset in presets)
        assert client.get(PRESET_ELEMENTS, params={"pageSize": 1, "pageNum": 2}).json()["data"] == entries[1:]


def test_what_was_made_and_deleted_survives_a_restart(tmp_path: Path, clock: Clock) -> None:
    settings = SandboxSettings(state=tmp_path / "state.db", queue_seconds=0, generation_seconds=0, max_render_height=96)
    with SandboxServer(settings, clock=clock) as server, client_of(server) as client:
        kept, gone = (client.post(ELEMENTS, json=HERO).json()["data"]["task_id"] for _ in range(2))
        found = {}
        for task_id in (kept, gone):
            while (task := client.get(f"{ELEMENTS}/{task_id}").json()["data"])["task_status"] != "succeed":
                assert task["task_status"] != "failed", task
            found[task_id] = task["task_result"]["elements"][0]["element_id"]
        assert client.post(DELETE_ELEMENT, json={"element_id": found[gone]}).status_code == 200
    with SandboxServer(settings, clock=clock) as server, client_of(server) as client:
        assert star(client, found[kept]).status_code == 200
        assert words(star(client, found[gone])) == f"Element id not found: {found[gone]}"
        statuses = [task["task_result"]["elements"][0]["status"] for task in client.get(ELEMENTS).json()["data"]]
        assert sorted(statuses) == ["deleted", "succeed"]
