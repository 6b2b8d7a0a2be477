"""A sandbox shared by all tests, a scripted server for answers that no sandbox gives, and retries without pauses."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from kling_servers import ACCESS_KEY, API_KEY, SECRET_KEY, SETTINGS, Driver, ScriptedServer, envelope

from airflow_provider_klingvideo.kling import AccessKeyAuth, ApiKeyAuth
from airflow_provider_klingvideo.kling.client import client
from airflow_provider_klingvideo.sandbox import SandboxServer


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SETTINGS) as server:
        yield server


@pytest.fixture
def sandbox(running_sandbox: SandboxServer) -> SandboxServer:
    """An empty sandbox whose tasks are done at once."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture(scope="session")
def running_scripted() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    server.close()


@pytest.fixture
def scripted(running_scripted: ScriptedServer) -> ScriptedServer:
    running_scripted.script(envelope([]))
    return running_scripted


@pytest.fixture
def refused_url() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_backoff", lambda state: 0.0)


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Driver:
    return Driver(request.param)


@pytest.fixture
def make_auth() -> Callable[[str], ApiKeyAuth | AccessKeyAuth]:
    """``new``: an API key; ``legacy``: signed tokens."""
    return lambda family: ApiKeyAuth(API_KEY) if family == "new" else AccessKeyAuth(ACCESS_KEY, SECRET_KEY)
