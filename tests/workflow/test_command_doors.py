"""What the command line is given: paths in every spelling, connections that cannot be used, signed inputs."""

from __future__ import annotations

import json
import subprocess
import sys

import forked_command
import pytest
from airflow_home import QUICK, connection

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

SECRET = "s3cr3t-of-nobody"
ROW = {"key": "a", "prompt": "A fox", "model": "kling-2.5-turbo"}
PLAN = '{"outputs": ["master"]}'
BAD = {
    "missing": (None, "there is no connection 'klingai_x'", "airflow connections add klingai_x --conn-type klingai"),
    "other type": ('{"conn_type": "http", "host": "h"}', "its type is 'http'", "airflow connections add"),
    "contradiction": (
        connection("http://h:81", port=82),
        "it says 82, and the host says 81",
        "Edit connection klingai_x",
    ),
    "two keys": (
        connection("", extra={"access_key": "access-key", "secret_key": "secret-key"}),
        "beside an access key",
        "Edit",
    ),
    "torn": ('{"conn_type"', "holds text that is no connection", "AIRFLOW_CONN_KLINGAI_X"),
}


@pytest.fixture(scope="module")
def server():
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.1, max_render_height=120)
    with SandboxServer(settings) as server:
        yield server


@pytest.fixture
def sandbox(server, monkeypatch, tmp_path):
    server.reset()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(f" {server.url}/ "))
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An Airflow without this connection in its database."""
    from airflow_home import migrate

    migrate()


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("name", ["my shots/p.jsonl", "100% #1?/p.jsonl", "f\u00fcchse/p.jsonl"])
def test_every_way_to_write_a_file_is_the_same_batch(sandbox, tmp_path, name):
    path = write(tmp_path / name, ROW)
    (tmp_path / "my plan.json").write_text(PLAN)
    ways = [name, f"./{name}", str(path), f"'{path}'", path.as_uri(), f"FILE:/{str(path).lstrip('/')}", f" {path} "]
    outs = ["my videos", "./my videos/", (tmp_path / "my videos").as_uri(), *["my videos"] * 4]
    for way, out in zip(ways, outs, strict=True):
        done = forked_command.run("generate", way, "--output-path", out, "--render-plan", " 'my plan.json'")
        assert done.returncode == 0, (way, done.stderr)
    assert len(sandbox.ledger()["tasks"]) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(["my videos", "my plan.json", name.split("/")[0]])


@pytest.mark.parametrize("way", ["C:\\shots\\p.csv", "s3:/bucket/p.csv", "nowhere/my p.csv", ""])
def test_a_file_that_cannot_be_meant_is_told_in_one_line(sandbox, tmp_path, way):
    done = forked_command.run("generate", way, "--output-path", "videos")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1)
    assert "%20" not in done.stderr
    assert not (tmp_path / "videos").exists()


@pytest.mark.parametrize("command", ["generate", "reconcile"])
@pytest.mark.parametrize("bad", BAD)
def test_a_connection_that_cannot_be_used_is_one_sentence_and_an_exit_code(
    sandbox, database, tmp_path, monkeypatch, bad, command
):
    text, words, step = BAD[bad]
    if text:
        monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_X", text)
    given = {"generate": [write(tmp_path / "p.jsonl", ROW), "--output-path", "videos"], "reconcile": ["videos"]}
    done = forked_command.run(command, *given[command], "--conn-id", "klingai_x")
    assert (done.returncode, len(done.stderr.strip().splitlines()), done.stdout) == (3, 1, ""), done.stderr
    assert done.stderr.startswith("klingvideo: ")
    assert words in done.stderr
    assert step in done.stderr
    assert sandbox.ledger()["tasks"] == []
    assert not (tmp_path / "videos").exists()


def test_a_process_of_its_own_says_the_same(sandbox, database, tmp_path):
    write(tmp_path / "p.jsonl", ROW)
    words = [sys.executable, "-m", "airflow_provider_klingvideo.cli", "generate", "p.jsonl", "--conn-id", "nope"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (3, 1), done.stderr
    assert "Traceback" not in done.stderr


def test_what_signs_an_input_is_used_and_stands_in_no_file(sandbox, tmp_path):
    address = f"{sandbox.url}/sandbox/samples/square.png?sig={SECRET}"
    path = write(
        tmp_path / "p.jsonl", {**ROW, "first_frame": address}, {**ROW, "key": None, "first_frame": f" {address}"}
    )
    for _ in range(2):
        done = forked_command.run("generate", path, "--output-path", "videos")
        assert done.returncode == 0, done.stderr
        assert SECRET not in done.stdout + done.stderr
    assert len(sandbox.ledger()["tasks"]) == 2
    files = [one for one in (tmp_path / "videos").rglob("*") if one.is_file()]
    assert any(one.name.endswith(".rows.json") for one in files)
    assert [str(one) for one in files if SECRET.encode() in one.read_bytes()] == []
