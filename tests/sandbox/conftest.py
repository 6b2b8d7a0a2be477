"""A sandbox on a loopback port, whose clock only moves when a test moves it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sandbox_calls import GENERATION_SECONDS, QUEUE_SECONDS, Clock, Create, Look, client_of

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
def sandbox(running: SandboxServer) -> SandboxServer:
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
