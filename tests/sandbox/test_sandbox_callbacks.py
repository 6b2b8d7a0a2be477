"""Callbacks, received by a real server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sandbox_calls import client_of

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.sandbox.serving.callbacks import sign

SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
QUICK = {"queue_seconds": 0.05, "generation_seconds": 0.15}


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/callback"

    def bodies(self, count: int) -> list[dict[str, Any]]:
        """The bodies, once there are so many."""
        for _ in range(250):
            if len(self.got) >= count:
                break
            time.sleep(0.02)
        assert len(self.got) == count
        return [json.loads(body) for _, body in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_vendors_test_vector() -> None:
    body = (
        b'{"id":"1234567890","status":"succeeded","message":"","create_time":1781080778802,"update_time":1781080794151}'
    )
    assert sign(SECRET, "9876543210", "1781080794", body) == "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="


def test_new_generation_sends_the_bare_task(receiver: Receiver) -> None:
    with SandboxServer(SandboxSettings(**QUICK)) as sandbox, client_of(sandbox) as client:
        body = {"prompt": "a", "options": {"callback_url": receiver.url, "external_task_id": "run-1"}}
        task_id = client.post("/text-to-video/kling-3.0", json=body).json()["data"]["id"]
        first, last = receiver.bodies(2)
        assert (first["id"], first["status"], first["external_id"]) == (task_id, "processing", "run-1")
        assert (last["status"], last["billing"][0]["amount"]) == ("succeeded", "3")
        assert last == client.get(f"/tasks?task_ids={task_id}").json()["data"][0]
        assert "webhook-signature" not in receiver.got[0][0]


def test_legacy_sends_a_flat_object(receiver: Receiver) -> None:
    with SandboxServer(SandboxSettings(**QUICK)) as sandbox, client_of(sandbox) as client:
        body = {"model_name": "kling-v3", "prompt": "[sandbox:fail]", "callback_url": receiver.url}
        client.post("/v1/videos/text2video", json=body)
        client.post("/v1/videos/text2video", json=body | {"prompt": "a"})
        last = [body for body in receiver.bodies(4) if body["task_status"] != "processing"]
        by_status = {body["task_status"]: body for body in last}
        assert set(by_status) == {"succeed", "failed"}
        assert set(by_status["succeed"]) == {
            "task_id",
            "task_status",
            "task_status_msg",
            "created_at",
            "updated_at",
            "final_unit_deduction",
            "final_balance_deduction",
            "task_info",
            "task_result",
        }
        assert by_status["succeed"]["final_unit_deduction"] == "3"
        assert (by_status["failed"]["task_result"], by_status["failed"]["final_unit_deduction"]) == ({}, "0")


def test_with_a_secret_they_are_signed(receiver: Receiver) -> None:
    settings = SandboxSettings(webhook_secret=SECRET, **QUICK)
    with SandboxServer(settings) as sandbox, client_of(sandbox) as client:
        client.post("/text-to-video/kling-3.0", json={"prompt": "a", "options": {"callback_url": receiver.url}})
        receiver.bodies(2)
    ids = set()
    for headers, body in receiver.got:
        message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
        ids.add(message_id)
        assert abs(int(timestamp) - time.time()) < 60
        assert headers["webhook-signature"] == sign(SECRET, message_id, timestamp, body)
    assert len(ids) == 2


def test_an_error_is_not_tried_again(receiver: Receiver) -> None:
    receiver.status = 500
    with SandboxServer(SandboxSettings(**QUICK)) as sandbox, client_of(sandbox) as client:
        client.post("/text-to-video/kling-3.0", json={"prompt": "a", "options": {"callback_url": receiver.url}})
        assert [body["status"] for body in receiver.bodies(2)] == ["processing", "succeeded"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "nonsense", "http://[", "ftp://a.invalid/x"])
def test_an_address_that_leads_nowhere_harms_nobody(receiver: Receiver, address: str) -> None:
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0)) as sandbox, client_of(sandbox) as client:
        for url in (address, receiver.url):
            body = {"prompt": "a", "options": {"callback_url": url}}
            assert client.post("/text-to-video/kling-3.0", json=body).status_code == 200
        receiver.bodies(2)
        assert {row["status"] for row in sandbox.ledger()["tasks"]} == {"succeeded"}


def test_a_restart_sends_what_is_due_and_nothing_twice(receiver: Receiver, tmp_path: Path) -> None:
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.6, state=tmp_path / "state.db")
    with SandboxServer(settings) as sandbox, client_of(sandbox) as client:
        client.post("/text-to-video/kling-3.0", json={"prompt": "a", "options": {"callback_url": receiver.url}})
        receiver.bodies(1)
    with SandboxServer(settings):
        assert [body["status"] for body in receiver.bodies(2)] == ["processing", "succeeded"]


def test_a_bad_image_is_told(receiver: Receiver) -> None:
    with SandboxServer(SandboxSettings(**QUICK)) as sandbox, client_of(sandbox) as client:
        for prompt in ("a", "[sandbox:stuck]"):
            contents = [{"type": "prompt", "text": prompt}, {"type": "first_frame", "url": f"{sandbox.url}/nothing"}]
            body = {"contents": contents, "options": {"callback_url": receiver.url}}
            client.post("/image-to-video/kling-3.0", json=body)
        last = [body for body in receiver.bodies(4) if body["status"] == "failed"]
        assert [body["message"][:20] for body in last] == ["Something went wrong"] * 2


def test_subtitles_tell_only_their_end(receiver: Receiver) -> None:
    body = {
        "contents": [{"type": "source_video", "url": receiver.url}],
        "options": {"callback_url": receiver.url},
    }
    with SandboxServer(SandboxSettings(**QUICK)) as server, client_of(server) as client:
        assert client.post("/solutions/drama_subtitle", json=body).status_code == 200
        assert [told["status"] for told in receiver.bodies(1)] == ["failed"]
