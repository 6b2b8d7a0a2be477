"""``klingvideo generate`` as a person runs it: interrupted, run again, with an edited file."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from airflow_home import QUICK, connection

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

TERMINAL = {"TERM": "xterm-256color", "COLUMNS": "160", "NO_COLOR": "1"}


@pytest.fixture
def sandbox(monkeypatch):
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.5, max_render_height=120, slots=3)
    with SandboxServer(settings) as server:
        monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(server.url))
        for name, value in QUICK.items():
            monkeypatch.setenv(name, value)
        yield server


class Shots:
    """A file of prompts, and the command that makes their videos."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "shots.jsonl"
        arguments = ["generate", str(self.path), "--output-path", str(folder / "videos")]
        self._command = [sys.executable, "-m", "airflow_provider_klingvideo.cli", *arguments]

    def write(self, *prompts):
        rows = ({"key": str(one), "prompt": prompt, "model": "kling-2.5-turbo"} for one, prompt in enumerate(prompts))
        self.path.write_text("\n".join(map(json.dumps, rows)))

    def make(self):
        return subprocess.run(self._command, capture_output=True, text=True, timeout=120, check=False)

    def show(self):
        """What a person sees in a terminal, every picture of it."""
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            self._command, stdout=follower, stderr=subprocess.DEVNULL, env={**os.environ, **TERMINAL}
        )
        os.close(follower)
        shown = b""
        while select.select([leader], [], [], 120)[0]:
            try:
                shown += os.read(leader, 65536)
            except OSError:
                break
        os.close(leader)
        return process.wait(), shown.decode()

    def start(self):
        return subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def states(self):
        manifest = json.loads((self.folder / "videos" / "local" / "shots" / "videos.manifest.json").read_text())
        return [row["state"] for row in manifest["jobs"]]


@pytest.fixture
def shots(tmp_path):
    return Shots(tmp_path)


def orders(sandbox):
    return Counter(task["external_id"] for task in sandbox.ledger()["tasks"])


def test_it_makes_the_videos_then_only_what_was_edited(sandbox, shots):
    shots.write(*(f"Shot {number}" for number in range(6)))
    made = shots.make()
    assert (made.returncode, shots.states()) == (0, ["COMPLETED"] * 6), made.stderr
    assert re.match(r"0 of 6 ended: .*\n6 COMPLETED\. Manifest: ", made.stdout)
    assert sandbox.ledger()["max_in_flight_seen"] == 3
    shots.write("Another shot 0", *(f"Shot {number}" for number in range(1, 6)))
    assert shots.make().returncode == 0
    assert len(orders(sandbox)) == 7


def test_a_terminal_shows_states_and_renderings(sandbox, shots):
    shots.write("A fox", "An owl")
    code, shown = shots.show()
    assert code == 0
    assert re.search(r"0/2 .* 2 CREATED", shown)
    assert re.search(r"\d+% .* rendering 0-", shown)
    assert re.search(r"2/2 .* 2 COMPLETED", shown)


def test_killed_anywhere_it_goes_on_and_pays_once(sandbox, shots):
    shots.write(*(f"Shot {number}" for number in range(8)))
    for seconds in (1.5, 2.5, 3.5, 5.0):
        process = shots.start()
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    made = shots.make()
    assert (made.returncode, shots.states()) == (0, ["COMPLETED"] * 8), made.stderr
    assert set(orders(sandbox).values()) == {1}
    assert len(orders(sandbox)) == 8


def test_what_failed_is_told_with_the_vendors_words(sandbox, shots):
    shots.write("A fox", "x [sandbox:fail=Image pixel is invalid]")
    made = shots.make()
    assert (made.returncode, shots.states()) == (1, ["COMPLETED", "FAILED"])
    assert "Image pixel is invalid" in " ".join(made.stdout.split())


def test_faults_in_the_file_are_told_and_nothing_is_ordered(sandbox, shots):
    shots.path.write_text("{\n")
    made = shots.make()
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert "line 1 is no JSON" in made.stderr
