"""Jobs that ask for callbacks do not depend on them: asking Kling alone completes them."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from workshop import Workshop

from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState, reopened

S = WorkflowState
PATH = [S.CREATED, S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING, S.COMPLETED]
PATIENCE_SECONDS = 30


class Receiver(ThreadingHTTPServer):
    """Takes callbacks once it is opened, and answers with ``status``, or hangs up when that is None."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.opened = threading.Event()
        self.taken = threading.Semaphore(0)
        self.statuses = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/callback"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.opened.wait(PATIENCE_SECONDS)
        self.server.statuses.append(body["status"])
        self.server.taken.release()
        if self.server.status is not None:
            self.send_response(self.server.status)
            self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def receiver():
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.opened.set()
        server.shutdown()


@pytest.fixture
def workshop(quick_sandbox, tmp_path):
    quick_sandbox.reset()
    return Workshop(quick_sandbox, tmp_path)


def told_at(url):
    return WorkflowJob(id="job-1", prompt="A fox", params={"model": "kling-2.5-turbo", "callback_url": url})


def tasks(workshop):
    return workshop.sandbox.ledger()["tasks"]


def until_told_the_end(receiver):
    while "succeeded" not in receiver.statuses:
        assert receiver.taken.acquire(timeout=PATIENCE_SECONDS), receiver.statuses


@pytest.mark.scenario(33)
@pytest.mark.parametrize("status", [200, 500, None], ids=["taken", "refused", "dropped"])
def test_whatever_becomes_of_its_callbacks_a_job_moves_once_and_pays_once(workshop, receiver, status):
    receiver.status = status
    receiver.opened.set()
    job = workshop.process(told_at(receiver.url))
    until_told_the_end(receiver)
    assert (job.path, len(tasks(workshop))) == (PATH, 1), job.error
    assert workshop.store.load(job.id) == job


@pytest.mark.scenario(33)
def test_a_callback_that_comes_after_the_end_changes_nothing(workshop, receiver):
    job = workshop.process(told_at(receiver.url))
    assert (job.path, receiver.statuses) == (PATH, []), job.error
    receiver.opened.set()
    until_told_the_end(receiver)
    assert workshop.store.load(job.id) == job
    assert len(tasks(workshop)) == 1


@pytest.mark.scenario(33)
def test_callbacks_that_nobody_takes_are_not_missed(workshop):
    with Receiver() as closed:
        url = closed.url
    job = workshop.process(told_at(url))
    assert (job.path, len(tasks(workshop))) == (PATH, 1), job.error


def test_another_address_for_callbacks_is_no_other_video(workshop, receiver):
    receiver.opened.set()
    job = reopened(workshop.process(told_at(receiver.url)), S.CREATED)
    job.params["callback_url"] = f"{receiver.url}/moved"
    assert workshop.process(job).state is S.COMPLETED
    assert len(tasks(workshop)) == 1
