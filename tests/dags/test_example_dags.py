"""The examples that chain products do what they say."""

from __future__ import annotations

import json

import pytest

from airflow_provider_klingvideo.kling import ApiKeyAuth, KlingClient, parse_request
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def large_sandbox():
    """Its results are large enough to be inputs."""
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.2, max_render_height=360)
    with SandboxServer(settings) as server:
        yield server


@pytest.fixture
def shop(large_sandbox, connect):
    large_sandbox.reset()
    connect(url=large_sandbox.url)
    return large_sandbox


@pytest.fixture
def portrait(shop):
    """The address of a picture."""
    with KlingClient(ApiKeyAuth("sandbox-key"), base_url=shop.url) as client:
        task = client.create(parse_request({"kind": "image", "prompt": "a face"}), external_task_id="portrait")
        while not (outputs := client.get_task(task.id, kind="image").outputs):
            pass
    return outputs[0].url


def products(shop):
    return sorted(task["product"] for task in shop.ledger()["tasks"])


def test_a_portrait_speaks_and_the_speech_is_paid_once(airflow, shop, portrait):
    conf = {"portrait": portrait, "text": "Hello! It is good to see you, how are you today?"}
    run = airflow.run("talking_avatar", **conf)
    assert (run.state, run.job(key="avatar").processed_url.rpartition("/")[2]) == ("success", "master.mp4")
    again = airflow.run_again("talking_avatar", **conf)
    assert (again.state, len(products(shop))) == ("success", len(products(shop)))
    requests = shop.ledger()["requests"]
    assert (requests["POST /v1/audio/tts 200/0"], requests["POST /v1/videos/avatar/image2video 200/0"]) == (1, 1)


def test_a_storyboard_shows_one_character_in_every_shot(airflow, shop):
    run = airflow.run("storyboard", shots=["@hero wakes up", "@hero runs"], seconds=3)
    assert run.state == "success"
    assert [run.job(index, key="shots.jobs").prompt for index in range(2)] == ["@hero wakes up", "@hero runs"]
    element = run.job(key="character").result.outputs[0]["id"]
    for index in range(2):
        reference = run.job(index, key="shots.jobs").params["elements"][0]["element_id"]["id_of"]
        assert reference["output_id"] == element
    assert run.job(key="opening_goes_on").processed_url.endswith("/master.mp4")


def test_an_effect_is_made_for_every_picture(airflow, shop, portrait):
    run = airflow.run("effects", scene="birthday_board", pictures=[portrait, portrait])
    manifest = json.loads((run.store.base / "effects.jobs.manifest.json").read_text())
    assert (run.state, manifest["states"]) == ("success", {"COMPLETED": 2})
