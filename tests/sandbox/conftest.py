"""A sandbox on a loopback port, whose clock only moves when a test moves it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sandbox_calls import GENERATION_SECONDS, QUEUE_SECONDS, Clock, Create, Finished, Look, client_of

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def running(clock: Clock) -> Iterator[SandboxServer]:
    settings = SandboxSettings(
        queue_seconds=QUEUE_SECONDS, generation_seconds=GENERATION_SECONDS, max_render_height=96, slots=5
    )
    with SandboxServer(settings, clock=clock) as server:
        yield server


@pytest.fixture
def sandbox(running: SandboxServer, clock: Clock) -> SandboxServer:
    # Tests name moments: tokens made for the beginning had expired once others had moved the clock far enough.
    clock.time = Clock().time
    running.reset()
    return running


@pytest.fixture
def client(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with client_of(sandbox) as client:
        yield client


@pytest.fixture
def create(client: httpx.Client) -> Create:
    """Creates a text-to-video task of the new generation; its id."""

    def create(prompt: str = "a fox", model: str = "kling-3.0", **body: Any) -> str:
        response = client.post(f"/text-to-video/{model}", json={"prompt": prompt, **body})
        assert response.status_code == 200, response.text
        return str(response.json()["data"]["id"])

    return create


@pytest.fixture
def look(client: httpx.Client) -> Look:
    """The task object of the new generation."""

    def look(task_id: str) -> dict[str, Any]:
        (task,) = client.get("/tasks", params={"task_ids": task_id}).json()["data"]
        return dict(task)

    return look


@pytest.fixture
def finished(client: httpx.Client, clock: Clock) -> Finished:
    """Creates a task on a legacy path and lets it end; the task object of that path."""

    def finished(path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = client.post(path, json=body)
        assert response.status_code == 200, response.text
        task_id = response.json()["data"]["task_id"]
        for _ in range(400):
            clock.finish()
            task = dict(client.get(f"{path}/{task_id}").json()["data"])
            if task["task_status"] in {"succeed", "failed"}:
                return task
            time.sleep(0.01)  # its inputs are being looked at
        raise AssertionError(f"{task_id} does not end")

    return finished
