"""The demonstration's child processes: started in groups of their own, stopped with all their children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from airflow_provider_klingvideo.errors import KlingVideoError

STOP_SECONDS = 15.0
LOG_TAIL_LINES = 15


class DemoError(KlingVideoError):
    """The demonstration cannot go on."""

    kind = "demo"


class Process:
    """A child process, in a session of its own.

    :param name: for messages.
    :param command: what to run.
    :param log_path: where its output goes, behind what is there.
    :param environment: variables beside those of this process.
    """

    def __init__(self, name: str, command: list[str], log_path: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log_path = log_path
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its session and of its group."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def ensure_running(self) -> None:
        """Raise a DemoError, with the end of its log, when the process has ended."""
        if not self.is_running:
            raise DemoError(f"{self.name} ended with code {self._process.returncode}.\n{self.log_tail()}")

    def stop(self) -> None:
        """End the process and all its children."""
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, signal_number)
            except ProcessLookupError:
                return
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def wait(self) -> None:
        """Wait until the process has ended."""
        self._process.wait(STOP_SECONDS)

    def log_tail(self) -> str:
        """Return the last lines of its output."""
        lines = self.log_path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"The end of {self.log_path}:", *lines])


class Server(Process):
    """A child process that answers HTTP.

    :param name: for messages.
    :param command: what to run.
    :param health_url: an address that answers 200 when the server is ready.
    :param log_path: where its output goes, behind what is there.
    :param environment: variables beside those of this process.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        health_url: str,
        log_path: Path,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(name, command, log_path, environment)
        self.health_url = health_url

    def wait_until_ready(self, timeout: float) -> None:
        """Wait for the first healthy answer.

        :param timeout: seconds.
        :raises DemoError: when the process ends or the time is up, with the end of its log.
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.ensure_running()
            if self._is_healthy():
                return
            time.sleep(0.5)
        raise DemoError(f"{self.name} did not answer within {timeout:.0f} s.\n{self.log_tail()}")

    def _is_healthy(self) -> bool:
        try:
            return httpx.get(self.health_url, timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Stop a server at the end, whatever happens."""
    try:
        yield server
    finally:
        server.stop()


def free_port(wanted: int) -> int:
    """Return a port of this machine: the wanted one when nobody has it, else any."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoError("No port is free on 127.0.0.1.")


def required_port(wanted: int) -> int:
    """Return a port that a person asked for.

    :raises DemoError: another program has it.
    """
    if free_port(wanted) != wanted:
        raise DemoError(
            f"Port {wanted} cannot be used: another program has it, or it needs more rights.",
            advice="Choose another one with --port, or leave it out for any free one",
        )
    return wanted


def own_script(name: str) -> str:
    """Return the path of a console script beside this Python."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise DemoError(f"{name} is not installed beside {sys.executable}.")
    return str(path)
