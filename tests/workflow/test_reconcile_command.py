"""``klingvideo reconcile`` as a person runs it."""

from __future__ import annotations

import json

import pytest
from airflow_home import connection
from forked_command import run
from test_reconcile import ended, timed_out
from workshop import ClockedSandbox

from airflow_provider_klingvideo.kling import KlingClient, parse_request
from airflow_provider_klingvideo.kling.wire.auth import ApiKeyAuth
from airflow_provider_klingvideo.sandbox import SandboxSettings
from airflow_provider_klingvideo.workflow.ordering.external_id import ExternalId


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
    for words in (
        "late_result",
        "The video was paid and is there",
        "1 to look after",
        f"klingvideo reconcile {where} --conn-id klingai_default --adopt",
    ):
        assert words in told.stdout
    adopted = reconcile(where, "--adopt", "--json")
    report = json.loads(adopted.stdout)
    assert (adopted.returncode, report["open"], report["counts"]) == (0, 0, {"late_result": 1})
    assert report["rows"][0]["done"].startswith("adopted: ")
    after = reconcile(where)
    assert (after.returncode, after.stdout) == (0, f"Looked below {where}: 1 record\n1 followed; 0 to look after\n")
    assert len(sandbox.ledger()["tasks"]) == 1


def test_a_folder_without_records_is_named(sandbox, tmp_path):
    told = reconcile(tmp_path / "nowhere")
    assert told.returncode == 0
    assert f"Looked below {tmp_path / 'nowhere'}: no records: is it the right folder?" in told.stdout


def test_a_task_that_failed_and_cost_nothing_is_no_paid_video(sandbox, tmp_path):
    with KlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url) as client:
        request = parse_request({"prompt": "A fox [sandbox:fail=Too blurred]", "model": "kling-2.5-turbo"})
        client.create(request, external_task_id=str(ExternalId("job-1", "0" * 16, 1)))
    ended(sandbox)
    told = reconcile(tmp_path)
    assert (told.returncode, "paid" in told.stdout) == (0, False), told.stdout
    assert "1 free failure; 0 to look after" in told.stdout


def test_a_wrong_key_is_told(sandbox, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(sandbox.url, password="wrong"))
    refused = reconcile(tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "The key is wrong" in refused.stderr
