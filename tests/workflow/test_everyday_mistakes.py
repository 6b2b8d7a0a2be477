"""Mistakes that everybody makes: one sentence with the next step, the documented exit code, never a traceback."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import forked_command
import pytest
from airflow_home import QUICK, connection

from airflow_provider_klingvideo.cli.failures import EXIT_CODES, failure_of
from airflow_provider_klingvideo.cli.main import COMMANDS, main
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

ROW = {"key": "a", "prompt": "A fox", "model": "kling-2.5-turbo"}
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def server():
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0.1, max_render_height=120)) as server:
        yield server


@pytest.fixture(scope="module")
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield str(taken.getsockname()[1])


@pytest.fixture(autouse=True)
def place(server, monkeypatch, tmp_path):
    """A folder with what people have lying around."""
    server.reset()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(server.url))
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_TORN", '{"conn_type"')
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_WRONG", connection(server.url, password="wrong"))
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    files = {
        "good.jsonl": json.dumps(ROW).encode(),
        "notes.txt": b"A fox",
        "torn.json": b'[{"prompt": "A fox"',
        "latin.csv": "key,prompt\na,Ein Fuchs läuft\n".encode("latin-1"),
        "twice.jsonl": f"{json.dumps(ROW)}\n{json.dumps(ROW)}".encode(),
        "seven.jsonl": json.dumps({**ROW, "duration": 7}).encode(),
        "unknown.csv": b"key,prompt,colour\na,A fox,red\n",
        "binary.json": bytes(range(256)),
        "album/holiday.mp4": b"the only copy",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


GENERATE = "generate good.jsonl --output-path videos"
# The command line; its exit code; what names the next step; further environment.
MISTAKES: list[tuple[str, int, str, dict[str, str]]] = [
    ("", 2, "See klingvideo --help", {}),
    ("generat good.jsonl", 2, "See klingvideo --help", {}),
    ("generate good.jsonl --on-invalid-rows ignore", 2, "See klingvideo generate --help", {}),
    ("generate nowhere.csv --output-path videos", 1, "there is no file of this name", {}),
    ("generate album --output-path videos", 1, "csv, jsonl", {}),
    ("generate notes.txt --output-path videos", 1, "spreadsheets export CSV", {}),
    ("generate torn.json --output-path videos", 1, "Correct it and try again", {}),
    ("generate latin.csv --output-path videos", 1, "UTF-8", {}),
    ("generate twice.jsonl --output-path videos", 1, "its own value of 'key'", {}),
    ("generate seven.jsonl --output-path videos", 1, "5 or 10 seconds", {}),
    ("generate unknown.csv --output-path videos", 1, "colour", {}),
    ("generate good.jsonl --output-path notes.txt/videos", 1, "choose another|Check the paths", {}),
    ("generate good.jsonl --output-path /proc/videos", 1, "choose another|Check the paths", {}),
    ("generate good.jsonl --output-path ftpx://here/videos", 1, "ftpx", {}),
    (f"{GENERATE} --render-plan nowhere.json", 1, "there is no file of this name", {}),
    (f"{GENERATE} --render-plan binary.json", 1, "render plan|JSON", {}),
    (f"{GENERATE} --conn-id klingai_torn", 3, "AIRFLOW_CONN_KLINGAI_TORN", {}),
    (f"{GENERATE} --conn-id klingai_wrong", 1, "key", {}),
    (GENERATE, 1, "airflow config list", {"AIRFLOW__KLINGVIDEO__POLL_MIN_SECONDS": "fast"}),
    ("reconcile videos --conn-id klingai_torn", 3, "AIRFLOW_CONN_KLINGAI_TORN", {}),
    ("reconcile videos --conn-id klingai_wrong", 1, "key", {}),
    ("reconcile videos --stale-hours many", 2, "See klingvideo reconcile --help", {}),
    ("reconcile s3:/bucket", 1, "s3://", {}),
    ("models --kind hologram", 1, "text_to_video", {}),
    ("models --colour", 2, "See klingvideo", {}),
    ("sandbox --slots none", 2, "See klingvideo sandbox --help", {}),
    ("sandbox --discount 2 --port 0", 1, "klingvideo sandbox --help", {}),
    ("sandbox --queue-seconds soon --port 0", 1, "klingvideo sandbox --help", {}),
    ("sandbox --state notes.txt --port 0", 1, "another file", {}),
    ("sandbox --port TAKEN", 1, "port", {}),
    ("demo --folder album", 1, "Choose a new folder with --folder", {}),
    ("demo --port TAKEN", 1, "--port", {}),
]


@pytest.mark.parametrize(("line", "code", "step", "environment"), MISTAKES, ids=lambda one: str(one)[:60])
def test_a_mistake_is_a_sentence_with_the_next_step(place, taken_port, monkeypatch, line, code, step, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = forked_command.run(*line.replace("TAKEN", taken_port).split())
    told = done.stdout + done.stderr
    assert done.returncode == code, told
    assert "Traceback" not in told
    assert re.search(step, " ".join(told.split())), told
    assert (place / "album" / "holiday.mp4").read_bytes() == b"the only copy"


def test_every_command_is_among_them():
    assert {line.split()[0] for line, *_ in MISTAKES if line} >= set(COMMANDS)
    assert {code for _, code, *_ in MISTAKES} <= set(EXIT_CODES)


def test_a_full_disk_and_a_reader_that_has_seen_enough():
    words = [sys.executable, "-m", "airflow_provider_klingvideo.cli", "models"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "free some space" in done.stderr
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shown:
        shown.stdout.close()
        assert (shown.stderr.read(), shown.wait()) == ("", 141)


def test_letters_that_the_terminal_does_not_have_end_nothing():
    words = [sys.executable, "-m", "airflow_provider_klingvideo.cli", "models", "--kind", "Füchse"]
    environment = {"PATH": "", "PYTHONPATH": str(DOCS.parent), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "F\\xfcchse" in done.stderr


def test_what_nobody_expected_is_one_line_and_debug_shows_where(capsys, monkeypatch):
    from airflow_provider_klingvideo.kling.catalogue import matrix

    def broken(kind):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(matrix, "matrix", broken)
    assert main(["models"]) == 70
    told = capsys.readouterr().err
    assert (len(told.splitlines()), "--debug" in told) == (1, True)
    for line in (["models", "--debug"], ["--debug", "models"]):
        assert main(line) == 70
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (OSError(28, "No space left on device"), "free some space"),
        (PermissionError(13, "Permission denied", "/videos"), "Give yourself the right"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "UTF-8"),
    ],
)
def test_each_fault_of_a_file_names_its_own_step(error, step):
    assert failure_of(error).code == 1
    assert step in failure_of(error).words


def test_the_documented_exit_codes_are_those_that_there_are():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (DOCS / "command-line.md").read_text(), re.MULTILINE)
    assert {int(code): words.replace("\\|", "|") for code, words in rows} == dict(EXIT_CODES)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_keeps_its_brackets(command, capsys, monkeypatch):

    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert "vendor" not in told
    if command in ("generate", "reconcile"):
        assert "[klingvideo] output_path" in " ".join(told.split())
