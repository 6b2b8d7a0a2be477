"""The command in processes of its own, each forked from one that has loaded Airflow: that takes seconds every time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_server = multiprocessing.get_context("forkserver")
# What the commands load when they run.
_server.set_forkserver_preload(
    [
        "pytest",
        "rich.console",
        "rich.progress",
        "airflow_provider_klingvideo.cli.main",
        "airflow_provider_klingvideo.runtime.batches.local",
        "airflow_provider_klingvideo.runtime.session",
        "airflow_provider_klingvideo.workflow.reconcile.reconciler",
    ]
)
LONGEST_SECONDS = 120


def _run(arguments: Sequence[str], environment: Mapping[str, str], outputs: Sequence[str]) -> None:
    # Tests may run in a background that ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    for number, output in enumerate(outputs, start=1):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_NOCTTY), number)
    from airflow_provider_klingvideo.cli.main import main

    try:
        code = main(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    sys.exit(code)


def start(
    arguments: Sequence[object], *, stdout: str = os.devnull, stderr: str = os.devnull, **environment: str
) -> multiprocessing.Process:
    """Start ``klingvideo`` with the environment of this process.

    :param arguments: of the command line.
    :param stdout: a file or terminal.
    :param stderr: likewise.
    :param environment: further variables.
    """
    words = list(map(str, arguments))
    process = _server.Process(target=_run, args=(words, {**os.environ, **environment}, (stdout, stderr)), daemon=True)
    process.start()
    return process


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``klingvideo`` to its end."""
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name, "stdout"), Path(name, "stderr")]
        process = start(arguments, stdout=str(files[0]), stderr=str(files[1]))
        process.join(LONGEST_SECONDS)
        assert process.exitcode is not None, "the command does not end"
        return subprocess.CompletedProcess(arguments, process.exitcode, *(file.read_text() for file in files))
