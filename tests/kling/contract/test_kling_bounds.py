"""No answer takes longer than its request has, nor more memory than an answer needs; no header asks for more either."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kling_servers import ACCESS_KEY, API_KEY, SECRET_KEY, Answer, Driver, ScriptedServer, envelope

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.kling import (
    AccessKeyAuth,
    AmbiguousSubmissionError,
    ApiKeyAuth,
    InvalidRequestError,
    KlingClient,
    KlingError,
    NetworkError,
    ServerError,
    TextToVideoRequest,
)
from airflow_provider_klingvideo.kling.client import bounds
from airflow_provider_klingvideo.kling.wire.answers import result_of
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.retry_after import LONGEST_ASKED_SECONDS, seconds_asked
from airflow_provider_klingvideo.sandbox import SandboxServer

KEY, TOKEN = ApiKeyAuth(API_KEY), AccessKeyAuth(ACCESS_KEY, SECRET_KEY)
AUTHS = pytest.mark.parametrize("auth", [KEY, TOKEN], ids=["key", "token"])
TEXT = "text_to_video"
REQUEST = TextToVideoRequest(prompt="a red fox in snow")
FOUND = envelope([{"id": "1"}])
SECONDS = 0.25
PAUSE = 0.02
"""So short that no read of its own takes too long; what drips here goes on for ever."""

Pieces = Callable[[], Iterable[bytes]]


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def endless(first: bytes, more: bytes = b" ") -> Pieces:
    return lambda: itertools.chain([first], itertools.repeat(more))


LONG = head("Content-Length: 99999999")
CHUNKED = head("Transfer-Encoding: chunked")
DRIPS: dict[str, Pieces] = {
    "status line": endless(b"HTTP/1.1 200 ", b"O"),
    "headers": endless(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "one header after the other": endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "informational answers": endless(b"", head(status="100 Continue")),
    "body": endless(LONG),
    "chunks": endless(CHUNKED, b"1\r\n \r\n"),
    "size of a chunk": endless(CHUNKED + b"1;", b"x"),
    "packed body of empty blocks": endless(
        head("Content-Length: 99999999", "Content-Encoding: gzip") + gzip.compress(b"")[:10], b"\0\0\0\xff\xff"
    ),
    "body of a refused token": endless(head("Content-Length: 99999999", status="401 Unauthorized")),
}


def dripping(pieces: Pieces) -> Answer:
    return Answer(raw=pieces, pause=PAUSE)


def order(call: Driver, url: str, auth: Any = KEY, **options: Any) -> Any:
    return call(auth, url, "create", REQUEST, external_task_id="job-1", **options)


def ask(call: Driver, url: str, auth: Any = KEY, **options: Any) -> Any:
    return call(auth, url, "find_by_external_id", "job-1", kind=TEXT, **options)


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_a_read_whose_answer_drips_is_given_up_and_tried_again(
    call: Driver, scripted: ScriptedServer, drip: Pieces
) -> None:
    scripted.script(dripping(drip), FOUND)
    assert ask(call, scripted.url, TOKEN, timeout=SECONDS).id == "1"


@pytest.mark.parametrize("drip", ["headers", "body"])
def test_a_read_whose_answers_all_drip_is_a_trouble_of_the_network(
    call: Driver, scripted: ScriptedServer, drip: str
) -> None:
    scripted.script(dripping(DRIPS[drip]))
    with pytest.raises(NetworkError, match=r"ReadTimeout") as caught:
        ask(call, scripted.url, timeout=SECONDS)
    assert (caught.value.money, caught.value.retryable) == (Money.NONE, True)
    assert len(scripted.requests) == 4


@AUTHS
@pytest.mark.parametrize("drip", ["headers", "informational answers", "body", "body of a refused token"])
def test_a_create_whose_answer_drips_is_a_doubt_and_never_sent_again(
    call: Driver, scripted: ScriptedServer, auth: Any, drip: str
) -> None:
    scripted.script(dripping(DRIPS[drip]))
    with pytest.raises(AmbiguousSubmissionError, match=r"did not answer a create request \(ReadTimeout"):
        order(call, scripted.url, auth, timeout=SECONDS)
    assert scripted.arrived() == 1


def test_a_connection_that_was_used_before_is_bounded_as_well(scripted: ScriptedServer) -> None:
    from airflow_provider_klingvideo.kling import KlingClient

    scripted.script(FOUND, dripping(DRIPS["headers"]))
    with KlingClient(KEY, base_url=scripted.url, timeout=SECONDS, read_attempts=1) as client:
        assert client.find_by_external_id("job-1", kind=TEXT)
        with pytest.raises(NetworkError, match="ReadTimeout"):
            client.find_by_external_id("job-1", kind=TEXT)


def test_a_slow_answer_that_is_complete_in_time_counts(call: Driver, scripted: ScriptedServer) -> None:
    body = FOUND.body
    pieces = [head(f"Content-Length: {len(body)}"), *(body[at : at + 9] for at in range(0, len(body), 9))]
    scripted.script(dripping(lambda: pieces))
    assert ask(call, scripted.url).id == "1"


class SippingServer:
    """Reads a request so quickly that every write of its own is in time, and so slowly that the whole takes long."""

    def __init__(self) -> None:
        self.received = 0
        self._closing = threading.Event()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 60_000)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._sip)
        self._thread.start()

    def _sip(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while not self._closing.wait(PAUSE):
                self.received += len(connection.recv(60_000))

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._listener.close()


@pytest.fixture
def sipping() -> Iterator[SippingServer]:
    server = SippingServer()
    yield server
    server.close()


def test_a_create_that_is_hardly_read_is_a_doubt(
    call: Driver, sipping: SippingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "SLOWEST_UPLOAD", 10**9)
    size = 20_000_000
    with pytest.raises(AmbiguousSubmissionError):
        call(
            *(KEY, sipping.url, "create", TextToVideoRequest(prompt="x" * size)),
            external_task_id="job-1",
            timeout=1,
        )
    assert sipping.received < size / 2


def test_the_upload_of_a_large_body_has_time_of_its_own() -> None:
    small, large = (httpx.Request("POST", "http://a", content=b"x" * size) for size in (0, 100 * bounds.SLOWEST_UPLOAD))
    assert bounds.seconds_for(httpx.Request("GET", "http://a"), 60) == bounds.seconds_for(small, 60) == 60
    assert bounds.seconds_for(large, 60) == 160


# --- memory

MEGABYTE = b" " * 1024 * 1024
BOMB = gzip.compress(MEGABYTE * 64)
FLOODS: dict[str, Pieces] = {
    "body": endless(head(), MEGABYTE),
    "chunks": endless(CHUNKED, b"100000\r\n" + MEGABYTE + b"\r\n"),
    "packed body": lambda: [head("Content-Encoding: gzip"), BOMB],
    "after the packed body": endless(head("Content-Encoding: gzip") + gzip.compress(b"{}"), MEGABYTE),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_an_answer_without_an_end_is_not_read_on(call: Driver, scripted: ScriptedServer, flood: Pieces) -> None:
    too_large = f"is larger than {bounds.LARGEST_ANSWER} bytes"
    scripted.script(Answer(raw=flood), FOUND)
    assert ask(call, scripted.url).id == "1"
    scripted.script(Answer(raw=flood))
    with pytest.raises(ServerError, match=f"The answer to GET /tasks is not the API's: it {too_large}") as read:
        ask(call, scripted.url)
    assert (read.value.money, read.value.retryable) == (Money.NONE, True)
    with pytest.raises(AmbiguousSubmissionError, match=too_large):
        order(call, scripted.url)


# What takes a hundred times its size when it is parsed, decoded or split into words.
SWELLING = {
    "lists": b'{"code": 0, "data": [%s0]}' % (b"[]," * 4_000_000),
    "objects": b'{"code": 0, "data": [%s0]}' % (b"{}," * 4_000_000),
    "nested lists": b'{"code": 0, "data": [%s0]}' % (b"[[[[]]]]," * 1_400_000),
    "texts": b'{"code": 0, "data": [%s0]}' % b"".join(b'"%x",' % number for number in range(1_500_000)),
    "numbers": b'{"code": 0, "data": [%s0]}' % (b"1e9," * 3_000_000),
    "names": b'{"code": 0, "data": {%s"": 0}}' % b"".join(b'"%x":0,' % number for number in range(1_400_000)),
    "words of no API": b"a " * 6_000_000,
    "blanks before a word": b" " * 12_000_000 + b"word",
    "one word": b"a" * 12_000_000,
    "a message": b'{"code": 1201, "message": "%s"}' % (b"a " * 6_000_000),
}


@pytest.mark.parametrize("body", SWELLING.values(), ids=SWELLING)
def test_an_answer_takes_no_more_memory_than_some_times_its_size(body: bytes) -> None:
    request = httpx.Request("GET", "http://kling/tasks")
    response = httpx.Response(200, content=body, request=request)
    tracemalloc.start()
    try:
        with pytest.raises(KlingError) as told:
            result_of(Operation("GET", "/tasks", parse=list), response)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(body)
    assert len(str(told.value)) < 5000


def test_a_full_page_of_the_longest_prompts_is_read() -> None:
    task = {"id": "1", "prompt": "one, two, " * 250, "outputs": [{"id": "2", "url": "u"}] * 4}
    body = json.dumps({"code": 0, "data": [task] * 500}).encode()
    response = httpx.Response(200, content=body, request=httpx.Request("GET", "http://kling/tasks"))
    assert len(result_of(Operation("GET", "/tasks", parse=list), response)) == 500


@AUTHS
def test_a_packed_answer_is_read(call: Driver, scripted: ScriptedServer, auth: Any) -> None:
    scripted.script(Answer(gzip.compress(FOUND.body), headers={"Content-Encoding": "gzip"}))
    assert ask(call, scripted.url, auth).id == "1"
    assert scripted.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd", "deflate"])
def test_what_is_packed_in_a_way_that_was_not_asked_for_is_not_unpacked(
    call: Driver, scripted: ScriptedServer, encoding: str
) -> None:
    scripted.script(Answer(gzip.compress(gzip.compress(FOUND.body)), headers={"Content-Encoding": encoding}))
    with pytest.raises(ServerError, match="not the API's"):
        ask(call, scripted.url)


# --- Retry-After


SOON = "<in half an hour>"


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        (["0"], 0, 0),
        (["7"], 7, 7),
        (["99999999999"], LONGEST_ASKED_SECONDS, LONGEST_ASKED_SECONDS),
        (["9" * 5000], LONGEST_ASKED_SECONDS, LONGEST_ASKED_SECONDS),
        (["Fri, 31 Dec 9999 23:59:59 GMT"], LONGEST_ASKED_SECONDS, LONGEST_ASKED_SECONDS),
        (["Fri, 31 Dec 9999 23:59:59 -2359"], LONGEST_ASKED_SECONDS, LONGEST_ASKED_SECONDS),
        (["Mon, 01 Jan 0001 00:00:00 +2359"], 0, 0),
        ([SOON], 1700, 1800),
        (["5", "3"], 5, 5),
        (["5, 3"], 5, 5),
        (["soon", "3"], 3, 3),
        ([f"2, {SOON}"], 1700, 1800),
    ],
)
def test_a_pause_is_read_up_to_a_bound(headers: list[str], low: float, high: float) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True)
    asked = seconds_asked([header.replace(SOON, then) for header in headers])
    assert asked is not None
    assert low <= asked <= high


@pytest.mark.parametrize("header", ["inf", "-inf", "Infinity", "nan", "1e999", "-3", "", ",", "0x10", "1_0", "٣", "²"])
def test_what_is_no_pause_is_none(header: str) -> None:
    assert seconds_asked([header]) is None


NUMBERS = st.from_regex(r"-?[0-9.eE+_]{1,30}", fullmatch=True) | st.integers().map(str)
DATE = r"[A-Z][a-z]{2}, [0-9]{1,12} (Jan|Dec) [0-9]{1,12} [0-9:]{1,12} ([+-][0-9]{1,12}|[A-Z]{1,4})"


@given(st.lists(st.text() | NUMBERS | st.from_regex(DATE, fullmatch=True), max_size=3))
@example(["99999999999"])
@example(["Mon, 01 Jan 2024 00:00:00 +99999999999999999999"])
@example(["01 Jan 99999999999999999999 00:00:00 GMT"])
@example(["1 2 3 4 5 6 7"])
@example([])
def test_any_header_is_a_bounded_pause_or_none(headers: list[str]) -> None:
    asked = seconds_asked(headers)
    assert asked is None or 0 <= asked <= LONGEST_ASKED_SECONDS


@pytest.mark.parametrize("header", ["99999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_error_asks_for_more_than_an_hour(call: Driver, scripted: ScriptedServer, header: str) -> None:
    scripted.script(envelope(code=1302, status=429, Retry_After=header))
    for method in (ask, order):
        with pytest.raises(KlingError) as caught:
            method(call, scripted.url)
        assert caught.value.retry_after == LONGEST_ASKED_SECONDS
    scripted.script(Answer(b"<html>", 503, {"Retry-After": header}))
    with pytest.raises(AmbiguousSubmissionError) as doubt:
        order(call, scripted.url)
    assert doubt.value.retry_after == LONGEST_ASKED_SECONDS


# --- half of a character


def test_half_of_a_character_in_an_answer_is_read_as_a_question_mark(call: Driver, scripted: ScriptedServer) -> None:
    outputs = [{"id": "2", "name": "a \ud83d"}]
    scripted.script(envelope([{"id": "1", "status": "failed", "message": "no \ud83d", "outputs": outputs}]))
    found = ask(call, scripted.url)
    assert (found.message, found.outputs[0].name) == ("no ?", "a ?")
    json.dumps(found.public_answer(), ensure_ascii=False).encode()


@pytest.mark.parametrize("half", [rb"\ud83d", rb"\uDE00", b"\xed\xa0\xbd"], ids=["high", "low", "raw"])
def test_half_of_a_character_in_words_keys_and_ids_breaks_nothing(
    call: Driver, scripted: ScriptedServer, half: bytes
) -> None:
    words = b'{"code": 1302, "message": "slow ' + half + b'", "request_id": "r' + half + b'", "' + half + b'": [1]}'
    scripted.script(Answer(words, 429))
    with pytest.raises(KlingError) as caught:
        order(call, scripted.url)
    json.dumps(caught.value.detail(), ensure_ascii=False).encode()
    assert "slow ?" in str(caught.value)
    scripted.script(Answer(b'{"code": 0, "data": {"id": "1' + half + b'", "' + half + b'": 1}}'))
    assert order(call, scripted.url).id.startswith("1?")


def test_a_whole_character_that_is_written_as_two_halves_stays(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(Answer(rb'{"code": 0, "data": {"id": "1", "message": "\ud83e\udd8a"}}'))
    assert order(call, scripted.url).message == "🦊"


def test_half_of_a_character_in_a_request_is_a_fault_of_the_request(call: Driver, scripted: ScriptedServer) -> None:
    with pytest.raises(InvalidRequestError, match="half of a character") as caught:
        call(KEY, scripted.url, "create", TextToVideoRequest(prompt="a \ud83d"), external_task_id="job-1")
    assert caught.value.money is Money.NONE
    with pytest.raises(InvalidRequestError, match="half of a character"):
        call(KEY, scripted.url, "get_tasks", ["\ud83d"], kind=TEXT)
    assert scripted.requests == []


def test_the_largest_answer_is_a_setting(sandbox: SandboxServer) -> None:
    with (
        KlingClient(ApiKeyAuth(API_KEY), base_url=sandbox.url, read_attempts=1, largest_answer=9) as client,
        pytest.raises(KlingError, match="larger than 9 bytes"),
    ):
        client.get_tasks(["1"], kind="text_to_video")
