"""The sandbox's own surface, its Python interface and its settings."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from sandbox_calls import Clock, Create

import airflow_provider_klingvideo.sandbox as room
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings, create_app
from airflow_provider_klingvideo.sandbox.server import SandboxServerError


def test_the_page_says_what_it_is(client: httpx.Client) -> None:
    response = client.get("/sandbox")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "SANDBOX" in response.text
    assert "prefers-color-scheme: dark" in response.text
    assert "innerHTML" not in response.text


def test_health_needs_no_key(sandbox: SandboxServer) -> None:
    response = httpx.get(f"{sandbox.url}/sandbox/health", trust_env=False)
    assert response.json() == {"status": "ok", "sandbox": True, "region": "singapore"}


def test_the_ledger_tells_everything(sandbox: SandboxServer, create: Create, clock: Clock) -> None:
    task_id = create("a fox", options={"external_task_id": "run-1"})
    ledger = sandbox.ledger()
    (row,) = ledger["tasks"]
    assert row | {"created_at": 0, "updated_at": 0} == {
        "id": task_id,
        "external_id": "run-1",
        "generation": "new",
        "product": "text-to-video",
        "model": "kling-3.0",
        "prompt": "a fox",
        "resolution": "720p",
        "seconds": 5,
        "sound": "silent",
        "status": "submitted",
        "message": "",
        "quoted_units": "3",
        "units": "0",
        "cash": "0",
        "created_at": 0,
        "updated_at": 0,
        "pack": "video",
        "outputs": [],
        "url": None,
    }
    assert (ledger["account"], ledger["region"], ledger["slots"]) == ("SANDBOX", "singapore", 5)
    assert ledger["requests"] == {"POST /text-to-video/{model} 200/0": 1}


def test_requests_are_counted_by_route_and_result(sandbox: SandboxServer, client: httpx.Client, create: Create) -> None:
    task_id = create()
    for path in (f"/tasks?task_ids={task_id}", "/tasks", "/v1/videos/text2video/1", "/v1/videos/text2video/2", "/x"):
        client.get(path)
    assert sandbox.ledger()["requests"] == {
        "POST /text-to-video/{model} 200/0": 1,
        "GET /tasks 200/0": 1,
        "GET /tasks 400/1201": 1,
        "GET /v1/videos/text2video/{task_id} 400/1201": 2,
        "GET /x 404/1203": 1,
    }
    assert [entry["path"] for entry in sandbox.requests()][-2:] == [
        f"/tasks?task_ids={task_id}",
        "/text-to-video/kling-3.0",
    ]


def test_settings_change_while_it_runs(sandbox: SandboxServer, create: Create, clock: Clock) -> None:
    changed = sandbox.settings(slots=1, balance="7.5", queue_seconds="0", generation_seconds="3-4")
    others = {"image_slots": 9, "image_balance": "10000", "try_on_slots": 5, "try_on_balance": "10000"}
    times = {"queue_seconds": [0, 0], "generation_seconds": [3, 4]}
    assert changed == {"slots": 1, "balance": "7.5"} | others | times
    create()
    for seconds, status in ((2.9, "processing"), (1.1, "succeeded")):
        clock.pass_(seconds)
        assert sandbox.ledger()["tasks"][0]["status"] == status
    sandbox.reset()
    assert sandbox.settings() == {
        "slots": 5,
        "balance": "10000",
        **others,
        "queue_seconds": [2, 2],
        "generation_seconds": [10, 10],
    }


@pytest.mark.parametrize("change", [{"slots": -1}, {"balance": "much"}, {"queue_seconds": [1]}, {"colour": "red"}])
def test_settings_that_make_no_sense_are_refused(sandbox: SandboxServer, change: dict[str, Any]) -> None:
    with pytest.raises(SandboxServerError, match="refused settings"):
        sandbox.settings(**change)


@pytest.mark.parametrize(
    ("given", "span"), [(3, (3, 3)), ("3", (3, 3)), ("3-4.5", (3, 4.5)), ((1, 2), (1, 2)), ([1, 2], (1, 2))]
)
def test_a_span_can_be_written_in_many_ways(given: Any, span: tuple[float, float]) -> None:
    assert SandboxSettings(queue_seconds=given).queue_seconds == span


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue_seconds": "soon"},
        {"queue_seconds": -1},
        {"region": "mars"},
        {"webhook_secret": "secret"},
        {"webhook_secret": "whsec_a"},
        {"webhook_secret": "whsec_"},
        {"colour": "red"},
    ],
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SandboxSettings(**wrong)


def test_settings_are_taken_from_a_mapping_only() -> None:
    with pytest.raises(ValidationError):
        SandboxSettings.model_validate("singapore")


def test_secrets_are_not_shown() -> None:
    shown = repr(SandboxSettings(webhook_secret="whsec_dGVzdA=="))
    assert "sandbox-secret" not in shown
    assert "whsec" not in shown


def test_the_jitter_is_seeded(clock: Clock) -> None:
    def durations(seed: int) -> list[int]:
        app = create_app(SandboxSettings(seed=seed, queue_seconds=0, generation_seconds="1-900"), clock)
        with TestClient(app, headers={"Authorization": "Bearer sandbox-key"}) as client:
            for _ in range(3):
                client.post("/text-to-video/kling-3.0", json={"prompt": "a"})
            tasks = app.state.sandbox.account.tasks.values()
            return [task.finish_at - task.processing_at for task in tasks]

    assert durations(1) == durations(1) != durations(2)


def test_many_at_once_never_pass_the_slots(sandbox: SandboxServer) -> None:
    statuses: list[int] = []

    def press() -> None:
        for _ in range(4):
            response = httpx.post(
                f"{sandbox.url}/text-to-video/kling-3.0",
                json={"prompt": "a"},
                headers={"Authorization": "Bearer sandbox-key"},
                trust_env=False,
                timeout=30,
            )
            statuses.append(response.status_code)

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(200), statuses.count(429)) == (5, 11)
    assert sandbox.ledger()["max_in_flight_seen"] == 5


def test_a_port_that_is_taken_is_told(sandbox: SandboxServer) -> None:
    with pytest.raises(SandboxServerError, match=r"cannot listen on 127\.0\.0\.1.*Choose another port"):
        SandboxServer(port=sandbox.port).start()


def test_breaking_a_connection_wants_the_own_server() -> None:
    with TestClient(create_app()) as client:
        client.post("/sandbox/rules", json={"action": {"type": "drop_before"}})
        with pytest.raises(RuntimeError, match="SandboxServer"):
            client.get("/tasks")


def test_the_room_is_loaded_when_it_is_used() -> None:
    code = (
        "import sys, airflow_provider_klingvideo.sandbox, airflow_provider_klingvideo.cli;"
        "print([name for name in ('httpx', 'pydantic', 'fastapi', 'uvicorn', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_it_has_no_other_names() -> None:
    assert room.create_app is create_app
    with pytest.raises(AttributeError, match="nothing"):
        _ = room.nothing


def test_it_shares_nothing_with_the_product() -> None:
    code = (
        "import sys, airflow_provider_klingvideo.sandbox.server;"
        "print(sorted({name.split('.')[1] for name in sys.modules if name.startswith('airflow_provider_klingvideo.')}),"
        "'airflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "['_urls', '_words', 'errors', 'sandbox'] False"
