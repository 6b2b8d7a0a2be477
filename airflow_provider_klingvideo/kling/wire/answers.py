"""What Kling's answer to a call means: its result, or the error that tells the truth about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

import httpx

from airflow_provider_klingvideo._urls import without_queries
from airflow_provider_klingvideo.kling.errors import (
    AmbiguousSubmissionError,
    KlingError,
    ServerError,
    error_from_answer,
)
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.reading import words_of
from airflow_provider_klingvideo.kling.wire.retry_after import seconds_asked

T = TypeVar("T")

SHOWN_OF_FOREIGN_ANSWER = 120
SEEN_OF_FOREIGN_ANSWER = 16 * 1024
# The API's answers have about ten levels; what walks through a much deeper one, to store it for example, fails.
DEEPEST = 50
# A full page, 500 tasks, has some ten thousand objects and a few hundred thousand commas, those of its texts included.
# Unpacked by JSON, 32 MiB of empty lists are a gigabyte.
MOST_OBJECTS = 200_000
MOST_COMMAS = 1_000_000
# Half of a surrogate pair, escaped or raw.
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")


def result_of(operation: Operation[T], response: httpx.Response) -> T:
    """Read an answer.

    :raises AmbiguousSubmissionError: when it does not tell whether a create request made a task.
    :raises KlingError: when Kling refused, or what answered was not its API.
    """
    body = _body_of(response)
    if body is None:
        raise _foreign_answer(operation, response)
    code = body["code"] if type(body["code"]) is int else None
    if code in operation.empty_codes:
        return operation.parse([])
    if code != 0 or response.is_error:
        raise _refusal(operation, response, code, body)
    try:
        return operation.parse(body.get("data"))
    except ValueError as error:
        raise _foreign_answer(operation, response) from error


def _body_of(response: httpx.Response) -> dict[str, Any] | None:
    """The answer's envelope; None when it is none: a gateway's page, or half a body."""
    content = _content_of(response)
    if content.count(b"{") + content.count(b"[") > MOST_OBJECTS or content.count(b",") > MOST_COMMAS:
        return None
    try:
        body = json.loads(content)
        if _HALF_CHARACTER.search(content):
            body = _in_whole_characters(body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and "code" in body and not _is_too_deep(body) else None


def _content_of(response: httpx.Response) -> bytes:
    """The body without the key that was sent: what answers may show the request, and errors show the answer."""
    key = response.request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    return response.content.replace(key, b"...") if key else response.content


def _is_too_deep(body: Any) -> bool:
    level = [body]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _in_whole_characters(body: Any) -> Any:
    """Put a question mark for half of a character: JSON may hold one, but no file and no database takes it."""
    return json.loads(json.dumps(body, ensure_ascii=False).encode(errors="replace"))


def unreadable(operation: Operation[Any], why: str) -> KlingError:
    """Make the error for an answer that was not read to its end.

    :param why: what is wrong with it, to follow "is not the API's:".
    """
    error = ServerError(f"The answer to {operation.method} {operation.path} is not the API's: {why}")
    return _ambiguous(error) if operation.is_create else error


def _refusal(operation: Operation[Any], response: httpx.Response, code: int | None, body: dict[str, Any]) -> KlingError:
    error = error_from_answer(
        code,
        http_status=response.status_code,
        vendor_message=words_of(body.get("message")) or None,
        request_id=words_of(body.get("request_id")) or None,
        retry_after=_retry_after(response),
    )
    return _ambiguous(error) if operation.is_create and isinstance(error, ServerError) else error


def _foreign_answer(operation: Operation[Any], response: httpx.Response) -> KlingError:
    status = response.status_code
    words = " ".join(_content_of(response)[:SEEN_OF_FOREIGN_ANSWER].decode(errors="replace").split())
    shown = without_queries(words)[:SHOWN_OF_FOREIGN_ANSWER]
    message = f"The answer to {operation.method} {operation.path} is not the API's; it begins with {shown!r}"
    if operation.is_create and response.is_client_error and status != httpx.codes.REQUEST_TIMEOUT:
        # A gateway that refuses a request has not passed it on; one that gave up waiting may have.
        return ServerError(
            message,
            http_status=status,
            retryable=status == httpx.codes.TOO_MANY_REQUESTS,
            advice="Check the base URL, the proxy and the size of the pictures",
            retry_after=_retry_after(response),
        )
    error = ServerError(message, http_status=status, retry_after=_retry_after(response))
    return _ambiguous(error) if operation.is_create else error


def _ambiguous(error: KlingError) -> AmbiguousSubmissionError:
    return AmbiguousSubmissionError(
        error.message,
        code=error.code,
        vendor_message=error.vendor_message,
        http_status=error.http_status,
        request_id=error.request_id,
        retry_after=error.retry_after,
    )


def _retry_after(response: httpx.Response) -> float | None:
    return seconds_asked(response.headers.get_list("Retry-After"))
