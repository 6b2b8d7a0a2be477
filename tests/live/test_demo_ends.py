"""``klingvideo demo`` leaves no process behind and deletes nothing of others, however it ends."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest
from rich.console import Console

from airflow_provider_klingvideo.cli import main
from airflow_provider_klingvideo.demo.airflow_api import AirflowApi
from airflow_provider_klingvideo.demo.folder import MARKER, demo_folder
from airflow_provider_klingvideo.demo.keeper import Keeper, marked
from airflow_provider_klingvideo.demo.processes import DemoError
from airflow_provider_klingvideo.demo.run import _run_url
from airflow_provider_klingvideo.demo.screen import print_summary
from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.job.paid import PaidCall

SOON = 240

# What ends no process of an ordinary group: a session of its own, a lost parent, deaf ears.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, __file__, "child"], start_new_session=True)
    print("started", flush=True)
time.sleep(600)
"""


def of_demo(folder):
    """The processes that a demonstration in a folder has started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("KLINGVIDEO_DEMO") and str(folder) in " ".join(
                [process.cwd(), *process.cmdline(), *process.environ().values()]
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def until(condition, seconds=SOON):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.2)


def heed_signals():
    """Tests may run in a background that ignores some."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.live
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_runs_on_after_a_signal(tmp_path, number):
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "airflow_provider_klingvideo.cli", "demo", "--folder", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=heed_signals
    ) as demo:
        # The sandbox names no folder; Airflow and its parts do.
        until(lambda: len(of_demo(folder)) > 2)
        found = of_demo(folder)
        demo.send_signal(number)
        told = demo.communicate(timeout=SOON)[0]
    assert demo.returncode == (-9 if number == signal.SIGKILL else 128 + number), told
    assert "Traceback" not in told
    until(lambda: not of_demo(folder))
    until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in found))


def test_what_left_its_session_and_hears_no_signal_ends_too(tmp_path):
    script = tmp_path / "stubborn.py"
    script.write_text(STUBBORN)
    with Keeper() as keeper:
        mark = keeper.environment["KLINGVIDEO_DEMO"]
        subprocess.Popen([sys.executable, script], env=dict(keeper.environment), stdout=subprocess.DEVNULL)
        until(lambda: len(marked(mark)) == 2)
    assert marked(mark) == []


def test_a_folder_that_no_demo_made_is_refused_and_stays_as_it_is(tmp_path, capsys):
    kept = tmp_path / "videos" / "holiday.mp4"
    kept.parent.mkdir()
    kept.write_text("the only copy")
    assert main(["demo", "--folder", str(tmp_path)]) == 1
    assert "Choose a new folder with --folder" in capsys.readouterr().err
    assert [one.name for one in tmp_path.rglob("*")] == ["videos", "holiday.mp4"]
    assert kept.read_text() == "the only copy"


def test_its_own_folder_is_used_again_and_what_others_put_there_stays(tmp_path):
    folder = tmp_path / "demo"
    with demo_folder(folder):
        (folder / "videos" / "old.mp4").touch()
        (folder / "notes.txt").touch()
        with pytest.raises(DemoError, match="Another demo is using"), demo_folder(folder):
            pass
        assert (folder / "videos" / "old.mp4").exists()
    with demo_folder(folder):
        assert {one.name for one in folder.iterdir()} == {MARKER, "notes.txt", "dags", "videos", "airflow"}
        assert not list((folder / "videos").iterdir())


def test_a_port_that_is_taken_is_told(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["demo", "--folder", str(tmp_path / "demo"), "--port", str(port)]) == 1
    assert f"Port {port} cannot be used" in (told := capsys.readouterr().err)
    assert "--port" in told
    assert not (tmp_path / "demo").exists()


def test_an_airflow_that_answers_late_is_asked_again():
    """It hangs up twice, then answers, before its database has the run: a busy API server."""
    told = [None, None, "409 Conflict", "404 Not Found", "200 OK"]
    asked = []

    def serve(listener):
        for status in told:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536).split()[0])
                if status:
                    connection.sendall(
                        f"HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}".encode()
                    )

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        api = AirflowApi(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert api.trigger("dag", "demo-1", {}) == "demo-1"
    assert asked == [b"POST", b"POST", b"POST", b"GET", b"GET"]


def test_the_summary_shows_prompt_units_and_the_address_of_the_run(tmp_path):
    call = PaidCall(fingerprint="f", task_id="t", bill={"units": "3.5"}, sends={"a": "sent"})
    job = WorkflowJob(id="j", state=WorkflowState.COMPLETED, prompt="A red fox", calls=[call])
    console = Console(file=io.StringIO(), width=120)
    print_summary(console, [job], tmp_path)
    assert "A red fox" in (told := console.file.getvalue())
    assert "3.5" in told
    assert _run_url("http://h:1", "manual__2026-01-01T00:00:00+00:00").endswith(
        "/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00"
    )
