"""Runs a sandbox on a loopback port: in the background for tests, in the foreground for the command line."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.sandbox.account.account import Clock
from airflow_provider_klingvideo.sandbox.app import create_app
from airflow_provider_klingvideo.sandbox.serving.faults import TransportProtocol
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings

LOOPBACK = "127.0.0.1"

_START_SECONDS = 30


class SandboxServerError(KlingVideoError):
    """The sandbox could not be started or refused a command."""

    kind = "sandbox_server"


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class SandboxServer:
    """A sandbox over real HTTP; a context manager that starts and stops it.

    After :meth:`stop` it can be started again on the same port, with all its tasks.

    :param settings: see :class:`SandboxSettings`; the documented defaults when not given.
    :param host: address to listen on; loopback by default, for there is no protection on the control surface.
    :param port: 0 takes a free one.
    :param clock: seconds since the epoch; every status follows from it.

    .. code-block:: python

        with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0.2)) as sandbox:
            sandbox.add_rule({"match": {"path": "/text-to-video/*"}, "action": {"type": "drop_after"}, "times": 1})
            ...  # drive the product against sandbox.url
            assert sandbox.ledger()["spent_units"] == "3"
    """

    def __init__(
        self,
        settings: SandboxSettings | None = None,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        clock: Clock = time.time,
    ) -> None:
        self._app = create_app(settings, clock)
        # No connection is kept: none may be left from before a stop.
        self._client = httpx.Client(trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
        self._host = host
        self._port = port
        self._listener: socket.socket | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port; 0 before the first start, if none was chosen."""
        return self._port

    @property
    def url(self) -> str:
        """Where to reach it."""
        return f"http://{self._host}:{self._port}"

    def listen(self) -> socket.socket:
        """Take the port, if that has not been done; from then on :attr:`url` is right.

        :raises SandboxServerError: when the port cannot be had.
        """
        if self._listener:
            return self._listener
        try:
            self._listener = socket.create_server((self._host, self._port))
        except OSError as error:
            raise SandboxServerError(
                f"The sandbox cannot listen on {self._host}:{self._port} ({error.strerror})",
                advice="Choose another port, or stop what listens there",
            ) from error
        self._port = self._listener.getsockname()[1]
        return self._listener

    def _new_server(self) -> _Server:
        config = uvicorn.Config(
            self._app,
            http=TransportProtocol,
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            log_level=logging.WARNING,
            timeout_graceful_shutdown=1,
        )
        return _Server(config)

    def start(self) -> None:
        """Start in a thread of its own; returns when it answers.

        :raises SandboxServerError: when it cannot listen, or does not come up.
        """
        listener = self.listen()
        server = self._new_server()
        self._thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="klingvideo-sandbox", daemon=True
        )
        self._thread.start()
        if not server.ready.wait(_START_SECONDS) or not server.started:
            raise SandboxServerError("The sandbox did not start")
        self._server = server

    def stop(self) -> None:
        """Stop; nothing is forgotten."""
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join()
        self._listener = self._server = self._thread = None

    def run(self) -> None:
        """Run in the foreground until a signal ends it.

        :raises SandboxServerError: when it cannot listen.
        """
        self._new_server().run(sockets=[self.listen()])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _command(self, method: str, path: str, content: Any = None) -> Any:
        response = self._client.request(method, f"{self.url}/sandbox/{path}", json=content)
        if response.is_error:
            raise SandboxServerError(f"The sandbox refused {path}: {response.text}", http_status=response.status_code)
        return response.json()

    def ledger(self) -> dict[str, Any]:
        """Tasks, units, slots, counted requests."""
        found: dict[str, Any] = self._command("GET", "ledger")
        return found

    def requests(self) -> list[dict[str, Any]]:
        """The last requests, newest first."""
        found: list[dict[str, Any]] = self._command("GET", "requests")
        return found

    def add_rule(self, rule: Mapping[str, Any]) -> int:
        """Add a rule of the form ``{"match": {...}, "action": {"type": ...}, "times": n, "after": k}``; its id."""
        return int(self._command("POST", "rules", dict(rule))["id"])

    def rules(self) -> list[dict[str, Any]]:
        """The rules that stand, with how often each one struck."""
        found: list[dict[str, Any]] = self._command("GET", "rules")
        return found

    def clear_rules(self) -> None:
        """Forget all rules."""
        self._command("DELETE", "rules")

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change what :class:`~.settings.SettingsChange` names, as ``slots`` or ``balance``; what holds then."""
        found: dict[str, Any] = self._command("POST", "settings", changes)
        return found

    def reset(self) -> None:
        """Forget tasks, rules, requests and clips; the settings are those of the start."""
        self._command("POST", "reset")
