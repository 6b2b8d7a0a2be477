"""Jobs whose inputs are the results of others."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import WorkflowState

pytestmark = pytest.mark.airflow

JOBS = ("picture", "character", "first", "lips", "second")


@pytest.fixture(scope="module")
def large_sandbox():
    """Its results are large enough to be inputs."""
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.2, max_render_height=360)
    with SandboxServer(settings) as server:
        yield server


def test_picture_character_video_lips_and_the_next_shot(airflow, connect, large_sandbox):
    connect(url=large_sandbox.url)
    run = airflow.run("chain", request={"kind": "image", "prompt": "A red fox asleep", "model": "kling-3.0"})
    jobs = {key: run.job(key=key) for key in JOBS}
    assert (run.state, {job.state for job in jobs.values()}) == ("success", {WorkflowState.COMPLETED})
    assert jobs["picture"].processed_url.endswith("/image-1.png")
    assert jobs["character"].result.outputs[0]["type"] == "element"
    # Each was ordered once; the lips needed a speech and a look for faces.
    assert sorted(task["product"] for task in large_sandbox.ledger()["tasks"]) == [
        *("custom-element", "identify-face", "image-generation", "image-to-video", "image-to-video"),
        *("lip-sync", "tts"),
    ]


def test_a_chain_ends_where_a_job_fails_and_spends_no_more(airflow, connect, large_sandbox):
    large_sandbox.reset()
    connect(url=large_sandbox.url)
    run = airflow.run("chain", request={"kind": "image", "prompt": "[sandbox:fail=no]", "model": "kling-3.0"})
    assert (run.state, run.job(key="picture").state) == ("failed", WorkflowState.FAILED)
    assert len(large_sandbox.ledger()["tasks"]) == 1
    assert {state for name, state in run.tasks(prefix="first.").items() if name != "verdict"} <= {
        "upstream_failed",
        "skipped",
        "failed",
    }
