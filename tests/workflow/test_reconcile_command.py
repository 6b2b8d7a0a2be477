"""``klingvideo reconcile`` as a person runs it."""

from __future__ import annotations

import json

import pytest
from airflow_home import connection
from forked_command import run
from test_reconcile import timed_out
from workshop import ClockedSandbox

from airflow_provider_klingvideo.sandbox import SandboxSettings


@pytest.fixture(scope="module")
def server():
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.1, max_render_height=120)
    with ClockedSandbox(settings) as server:
        yield server


@pytest.fixture
def sandbox(server, monkeypatch):
    server.reset()
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(server.url))
    return server


def reconcile(*arguments):
    return run("reconcile", *arguments)


@pytest.mark.scenario(28, 31)
def test_it_tells_adopts_and_then_finds_nothing_to_do(sandbox, tmp_path):
    base = tmp_path / "videos"
    timed_out(sandbox, base)
    where = f"file://{base}"
    told = reconcile(where)
    assert told.returncode == 1
    for words in ("late_result", "The video was paid and is there", "1 to look after"):
        assert words in told.stdout
    adopted = reconcile(where, "--adopt", "--json")
    report = json.loads(adopted.stdout)
    assert (adopted.returncode, report["open"], report["counts"]) == (0, 0, {"late_result": 1})
    assert report["rows"][0]["done"].startswith("adopted: ")
    after = reconcile(where)
    assert (after.returncode, after.stdout) == (0, "1 followed; 0 to look after\n")
    assert len(sandbox.ledger()["tasks"]) == 1


def test_a_wrong_key_is_told(sandbox, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(sandbox.url, password="wrong"))
    refused = reconcile(tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "The key is wrong" in refused.stderr
