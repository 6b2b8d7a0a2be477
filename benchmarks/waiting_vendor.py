"""Kling of the benchmark of waiting: the sandbox as a process of its own, which may hold tasks from the start."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

KIND = "text_to_video"
CREATE_PATH = "/text-to-video/kling-3.0-turbo"
TYPICAL_SECONDS = 40
"""What our table says of this model."""

_CREATE_ROUTE = "/text-to-video/{model}"
_CONNECTION = re.compile(r"export AIRFLOW_CONN_KLINGAI_DEFAULT='(.*)'")
_ENDLESS_SECONDS = 3600


class Vendor:
    """A running sandbox.

    :param connection: how Airflow's environment names it.
    """

    def __init__(self, connection: str) -> None:
        self.connection = connection
        self._url = json.loads(connection)["host"]

    def ledger(self) -> dict[str, Any]:
        """Its tasks, and what was asked of it."""
        found: dict[str, Any] = httpx.get(f"{self._url}/sandbox/ledger", timeout=60).json()
        return found

    def questions(self) -> int:
        """How many requests there were but for the orders."""
        counts = self.ledger()["requests"]
        return sum(count for what, count in counts.items() if what.split()[1] != _CREATE_ROUTE)


@contextmanager
def vendor(state: Path, *, slots: int, generation_seconds: str) -> Iterator[Vendor]:
    """Run a sandbox that keeps its tasks in a file."""
    command = [
        sys.executable,
        "-m",
        "airflow_provider_klingvideo.cli",
        "sandbox",
        "--port",
        "0",
        "--log-level",
        "error",
    ]
    options = {"--state": state, "--slots": slots, "--balance": 10**6, "--generation-seconds": generation_seconds}
    command += [str(part) for option in options.items() for part in option]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Vendor(_connection(process))
        finally:
            process.terminate()


def _connection(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        if found := _CONNECTION.search(line):
            return found[1]
    raise RuntimeError("The sandbox did not start")


def endless_tasks(state: Path, count: int) -> list[str]:
    """Write tasks that have just begun, and do not end while anybody waits, into the file of a sandbox to come.

    Ordered one by one they would take minutes: with each order the sandbox looks through all that run.
    """
    with SandboxServer(SandboxSettings(state=state)) as sandbox:
        headers = {"Authorization": "Bearer sandbox-key"}
        httpx.post(f"{sandbox.url}{CREATE_PATH}", json={"prompt": "A fox"}, headers=headers).raise_for_status()
    now = int(time.time() * 1000)
    times = {"created_at": now, "processing_at": now, "finish_at": now + _ENDLESS_SECONDS * 1000}
    with sqlite3.connect(state) as file:
        ((first, document),) = file.execute("SELECT id, document FROM tasks")
        task = json.loads(document) | times
        ids = [str(int(first) + number) for number in range(count)]
        rows = [(task_id, json.dumps(task | {"id": task_id})) for task_id in ids]
        file.executemany("INSERT OR REPLACE INTO tasks VALUES (?, ?)", rows)
    file.close()
    return ids
