"""Answers of the test server: honest ones and others."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from threading import Event

Answer = Callable[[BaseHTTPRequestHandler], None]


def _head(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()


def serve(body: bytes, content_type: str = "video/mp4", status: int = 200, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, status, {"Content-Type": content_type, "Content-Length": str(len(body)), **headers})
        request.wfile.write(body)

    return answer


def status(code: int, **headers: str) -> Answer:
    return serve(b"<Error/>", "application/xml", code, **headers)


def redirect(location: str) -> Answer:
    return serve(b"", "text/plain", 302, Location=location)


def cut(body: bytes, sent: int, **headers: str) -> Answer:
    """Promise the whole body, reset the connection after ``sent`` bytes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, 200, {"Content-Length": str(len(body)), **headers})
        request.wfile.write(body[:sent])
        request.wfile.flush()
        _close(request)

    return answer


def reset(request: BaseHTTPRequestHandler) -> None:
    """Answer nothing and reset the connection."""
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _close(request)


def unframed(body: bytes) -> Answer:
    """Send without a length; the end of the connection is the end of the file."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, 200, {"Connection": "close"})
        for start in range(0, len(body), 5):
            request.wfile.write(body[start : start + 5])
            request.wfile.flush()
            if start > 20:
                request.wfile.write(body[start + 5 :])
                break
        _close(request)

    return answer


def stall(body: bytes, stopping: Event) -> Answer:
    """Send half and then nothing more."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, 200, {"Content-Length": str(len(body))})
        request.wfile.write(body[: len(body) // 2])
        request.wfile.flush()
        stopping.wait(30)
        _close(request)

    return answer


def rest(body: bytes, *, shift: int = 0, most: int | None = None, **headers: str) -> Answer:
    """Honour ``Range``; with ``shift`` from another place than was asked for, at most ``most`` bytes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        start = int(request.headers["Range"].removeprefix("bytes=").rstrip("-")) + shift
        content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
        serve(body[start:][:most], status=206, **{"Content-Range": content_range, **headers})(request)

    return answer


def _close(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.shutdown(socket.SHUT_RDWR) if request.connection.fileno() >= 0 else None
