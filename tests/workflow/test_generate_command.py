"""``klingvideo generate`` as a person runs it: interrupted, run again, with an edited file."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections import Counter

import forked_command
import pytest
from airflow_home import QUICK, connection

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

QUICKER = {
    **QUICK,
    "AIRFLOW__KLINGVIDEO__POLL_MIN_SECONDS": "0.05",
    "AIRFLOW__KLINGVIDEO__POLL_MAX_SECONDS": "0.1",
    "AIRFLOW__KLINGVIDEO__SLOT_PAUSE_SECONDS": "0.05",
}
TERMINAL = {"TERM": "xterm-256color", "COLUMNS": "160", "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def server():
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.3, max_render_height=120, slots=3)
    with SandboxServer(settings) as server:
        yield server


@pytest.fixture
def sandbox(server, monkeypatch):
    server.reset()
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(server.url))
    for name, value in QUICKER.items():
        monkeypatch.setenv(name, value)
    return server


class Shots:
    """A file of prompts, and the command that makes their videos."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "shots.jsonl"
        self.arguments = ["generate", self.path, "--output-path", folder / "videos"]

    def write(self, *prompts):
        rows = ({"key": str(one), "prompt": prompt, "model": "kling-2.5-turbo"} for one, prompt in enumerate(prompts))
        self.path.write_text("\n".join(map(json.dumps, rows)))

    def make(self):
        return forked_command.run(*self.arguments)

    def show(self):
        """What a person sees in a terminal, every picture of it."""
        leader, follower = pty.openpty()
        process = forked_command.start(self.arguments, stdout=os.ttyname(follower), **TERMINAL)
        shown, is_over = b"", False
        while not is_over:
            is_over = not process.is_alive()
            while select.select([leader], [], [], 0.05)[0]:
                shown += os.read(leader, 65536)
        os.close(follower)
        os.close(leader)
        return process.exitcode, shown.decode()

    def kill_when(self, is_time):
        """Start the command and kill it at a moment of its work."""
        process = forked_command.start(self.arguments)
        end = time.monotonic() + forked_command.LONGEST_SECONDS
        while not is_time():
            assert process.is_alive(), "it ended before"
            assert time.monotonic() < end, "the moment does not come"
            time.sleep(0.01)
        process.kill()
        process.join()

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
    for is_time in (
        lambda: any(shots.folder.rglob("job.json")),
        lambda: orders(sandbox),
        lambda: len(orders(sandbox)) > 4,
        lambda: any(shots.folder.rglob("master.mp4")),
    ):
        shots.kill_when(is_time)
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
    command = [sys.executable, "-m", "airflow_provider_klingvideo.cli", *shots.arguments]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert "line 1, column 2: it is no JSON" in made.stderr
