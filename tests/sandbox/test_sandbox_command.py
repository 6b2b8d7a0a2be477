"""The console script."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import airflow_provider_klingvideo.cli as room
from airflow_provider_klingvideo import __version__
from airflow_provider_klingvideo.cli import main
from airflow_provider_klingvideo.cli.main import COMMANDS


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.strip() == f"klingvideo {__version__}"


@pytest.mark.parametrize("argv", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_has_an_example(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 0
    assert "Example: klingvideo" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["dance"], ["sandbox", "--region", "mars"], ["sandbox", "--port", "x"]])
def test_what_cannot_be_understood_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    assert "usage" in capsys.readouterr().err.lower()


def test_a_wrong_setting_is_told_by_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "--generation-seconds", "soon", "--slots", "-1"]) == 1
    said = capsys.readouterr().err
    assert "--generation-seconds" in said
    assert "--slots" in said


def test_an_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_provider_klingvideo.cli.sandbox.run", interrupted)
    assert main(["sandbox"]) == 130


def test_it_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = room.nothing


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_sandbox_runs_until_interrupted(tmp_path: Path, host: str) -> None:
    state = tmp_path / "state.db"
    command = [sys.executable, "-m", "airflow_provider_klingvideo.cli", "sandbox"]
    options = ["--host", host, "--port", "0", "--state", str(state), "--api-key", "mine", "--slots", "2"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "AIRFLOW_CONN" in line:
                break
        connection = json.loads(re.findall(r"AIRFLOW_CONN_KLINGAI_DEFAULT='(.*)'", said)[0])
        assert (connection["conn_type"], connection["password"]) == ("klingai", "mine")
        url = connection["host"].replace("0.0.0.0", "127.0.0.1")
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(transport=transport, trust_env=False, timeout=30) as client:
            assert client.get(f"{url}/sandbox/settings").json()["slots"] == 2
    finally:
        process.send_signal(signal.SIGINT)
        # With a timeout, communicate() would miss what the loop above has read ahead.
        rest = process.stdout.read() if process.stdout else ""
        process.wait(timeout=30)
    assert ("can be reached from other machines" in " ".join((said + rest).split())) is (host == "0.0.0.0")
    assert "SANDBOX" in said
    assert process.returncode in {0, 130}
    assert state.exists()
