"""The demonstration: four videos when all goes well, a clear reason when not."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import httpx
import pytest
from rich.console import Console

from airflow_provider_klingvideo.cli import main
from airflow_provider_klingvideo.demo.airflow_api import AirflowApi
from airflow_provider_klingvideo.demo.processes import DemoError, Server, free_port, own_script, running
from airflow_provider_klingvideo.demo.run import DAG_ID, _faults, _report, demonstrate
from airflow_provider_klingvideo.demo.screen import progress_line, progress_table
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob, WorkflowState

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]


def printed(renderable):
    console = Console(file=io.StringIO(), width=120)
    console.print(renderable)
    return console.file.getvalue()


def test_it_makes_four_videos_and_says_where_they_lie(tmp_path):
    console = Console(file=io.StringIO(), width=160)
    demonstrate(tmp_path / "demo", console, keep_serving=False)
    told = console.file.getvalue()
    records = [json.loads(path.read_text()) for path in (tmp_path / "demo" / "videos").glob(f"{DAG_ID}/*/*/job.json")]
    assert [record["state"] for record in records] == ["COMPLETED"] * 4
    assert told.count("master.mp4") == 4
    for record in records:
        assert record["files"]["artifacts"]["master.mp4"]["sha256"][:16] in told
    assert "1 COMPLETED  2 COMPLETED  3 COMPLETED  4 COMPLETED" in told
    assert "SANDBOX" in told


def test_a_server_that_ends_or_never_answers_is_told_with_the_end_of_its_log(tmp_path):
    log = tmp_path / "log"
    nowhere = f"http://127.0.0.1:{free_port(0)}"
    with running(
        Server("It", [sys.executable, "-c", "print('no port'); raise SystemExit(3)"], nowhere, log, {})
    ) as one:
        with pytest.raises(DemoError, match=r"It ended with code 3\.(.|\n)*no port"):
            one.wait_until_ready(20)
        with pytest.raises(DemoError, match="ended with code 3"):
            one.ensure_running()
    with running(Server("It", ["sleep", "60"], nowhere, log, {})) as one:
        with pytest.raises(DemoError, match="did not answer within 1 s"):
            one.wait_until_ready(1)
        one.ensure_running()


def test_a_taken_port_is_replaced():
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", port := str(free_port(0))]
    ) as one:
        try:
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}", trust_env=False)
                    break
                except httpx.ConnectError:
                    continue
            assert free_port(int(port)) != int(port)
        finally:
            one.kill()


def test_a_missing_script_is_named():
    with pytest.raises(DemoError, match="no-such-script is not installed"):
        own_script("no-such-script")


def test_what_is_not_as_it_should_be_is_named(tmp_path):
    job = WorkflowJob(id="j", state=WorkflowState.FAILED, error="Account in arrears")
    assert any("FAILED: Account in arrears" in fault for fault in _faults(job, tmp_path))
    store = JobStore(tmp_path / "videos" / DAG_ID / "run")
    store.save(job)
    with pytest.raises(DemoError, match="Airflow says that the run is failed; job 0 has no record"):
        _report(tmp_path, "run", 1, "failed", Console(file=io.StringIO()))


def test_the_screen_shows_where_every_job_is():
    jobs = [None, WorkflowJob(state=WorkflowState.GENERATING), WorkflowJob(state=WorkflowState.CANCELLED)]
    shown = printed(progress_table([{"prompt": "x" * 99}] * 3, jobs, 12))
    assert all(word in shown for word in ("waiting", "GENERATING", "CANCELLED", "after 12 s", "…"))
    assert progress_line(jobs) == "1 waiting  2 GENERATING  3 CANCELLED"


def test_an_error_of_airflows_api_is_told(sandbox):
    with pytest.raises(DemoError, match="Airflow answered 401 to GET /api/v2/dags/d/dagRuns/r"):
        AirflowApi(sandbox.url).run_state("d", "r")


def test_an_airflow_that_is_too_busy_to_answer_is_asked_again(sandbox):
    sandbox.add_rule({"match": {"path": "/api/v2/*"}, "action": {"type": "slow", "seconds": 3}})
    assert AirflowApi(sandbox.url, timeout=0.5).run_state("d", "r") == "unknown"


def test_the_command_ends_with_1_and_the_reason(monkeypatch, capsys, tmp_path):
    def broken(*arguments, **options):
        raise DemoError("Airflow ended with code 1")

    monkeypatch.setattr("airflow_provider_klingvideo.demo.run.demonstrate", broken)
    assert main(["demo", "--folder", str(tmp_path)]) == 1
    assert "Airflow ended with code 1" in capsys.readouterr().err
