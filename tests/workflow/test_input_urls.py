"""Inputs that are named by address: found out before anything is ordered."""

from __future__ import annotations

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from workshop import Workshop

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import WorkflowJob
from airflow_provider_klingvideo.workflow import WorkflowState as S

REDIRECTS = {
    "/to-metadata.png": "http://169.254.169.254/latest",
    "/to-file.png": "file:///etc/passwd",
    "/to-itself.png": "/to-itself.png",
}
STATUSES = {"/gone.png": 404, "/forbidden.png": 403, "/busy.png": 503}


class Pictures(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        if path in REDIRECTS:
            self.send_response(302)
            self.send_header("Location", REDIRECTS[path])
            self.end_headers()
            return
        self.send_response(STATUSES.get(path, 200))
        self.send_header("Content-Type", "text/html" if path == "/page.png" else "image/png")
        self.end_headers()
        self.wfile.write(b"x" * 100)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def pictures():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def server():
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0.1, max_render_height=120)) as server:
        yield server


@pytest.fixture
def workshop(server, pictures, tmp_path):
    server.reset()
    workshop = Workshop(server, tmp_path)
    media = workshop.settings.media
    allowed = replace(media, allowed_private_hosts=media.allowed_private_hosts | {pictures})
    workshop.settings = replace(workshop.settings, media=allowed)
    return workshop


def job(url):
    return WorkflowJob(id="job-1", params={"kind": "image_to_video", "first_frame": url, "model": "kling-2.5-turbo"})


@pytest.mark.scenario(4)
@pytest.mark.parametrize(
    ("path", "words", "retryable"),
    [
        ("/gone.png", "is not served", False),
        ("/forbidden.png", "is not served", False),
        ("/busy.png", "is not served", True),
        ("/page.png", "is a page and no file", False),
        ("/to-metadata.png", "169.254.169.254 is not a public address", False),
        ("/to-file.png", "Refused to download from a file address", False),
        ("/to-itself.png", "redirects more than 5 times", False),
    ],
)
def test_what_the_vendor_could_not_fetch_fails_in_validation(workshop, server, pictures, path, words, retryable):
    done = workshop.process(job(f"http://{pictures}{path}?Signature=secret"))
    assert (done.path, done.failure["kind"], done.failure["money"]) == ([S.CREATED, S.FAILED], "input", "none")
    assert words in done.error
    assert done.failure["retryable"] is retryable
    assert "first_frame" in done.error
    assert "secret" not in done.error
    assert server.ledger()["tasks"] == []


@pytest.mark.scenario(4)
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9/a.png", "127.0.0.1 is not a public address"),
        ("http://localhost:9/a.png", "is not a public address"),
        ("http://[::1]:9/a.png", "::1 is not a public address"),
        ("http://no-such-host.invalid/a.png", "does not resolve"),
    ],
)
def test_private_addresses_and_names_that_lead_nowhere(workshop, server, url, words):
    done = workshop.process(job(url))
    assert (done.state, server.ledger()["tasks"]) == (S.FAILED, [])
    assert words in done.error


def test_a_picture_that_is_there_is_no_obstacle_and_is_looked_at_once(workshop, server):
    done = workshop.process(job(f"{server.url}/sandbox/samples/square.png"))
    assert done.state is S.COMPLETED, done.error


def test_workers_without_a_way_out_may_leave_it_to_the_vendor(workshop, server):
    workshop.settings = replace(workshop.settings, check_input_urls=False)
    done = workshop.process(job("http://127.0.0.1:9/a.png"))
    assert done.failure["kind"] == "generation_failed"
    assert len(server.ledger()["tasks"]) == 1
