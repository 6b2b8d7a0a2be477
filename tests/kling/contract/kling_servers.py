"""A server that gives scripted answers, and a driver that calls either client."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO

from airflow_provider_klingvideo.kling import AccessKeyAuth, ApiKeyAuth, AsyncKlingClient, KlingClient
from airflow_provider_klingvideo.sandbox import SandboxSettings

API_KEY = "key-of-the-tests-0123456789"
ACCESS_KEY = "access-key-of-the-tests"
SECRET_KEY = "secret-key-of-the-tests-0123456789abcdef"
SECRETS = (API_KEY, SECRET_KEY)

SETTINGS = SandboxSettings(
    api_key=API_KEY,
    access_key=ACCESS_KEY,
    secret_key=SECRET_KEY,
    queue_seconds=0,
    generation_seconds=0,
    slots=1_000_000,
    balance=1_000_000_000,
)


@dataclass(frozen=True)
class Answer:
    """What the scripted server sends.

    :param missing: so many bytes of the announced body are never sent.
    :param reset: close the connection with a reset instead of an answer.
    :param wait: hold the answer back until the server is closed.
    :param raw: makes the bytes of the whole answer, piece by piece, until the client hangs up.
    :param pause: seconds between two of these pieces.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    missing: int = 0
    reset: bool = False
    wait: bool = False
    raw: Callable[[], Iterable[bytes]] | None = None
    pause: float = 0


def envelope(data: Any = None, *, code: Any = 0, status: int = 200, **headers: str) -> Answer:
    """An answer of Kling."""
    content = {"code": code, "message": "words of Kling", "request_id": "r-1", "data": data}
    return Answer(json.dumps(content).encode(), status, {name.replace("_", "-"): it for name, it in headers.items()})


def html(status: int, **headers: str) -> Answer:
    return Answer(b"<html>Bad \n gateway</html>", status, {"Content-Type": "text/html", **headers})


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedServer:
    """Gives the scripted answers in turn, the last one for ever, and keeps the requests."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [envelope([])]
        self.requests: list[Request] = []
        self._closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def script(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests.clear()

    def arrived(self) -> int:
        """Return how many requests have come, as soon as there is one: a client may give up before it is read."""
        for _ in range(1000):
            if self.requests:
                break
            time.sleep(0.01)
        return len(self.requests)

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.requests.append(Request(self.command, self.path, headers, body))
                self._send(server.answers.pop(0) if len(server.answers) > 1 else server.answers[0])

            do_GET = do_CONNECT = do_POST

            def _send(self, answer: Answer) -> None:
                if answer.raw:
                    self.close_connection = True
                    _pour(self.wfile, answer.raw(), partial(server._closing.wait, answer.pause))
                    return
                if answer.wait:
                    server._closing.wait(30)
                if answer.reset or answer.wait:
                    self.close_connection = True
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body) + answer.missing))
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = answer.missing > 0

            def finish(self) -> None:
                if self.connection.fileno() != -1:
                    super().finish()

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


def _pour(connection: BinaryIO, pieces: Iterable[bytes], closing: Callable[[], bool]) -> None:
    """Send piece by piece until the client hangs up or the server is closed."""
    with suppress(OSError):
        for piece in pieces:
            connection.write(piece)
            if closing():
                break


class Driver:
    """Calls the synchronous or the asynchronous client by the same name, so that each test speaks for both."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, auth: ApiKeyAuth | AccessKeyAuth, url: str, method: str, *args: Any, **options: Any) -> Any:
        connection = {"base_url": url, "timeout": options.pop("timeout", 5)}
        if self.kind == "sync":
            with KlingClient(auth, **connection) as it:
                return _collected(getattr(it, method)(*args, **options))
        return asyncio.run(_call(AsyncKlingClient(auth, **connection), method, *args, **options))


async def _call(client: AsyncKlingClient, method: str, *args: Any, **options: Any) -> Any:
    async with client:
        result = getattr(client, method)(*args, **options)
        return [one async for one in result] if inspect.isasyncgen(result) else await result


def _collected(result: Any) -> Any:
    return list(result) if inspect.isgenerator(result) else result
