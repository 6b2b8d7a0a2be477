"""A server that plays Kling and answers what it is told to, however little sense that makes.

What it did itself is true and kept: which tasks it has made. It refuses a second one with the same external id.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ID, EXTERNAL, JOB, HOST, ROOT, KEY = "{{id}}", "{{external}}", "{{job}}", "{{host}}", "{{root}}", "{{key}}"
"""What stands for something that is known only when a request comes."""
SIGNED = "?Expires=1790000000&Signature=s3cret-signature"
REQUEST_TIMEOUT = 408
OUR_EXTERNAL_ID = re.compile(r".+-[0-9a-f]{16}-g[0-9]+")
DOUBLE = json.dumps({"code": 1201, "message": "External_task_id already exists", "request_id": "r"}).encode()


@dataclass(frozen=True)
class Raw:
    """Stands in a body as it is: what no JSON writer writes."""

    text: str

    def __repr__(self) -> str:
        """Show the beginning alone: some are very long."""
        return f"Raw({self.text[:30]!r}, {len(self.text)} characters)"


@dataclass(frozen=True)
class Many:
    """A list with the same entry so many times."""

    entry: Any
    count: int


@dataclass(frozen=True)
class Twice:
    """An object with a key that comes twice."""

    key: str
    first: Any
    second: Any


def written(value: Any) -> str:
    """Write JSON that may be none."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Many):
        return f"[{', '.join([written(value.entry)] * value.count)}]"
    if isinstance(value, Twice):
        return f"{{{json.dumps(value.key)}: {written(value.first)}, {json.dumps(value.key)}: {written(value.second)}}}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)}: {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)


ENCODINGS: Mapping[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "raw half characters": lambda text: re.sub(r"\\u(d[89a-f]..)", lambda found: chr(int(found[1], 16)), text).encode(
        "utf-8", "surrogatepass"
    ),
    "byte order mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "half of it": lambda text: text.encode()[: len(text) // 2],
    "more than it": lambda text: text.encode() + b'{"code": 0}',
}


@dataclass(frozen=True)
class Reply:
    """An answer.

    :param content: an envelope with placeholders, or the bytes themselves.
    :param encoding: a key of :data:`ENCODINGS`.
    """

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"

    def body(self, known: Mapping[str, str]) -> bytes:
        """Return the body, filled with what is known now."""
        if isinstance(self.content, bytes):
            return _filled(self.content.decode("latin-1"), known).encode("latin-1", "replace")
        return ENCODINGS[self.encoding](_filled(written(self.content), {**known, **_quoted(known)}))


def _quoted(known: Mapping[str, str]) -> dict[str, str]:
    return {name: json.dumps(value)[1:-1] for name, value in known.items()}


def _filled(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(name, value)
    return text


def is_refusal(status: int, body: bytes) -> bool:
    """Whether an answer says clearly that nothing was made."""
    if 400 <= status < 500 and status != REQUEST_TIMEOUT:
        return True
    try:
        code = json.loads(body)["code"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return False
    return type(code) is int and 1000 <= code < 2000


@dataclass
class HostileKling:
    """What the server answers, and what it has done.

    :param files: what it serves below ``/media/``, by name.
    """

    http: ThreadingHTTPServer
    files: Mapping[str, bytes]
    root: Path = Path()
    job_id: str = ""
    script: Mapping[str, Sequence[Reply]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    external_ids: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.http.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def begin(self, script: Mapping[str, Sequence[Reply]], root: Path, job_id: str) -> None:
        """Forget everything, and go by another script: by role the answers in turn, the last one for ever."""
        self.script, self.root, self.job_id = script, root, job_id
        for memory in (self.made, self.external_ids, self.faults, self._asked):
            memory.clear()

    def answer(self, method: str, target: str, body: bytes, key: str) -> tuple[int, Mapping[str, str], bytes]:
        """Answer a request."""
        role, wanted = self._role(method, target, body)
        reply = self._next(role)
        known = {
            ID: self.made.get(wanted, f"86728374175911{len(self.made):04}") if role != "query" else wanted,
            EXTERNAL: wanted if role in ("create", "look_up") else next(iter(self.made), ""),
            JOB: self.job_id,
            HOST: self.url,
            ROOT: str(self.root),
            KEY: key,
        }
        content = reply.body(known)
        if role == "create":
            return self._created(wanted, reply, content)
        return reply.status, reply.headers, content

    def _created(self, wanted: str, reply: Reply, content: bytes) -> tuple[int, Mapping[str, str], bytes]:
        self.external_ids.append(wanted)
        if wanted in self.made:
            return 400, {}, DOUBLE
        if not is_refusal(reply.status, content):
            self.made[wanted] = f"86728374175911{len(self.made):04}"
        return reply.status, reply.headers, content

    def _next(self, role: str) -> Reply:
        replies = self.script[role]
        number, self._asked[role] = self._asked[role], self._asked[role] + 1
        return replies[min(number, len(replies) - 1)]

    def _role(self, method: str, target: str, body: bytes) -> tuple[str, str]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/account/"):
            return "account", ""
        if method == "POST":
            return self._posted(parts.path, body)
        if "task_ids" in query:
            return "query", query["task_ids"]
        if "pageNum" in query:
            return "listing", ""
        return self._by_id(query.get("external_task_ids") or unquote(parts.path.rpartition("/")[2]))

    def _posted(self, path: str, body: bytes) -> tuple[str, str]:
        if path in ("/tasks", "/solutions"):
            return "listing", ""
        if path.endswith("/identify-face"):
            return "faces", ""
        return "create", _external_id_of(json.loads(body))

    def _by_id(self, wanted: str) -> tuple[str, str]:
        if wanted == self.job_id:
            return "validation", wanted
        if OUR_EXTERNAL_ID.fullmatch(wanted) and wanted in self.external_ids:
            return ("look_up" if wanted in self.made else "absent"), wanted
        return "query", wanted


def _external_id_of(body: Any) -> str:
    if isinstance(body, dict):
        found = [body.get("external_task_id"), *map(_external_id_of, body.values())]
        return next((one for one in found if one), "")
    return ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else every answer waits for the client's word that it has its head.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        name = urlsplit(self.path).path.removeprefix("/media/")
        if name in self.server.kling.files:
            self._send(200, {"Content-Type": "application/octet-stream"}, self.server.kling.files[name])
        elif self.path.startswith("/media/"):
            self._send(404, {}, b"gone")
        else:
            self._do()

    def do_POST(self) -> None:
        self._do()

    def _do(self) -> None:
        kling, body = self.server.kling, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            status, headers, content = kling.answer(self.command, self.path, body, key)
        except Exception as error:
            kling.faults.append(repr(error))
            raise
        self._send(status, headers, content)

    def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        has_body = status not in (204, 304)
        if has_body:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if has_body:
            self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Keep the test output quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    kling: HostileKling

    def handle_error(self, *_args: object) -> None:
        """Clients hang up; faults of the server itself are kept."""


@contextmanager
def hostile_kling(files: Mapping[str, bytes]) -> Iterator[HostileKling]:
    """Run the server.

    :param files: what it serves below ``/media/``, by name.
    """
    http = _Server(("127.0.0.1", 0), _Handler)
    kling = http.kling = HostileKling(http, files)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield kling
    http.shutdown()
    http.server_close()
