"""Sounds: effects, speech that comes with the answer, and what can be made with them."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from sandbox_calls import Clock, Create, Finished, Look

from airflow_provider_klingvideo.sandbox import SandboxServer
from airflow_provider_klingvideo.sandbox.files.audio_files import audio_facts
from airflow_provider_klingvideo.sandbox.files.images import sample_png

EFFECT, FROM_VIDEO, SPEECH = "/v1/audio/text-to-audio", "/v1/audio/video-to-audio", "/v1/audio/tts"
AVATAR = "/v1/videos/avatar/image2video"
VIDEO = "https://videos.invalid/a.mp4"
HELLO = {"text": "Hello. " * 10, "voice_id": "oversea_male1", "voice_language": "en"}
PORTRAIT = base64.b64encode(sample_png("portrait")).decode()


def download(url: str) -> httpx.Response:
    response = httpx.get(url, trust_env=False, timeout=60)
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (EFFECT, {"duration": 5}, "prompt is required"),
        (EFFECT, {"prompt": "a" * 201, "duration": 5}, "prompt exceeds the 200-character limit."),
        (EFFECT, {"prompt": "rain"}, "duration is required"),
        (EFFECT, {"prompt": "rain", "duration": 2.9}, "duration value '2.9' is invalid"),
        (EFFECT, {"prompt": "rain", "duration": 10.1}, "duration value '10.1' is invalid"),
        (EFFECT, {"prompt": "rain", "duration": "5"}, "duration value type is invalid, expected number"),
        (FROM_VIDEO, {}, "video_id or video_url is required"),
        (FROM_VIDEO, {"video_id": "1-1", "video_url": VIDEO}, "video_id and video_url cannot be used together"),
        (FROM_VIDEO, {"video_id": "1-1"}, "Video id not found"),
        (FROM_VIDEO, {"video_url": "AAAA"}, "Video URL is invalid"),
        (
            FROM_VIDEO,
            {"video_url": VIDEO, "sound_effect_prompt": "a" * 201},
            "sound_effect_prompt exceeds the 200-character limit.",
        ),
        (FROM_VIDEO, {"video_url": VIDEO, "bgm_prompt": "a" * 201}, "bgm_prompt exceeds the 200-character limit."),
        (
            FROM_VIDEO,
            {"video_url": VIDEO, "asmr_mode": "yes"},
            "asmr_mode value type is invalid, expected boolean",
        ),
        (SPEECH, {**HELLO, "text": ""}, "text is required"),
        (SPEECH, {**HELLO, "text": "a" * 1001}, "text exceeds the 1000-character limit."),
        (SPEECH, {**HELLO, "voice_id": None}, "voice_id is required"),
        (SPEECH, {**HELLO, "voice_id": "sandbox-voice"}, "Voice id not found"),
        (SPEECH, {**HELLO, "voice_language": "zh"}, "Voice id not found"),
        (SPEECH, {**HELLO, "voice_language": None}, "voice_language is required"),
        (SPEECH, {**HELLO, "voice_language": "fr"}, "voice_language value 'fr' is invalid"),
        (SPEECH, {**HELLO, "voice_speed": 0.7}, "voice_speed value '0.7' is invalid"),
        (SPEECH, {**HELLO, "voice_speed": 2.1}, "voice_speed value '2.1' is invalid"),
    ],
)
def test_what_breaks_a_rule_is_refused_in_the_words_of_the_vendor(
    client: httpx.Client, sandbox: SandboxServer, path: str, body: dict[str, Any], words: str
) -> None:
    response = client.post(path, json=body)
    assert (response.status_code, response.json()["code"]) == (400, 1201), response.text
    assert response.json()["message"] == words
    assert sandbox.ledger()["tasks"] == []


class TestEffects:
    def test_an_effect_is_an_mp3_and_a_wav_of_the_wanted_length(self, client: httpx.Client, finished: Finished) -> None:
        task = finished(EFFECT, {"prompt": "rain on a tin roof", "duration": 3.5})
        (audio,) = task["task_result"]["audios"]
        assert (audio["duration_mp3"], audio["duration_wav"]) == ("3.500", "3.500")
        mp3, wav = download(audio["url_mp3"]), download(audio["url_wav"])
        assert (mp3.headers["content-type"], wav.headers["content-type"]) == ("audio/mpeg", "audio/wav")
        for answer, name in ((mp3, "mp3"), (wav, "wav")):
            facts = audio_facts(answer.content)
            assert facts is not None
            assert facts.format == name
            assert facts.seconds == pytest.approx(3.5, abs=0.1)  # an MP3 consists of whole frames
            assert b"SANDBOX" in answer.content
        (view,) = client.get("/tasks", params={"task_ids": task["task_id"]}).json()["data"]
        assert view["outputs"] == [
            {
                "type": "audio",
                "id": audio["id"],
                "mp3_url": audio["url_mp3"],
                "wav_url": audio["url_wav"],
                "mp3_duration": "3.500",
                "wav_duration": "3.500",
            }
        ]
        assert view["billing"] == [{"charge_type": "unit", "amount": "0.25", "package_type": "video"}]

    def test_a_clip_gets_a_sound_and_keeps_its_length(
        self, create: Create, look: Look, clock: Clock, finished: Finished
    ) -> None:
        clip = create("a silent fox", settings={"duration": 4})
        clock.finish()
        video_id = look(clip)["outputs"][0]["id"]
        task = finished(FROM_VIDEO, {"video_id": video_id, "bgm_prompt": "flutes", "asmr_mode": True})
        (video,), (audio,) = task["task_result"]["videos"], task["task_result"]["audios"]
        assert (video["duration"], audio["duration_mp3"]) == ("4.041", "4.041")
        assert task["task_info"]["parent_video"]["id"] == video_id
        assert task["final_unit_deduction"] == "0.25"
        assert b"mp4a" in download(video["url"]).content, "it can be heard"
        spoken = finished(AVATAR, {"image": PORTRAIT, "audio_id": audio["id"]})
        assert spoken["task_status"] == "succeed", spoken["task_status_msg"]

    @pytest.mark.parametrize("url", [VIDEO, "a picture"])
    def test_a_clip_that_is_not_what_it_should_be_fails_the_task(
        self, sandbox: SandboxServer, finished: Finished, url: str
    ) -> None:
        url = f"{sandbox.url}/sandbox/samples/portrait.png" if url == "a picture" else url
        task = finished(FROM_VIDEO, {"video_url": url})
        assert task["task_status"] == "failed"
        assert task["task_status_msg"] == "Something went wrong when we tried to get the contents of the file."


class TestSpeech:
    def test_speech_comes_with_the_answer_and_is_paid_for_at_once(
        self, client: httpx.Client, sandbox: SandboxServer
    ) -> None:
        data = client.post(SPEECH, json=HELLO).json()["data"]
        assert (data["task_status"], data["final_unit_deduction"]) == ("succeed", "0.05")
        (audio,) = data["task_result"]["audios"]
        assert audio.keys() == {"id", "url", "duration"}
        facts = audio_facts(download(audio["url"]).content)
        assert facts is not None
        assert facts.seconds == pytest.approx(float(audio["duration"]), abs=0.1)
        ledger = sandbox.ledger()
        assert (ledger["spent_units"], ledger["in_flight"]) == ("0.05", 0)
        assert client.get("/tasks", params={"task_ids": data["task_id"]}).json()["data"] == []
        assert client.get(SPEECH).status_code == 404

    def test_faster_speech_is_shorter(self, client: httpx.Client) -> None:
        def seconds(speed: float) -> float:
            data = client.post(SPEECH, json={**HELLO, "voice_speed": speed}).json()["data"]
            return float(data["task_result"]["audios"][0]["duration"])

        assert seconds(2) < seconds(1) < seconds(0.8)

    def test_an_avatar_can_speak_it_for_thirty_days(
        self, client: httpx.Client, finished: Finished, clock: Clock
    ) -> None:
        audio = client.post(SPEECH, json=HELLO).json()["data"]["task_result"]["audios"][0]
        body = {"image": PORTRAIT, "audio_id": audio["id"]}
        task = finished(AVATAR, body)
        assert float(task["task_result"]["videos"][0]["duration"]) == pytest.approx(float(audio["duration"]), abs=0.1)
        clock.pass_(31 * 86_400)
        assert client.post(AVATAR, json=body).json()["message"] == "Audio id not found"

    def test_an_effect_is_a_sound_like_any_other(self, client: httpx.Client, finished: Finished) -> None:
        (audio,) = finished(EFFECT, {"prompt": "applause", "duration": 4})["task_result"]["audios"]
        assert client.post(AVATAR, json={"image": PORTRAIT, "audio_id": audio["id"]}).status_code == 200

    def test_without_units_nothing_is_said(self, client: httpx.Client, sandbox: SandboxServer) -> None:
        sandbox.settings(balance="0.04")
        answer = client.post(SPEECH, json=HELLO)
        assert (answer.status_code, answer.json()["code"]) == (429, 1102)
