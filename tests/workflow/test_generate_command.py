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

import forked_command
import pytest
from airflow_home import QUICK, connection

from airflow_provider_klingvideo.media import find_binaries
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
    assert re.match(r"0 of 6 ended: .*\n6 COMPLETED\. Manifest: ", made.stdout, re.DOTALL)
    assert sandbox.ledger()["max_in_flight_seen"] == 3
    shots.write("Another shot 0", *(f"Shot {number}" for number in range(1, 6)))
    assert shots.make().returncode == 0
    assert len(orders(sandbox)) == 7


def test_a_terminal_shows_states_and_renderings(sandbox, shots):
    shots.write("A fox", "An owl")
    code, shown = shots.show()
    assert code == 0, shown
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


def test_one_video_needs_no_file_and_is_made_once(sandbox, shots):
    words = ["generate", "--prompt", "A fox", "--set", "model=kling-2.5-turbo", "--set", "duration=5"]
    words += ["--output-path", shots.folder / "videos"]
    for _ in range(2):
        made = forked_command.run(*words)
        assert made.returncode == 0, made.stderr
        assert re.search(r"COMPLETED +\d+(\.\d+)? +\S+master\.mp4", made.stdout), made.stdout
    assert len(orders(sandbox)) == 1
    both = forked_command.run(*words, shots.path)
    assert (both.returncode, "--help" in both.stderr) == (1, True)


def test_a_dry_run_tells_units_and_sends_and_keeps_nothing(sandbox, shots):
    shots.write("A fox", "An owl")
    told = forked_command.run(*shots.arguments, "--dry-run", "--output", "json")
    plan = json.loads(told.stdout)
    assert told.returncode == 0, told.stderr
    prices = [float(row["units"]) for row in plan["rows"]]
    assert min(prices) > 0
    assert float(plan["units"]) == sum(prices)
    assert (sandbox.ledger()["requests"], (shots.folder / "videos").exists()) == ({}, False)
    assert shots.make().returncode == 0
    again = forked_command.run(*shots.arguments, "--dry-run")
    assert "0 units in sum for 0 videos" in again.stdout
    assert again.stdout.count("is not ordered again") == 2
    shots.path.write_text('{"prompt": "A fox", "duration": 7, "model": "kling-2.5-turbo"}')
    assert forked_command.run(*shots.arguments, "--dry-run").returncode == 1


def test_a_failed_row_is_ordered_again_only_where_that_is_asked_for(sandbox, shots):
    shots.write("x [sandbox:fail=Image pixel is invalid]")
    assert shots.make().returncode == 1
    assert shots.make().returncode == 1
    assert len(orders(sandbox)) == 1
    shots.arguments += ["--regenerate-failed"]
    assert shots.make().returncode == 1
    assert len(orders(sandbox)) == 2


def test_every_event_is_a_line_of_json(sandbox, shots):
    shots.write("A fox")
    made = forked_command.run(*shots.arguments, "--output", "json")
    events = [json.loads(line) for line in made.stdout.splitlines()]
    assert [one["new"] for one in events if one["event"] == "transition"][-1] == "COMPLETED"
    assert (events[-1]["event"], events[-1]["rows"][0]["state"]) == ("result", "COMPLETED")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_says_what_runs_on_and_how_to_go_on(sandbox, shots, number, code):
    shots.write("A fox [sandbox:seconds=600]")
    sandbox.settings(generation_seconds=600)
    told = shots.folder / "told"
    process = forked_command.start(shots.arguments, stderr=str(told))
    while not (orders(sandbox) and any(shots.folder.rglob("job.json"))):
        assert process.is_alive()
        time.sleep(0.05)
    time.sleep(1)
    os.kill(process.pid, number)
    process.join(60)
    sandbox.settings(generation_seconds=0.3)
    assert process.exitcode == code
    task = sandbox.ledger()["tasks"][0]["id"]
    assert f"1 tasks run on at Kling, and are billed: {task}" in told.read_text()
    assert "Run the same command again" in told.read_text()
    assert "Traceback" not in told.read_text()


def test_interrupted_while_an_order_has_no_answer_it_does_not_say_that_nothing_runs(sandbox, shots):
    shots.write("A fox")
    sandbox.add_rule({"match": {"method": "POST"}, "action": {"type": "slow", "seconds": 20}, "times": 1})
    told = shots.folder / "told"
    process = forked_command.start(shots.arguments, stderr=str(told))
    while not any('"sent"' in one.read_text() for one in shots.folder.rglob("job.json")):
        assert process.is_alive()
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 143
    assert "1 jobs have sent what costs and have no answer yet: it may be billed: " in told.read_text()
    assert "Nothing runs at Kling" not in told.read_text()


def test_faults_in_the_file_are_told_and_nothing_is_ordered(sandbox, shots):
    shots.path.write_text("{\n")
    command = [sys.executable, "-m", "airflow_provider_klingvideo.cli", *shots.arguments]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert "line 1, column 2: it is no JSON" in made.stderr


def test_one_bad_row_of_200_keeps_all_from_being_ordered(sandbox, shots):
    shots.write(*(f"Shot {number}" for number in range(200)))
    rows = [json.loads(line) for line in shots.path.read_text().splitlines()]
    rows[17]["duration"] = 7
    shots.path.write_text("\n".join(map(json.dumps, rows)))
    command = [sys.executable, "-m", "airflow_provider_klingvideo.cli", *shots.arguments]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert "1 of 200 rows cannot be ordered; nothing was ordered." in made.stderr
    assert re.search(r"line 18 +17 +duration +7 is not offered +5 or 10 seconds", made.stderr)
    assert "Traceback" not in made.stderr
    faults = shots.folder / "videos" / "local" / "shots" / "videos.faults.jsonl"
    assert str(faults) in made.stderr
    assert json.loads(faults.read_text())["row"] == "line 18"
    assert not list(shots.folder.rglob("job.json"))


def test_bad_rows_are_left_out_where_that_is_asked_for(sandbox, shots):
    shots.write("A fox", "", "An owl")
    shots.arguments += ["--on-invalid-rows", "skip"]
    made = shots.make()
    assert (made.returncode, len(orders(sandbox))) == (0, 2), made.stderr
    assert shots.states() == ["COMPLETED", "REFUSED", "COMPLETED"]
    assert re.search(r"REFUSED  line 2  1  prompt: is missing", " ".join(made.stdout.split(" ")))
    assert "2 COMPLETED, 1 REFUSED. Manifest: " in made.stdout


def test_so_are_those_with_cells_of_another_kind(sandbox, shots):
    rows = [
        {"key": "good", "prompt": "A fox", "model": "kling-2.5-turbo"},
        {"key": "half", "prompt": "\ud83d", "model": "kling-2.5-turbo"},
        {"key": "yes", "prompt": True, "duration": 5},
        {"key": "late", "prompt": "An owl", "duration": "five"},
        {"key": "# old", "prompt": "A hare"},
    ]
    shots.path.write_text("\n".join(map(json.dumps, rows)))
    assert (shots.make().returncode, orders(sandbox)) == (1, {})
    shots.arguments += ["--on-invalid-rows", "skip"]
    made = shots.make()
    assert (made.returncode, len(orders(sandbox))) == (0, 1), made.stderr
    assert shots.states() == ["COMPLETED", *["REFUSED"] * 4]
    for words in ("half a character", "true is no text", "'five' is not a number", "'# old' looks like a comment"):
        assert words in made.stdout


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"first_frame": "there/is/none.png"}, "first_frame"),
        ({"kind": "omni_video", "elements": '[{"element_id": "1"'}, "is not valid JSON: line 1, column"),
        ({"kind": "hologram"}, "there is no kind 'hologram'"),
        ({"model": "kling-v1-6"}, "Kling retired kling-v1-6"),
        ({"first_frame": "data:image/png;base64," + "iVBOR" * 300}, "holds a file itself"),
        ({"kind": "image_to_video", "first_frame": "HERE"}, "png or jpg"),
    ],
)
def test_each_kind_of_fault_of_a_row_is_found_before_the_others_are_ordered(sandbox, shots, fields, words):
    (shots.folder / "text.png").write_text("This is not a picture")
    fields = {name: str(shots.folder / "text.png") if value == "HERE" else value for name, value in fields.items()}
    good, bad = ({"key": key, "prompt": "A fox", "model": "kling-2.5-turbo"} for key in ("good", "bad"))
    shots.path.write_text(f"{json.dumps(good)}\n{json.dumps({**bad, **fields})}")
    made = shots.make()
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert "1 of 2 rows cannot be ordered; nothing was ordered." in made.stderr
    assert words in made.stderr


def test_the_name_of_another_tool_is_a_fault_of_the_file(sandbox, shots):
    shots.path.write_text(json.dumps({"prompt": "A fox", "model_name": "kling-3.0"}))
    made = shots.make()
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert "shots.jsonl, line 1: `model_name` is called `model` here (legal: model)" in made.stderr


def test_a_render_plan_that_cannot_be_made_is_told_once_and_nothing_is_ordered(sandbox, shots):
    shots.write("A fox", "An owl")
    plan = shots.folder / "plan.json"
    plan.write_text('["mastr"]')
    shots.arguments += ["--render-plan", plan]
    made = shots.make()
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert made.stderr.count("outputs.0.preset: 'mastr' is none of the choices") == 1


def test_files_of_the_render_plan_are_looked_at_with_the_rows_unless_all_is_made(sandbox, shots):
    shots.write("A fox", "An owl")
    logo = shots.folder / "logo.png"
    plan = shots.folder / "plan.json"
    plan.write_text(json.dumps(["master", {"preset": "web", "logo": {"file": str(logo)}}]))
    shots.arguments += ["--render-plan", plan]
    made = shots.make()
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert made.stderr.count("logo.png': there is no such file") == 1
    assert not list(shots.folder.rglob("job.json"))
    drawn = ["-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "1", str(logo)]
    subprocess.run([find_binaries().ffmpeg, "-loglevel", "error", *drawn], check=True, timeout=60)
    assert shots.make().returncode == 0
    logo.unlink()
    assert (shots.make().returncode, len(orders(sandbox))) == (0, 2)


def test_many_faults_are_a_screenful_and_a_file(sandbox, shots):
    shots.write(*("A fox" for _ in range(60)))
    rows = [json.loads(line) for line in shots.path.read_text().splitlines()]
    odd = [{**row, "duration": 100 + number, "aspect_ratio": "5:4"} for number, row in enumerate(rows)]
    shots.path.write_text("\n".join(map(json.dumps, odd)))
    made = shots.make()
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert "60 of 60 rows cannot be ordered" in made.stderr
    assert "line 1 and 59 more" in made.stderr
    assert "and 41 more\n" in made.stderr
    assert len(made.stderr.splitlines()) < 30
    faults = shots.folder / "videos" / "local" / "shots" / "videos.faults.jsonl"
    assert len(faults.read_text().splitlines()) == 120


def test_a_render_plan_that_is_not_there_is_told_in_a_sentence(sandbox, shots):
    shots.write("A fox")
    shots.arguments += ["--render-plan", shots.folder / "none.json"]
    made = shots.make()
    assert (made.returncode, orders(sandbox)) == (1, {})
    assert "none.json': there is no file of this name" in made.stderr
    assert "Traceback" not in made.stderr
