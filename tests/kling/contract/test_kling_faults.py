"""Broken answers, broken connections and what must not be shown, over real HTTP with a scripted server."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kling_servers import ACCESS_KEY, API_KEY, SECRET_KEY, SECRETS, Answer, Driver, ScriptedServer, envelope, html

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.kling import (
    AccessKeyAuth,
    AmbiguousSubmissionError,
    ApiFamily,
    ApiKeyAuth,
    AsyncKlingClient,
    AuthenticationError,
    ConcurrencyLimitError,
    ImageToVideoRequest,
    InvalidRequestError,
    KlingClient,
    KlingError,
    NetworkError,
    RateLimitError,
    ServerError,
    TextToVideoRequest,
    base_url_for,
    parse_request,
)
from airflow_provider_klingvideo.kling.client import client
from airflow_provider_klingvideo.kling.client.operations import (
    LARGEST_PAGE,
    LAST_LEGACY_PAGE,
    create,
    list_legacy_tasks,
)
from airflow_provider_klingvideo.kling.wire.auth import LIFETIME_SECONDS, MARGIN_SECONDS
from airflow_provider_klingvideo.kling.wire.tasks import parse_task

KEY = ApiKeyAuth(API_KEY)
TEXT = "text_to_video"
REQUEST = TextToVideoRequest(prompt="a red fox in snow")
CREATED = envelope({"id": "1", "status": "submitted"})


def order(call: Driver, url: str, **options: Any) -> Any:
    return call(KEY, url, "create", REQUEST, external_task_id="job-1", **options)


def ask(call: Driver, url: str, **options: Any) -> Any:
    return call(KEY, url, "find_by_external_id", "job-1", kind=TEXT, **options)


DOUBTFUL = {
    "html with 200": html(200),
    "html with 502": html(502),
    "html with 504": html(504),
    "html with 408": html(408),
    "408 of Kling": envelope(code=9999, status=408),
    "redirect": html(302, Location="/elsewhere"),
    "no body": Answer(),
    "no json": Answer(b'{"code": 0'),
    "json without code": Answer(b'{"message": "no route"}'),
    "a list": Answer(b"[0]"),
    "too deep": Answer(b"[" * 100_000),
    "no task": envelope({}),
    "no data": envelope(None),
    "task without id": envelope({"status": "submitted"}),
    "task with an object as id": envelope({"id": {"a": 1}}),
    "unknown code with 200": envelope(code=9999),
    "code is text": envelope(code="0"),
    "code is true": envelope(code=True),
    "code is false": envelope({"id": "1"}, code=False),
    "code is a list": envelope(code=[]),
    "success with 500": envelope({"id": "1"}, status=500),
    "half a body": Answer(CREATED.body, missing=10),
    "reset": Answer(reset=True),
    "broken compression": Answer(b"not gzip", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("answer", DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_create_whose_answer_tells_nothing_is_a_doubt_and_never_sent_again(
    call: Driver, scripted: ScriptedServer, answer: Answer
) -> None:
    scripted.script(answer)
    with pytest.raises(AmbiguousSubmissionError) as caught:
        order(call, scripted.url)
    assert caught.value.money is Money.MAYBE
    assert "external id" in caught.value.advice
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(("status", "retryable"), [(400, False), (403, False), (404, False), (413, False), (429, True)])
def test_a_gateway_that_refuses_a_create_has_made_nothing(
    call: Driver, scripted: ScriptedServer, status: int, retryable: bool
) -> None:
    scripted.script(html(status, **{"Retry-After": "7"}))
    with pytest.raises(ServerError, match="not the API's; it begins with '<html>Bad gateway") as caught:
        order(call, scripted.url)
    error = caught.value
    assert (error.money, error.retryable, error.http_status, error.retry_after) == (Money.NONE, retryable, status, 7)


def test_a_create_that_is_not_answered_in_time_is_a_doubt(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(Answer(wait=True))
    with pytest.raises(AmbiguousSubmissionError, match=r"did not answer a create request \(ReadTimeout"):
        order(call, scripted.url, timeout=0.1)
    assert len(scripted.requests) == 1


@pytest.mark.scenario(11)
def test_nobody_listening_means_that_nothing_was_sent(call: Driver, refused_url: str) -> None:
    with pytest.raises(NetworkError, match=refused_url.removeprefix("http://") + ".*; nothing was sent") as caught:
        order(call, refused_url)
    assert (caught.value.money, caught.value.retryable) == (Money.NONE, True)


@pytest.mark.parametrize("url", ["no-scheme.example", "http://[broken", "http://127.0.0.1:port", "ftp://127.0.0.1"])
def test_a_base_url_that_is_none_is_an_error_of_the_project(call: Driver, url: str) -> None:
    with pytest.raises(KlingVideoError) as caught:
        order(call, url)
    assert caught.value.money is Money.NONE


def test_a_proxy_that_refuses_the_tunnel_means_that_nothing_was_sent(
    call: Driver, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", scripted.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    scripted.script(html(403))
    with pytest.raises(NetworkError) as caught:
        order(call, "https://api.example")
    assert caught.value.money is Money.NONE
    assert [request.method for request in scripted.requests] == ["CONNECT"]


def test_1303_on_a_create_is_a_full_house_whatever_the_status(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(envelope(code=1303, status=503, Retry_After="2"))
    with pytest.raises(ConcurrencyLimitError) as caught:
        order(call, scripted.url)
    assert (caught.value.money, caught.value.retry_after) == (Money.NONE, 2)


TROUBLES = {
    name: answer for name, answer in DOUBTFUL.items() if name not in ("no task", "no data") and "id" not in name
}


@pytest.mark.parametrize("answer", [*TROUBLES.values(), html(404)], ids=[*TROUBLES, "html with 404"])
def test_a_read_is_tried_again_and_then_tells_the_trouble(
    call: Driver, scripted: ScriptedServer, answer: Answer
) -> None:
    if answer is not DOUBTFUL["code is false"]:
        scripted.script(answer, answer, answer, envelope([{"id": "1"}]))
        assert ask(call, scripted.url).id == "1"
    scripted.script(answer)
    with pytest.raises(KlingError) as caught:
        ask(call, scripted.url)
    assert (caught.value.money, caught.value.retryable) == (Money.NONE, True)
    assert len(scripted.requests) == 4


def test_a_slow_read_is_given_up(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(Answer(wait=True), envelope([{"id": "1"}]))
    assert ask(call, scripted.url, timeout=0.2).id == "1"


def test_a_refusal_of_a_read_is_not_tried_again(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(envelope(code=1103, status=403))
    with pytest.raises(KlingError):
        ask(call, scripted.url)
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind", "money"),
    [
        (401, AuthenticationError, Money.NONE),
        (403, KlingError, Money.NONE),
        (429, RateLimitError, Money.NONE),
        (418, InvalidRequestError, Money.NONE),
        (500, AmbiguousSubmissionError, Money.MAYBE),
    ],
)
def test_an_unknown_code_falls_back_to_the_status(
    call: Driver, scripted: ScriptedServer, status: int, kind: type[KlingError], money: Money
) -> None:
    scripted.script(envelope(code=4711, status=status))
    with pytest.raises(kind) as caught:
        order(call, scripted.url)
    assert (caught.value.code, caught.value.money) == (4711, money)


def _refusal(retry_after: str) -> Answer:
    return envelope(code=1302, status=429, Retry_After=retry_after)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("1e999", None),
        ("nan", None),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 0),
        ("Mon, 01 Jan 2024 00:00:00 -0000", 0),
        ("Mon, 99 Jan 2024 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_or_ignored(
    call: Driver, scripted: ScriptedServer, header: str, seconds: float | None
) -> None:
    scripted.script(_refusal(header))
    with pytest.raises(RateLimitError) as caught:
        order(call, scripted.url)
    assert caught.value.retry_after == seconds


def test_retry_after_may_be_a_date(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(_refusal(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)))
    with pytest.raises(RateLimitError) as caught:
        order(call, scripted.url)
    assert 3000 < (caught.value.retry_after or 0) <= 3600


def test_a_short_pause_that_the_vendor_asks_for_is_kept(
    call: Driver, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    backoffs: list[Any] = []
    monkeypatch.setattr(client, "_backoff", lambda state: backoffs.append(state) or 0.0)
    scripted.script(_refusal("0.01"), _refusal("soon"), envelope([{"id": "1"}]))
    assert ask(call, scripted.url).id == "1"
    assert len(backoffs) == 1


def test_a_long_pause_that_the_vendor_asks_for_is_left_to_the_caller(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(_refusal("31"))
    with pytest.raises(RateLimitError) as caught:
        ask(call, scripted.url)
    assert caught.value.retry_after == 31
    assert len(scripted.requests) == 1


def test_the_pause_grows_with_jitter_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    state = client.RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    state.attempt_number = 1
    assert 1 <= client._pause(state) <= 2
    state.attempt_number = 50
    assert client._pause(state) == client.LONGEST_PAUSE


def test_another_ones_task_is_never_taken_for_ours(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(envelope([{"id": "1", "external_id": "other"}]))
    assert ask(call, scripted.url) is None
    scripted.script(envelope([{"id": "1", "external_id": "other"}, {"id": "2", "external_id": "job-1"}]))
    assert ask(call, scripted.url).id == "2"


def test_a_listing_whose_cursor_stands_still_ends(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(envelope({"result": [{"id": "1"}], "has_more": True, "next_cursor": "c"}))
    assert [task.id for task in call(KEY, scripted.url, "list_tasks")] == ["1", "1"] * 2
    # The tasks have one listing, the solutions another.
    assert [request.json.get("cursor") for request in scripted.requests] == [None, "c"] * 2


def test_a_legacy_listing_ends_with_the_last_page_that_can_be_asked_for() -> None:
    full = [{"task_id": str(n)} for n in range(LARGEST_PAGE)]
    assert list_legacy_tasks(TEXT, (), None).parse(full).cursor == "2"
    assert list_legacy_tasks(TEXT, (), None).parse(full[1:]).cursor is None
    assert list_legacy_tasks(TEXT, (), str(LAST_LEGACY_PAGE)).parse(full).cursor is None


@pytest.mark.parametrize("external_id", ["", " ", "a,b"])
@pytest.mark.parametrize("auth", [KEY, AccessKeyAuth(ACCESS_KEY, SECRET_KEY)], ids=["key", "token"])
def test_an_external_id_by_which_nothing_is_found_again_is_refused_before_anything_is_sent(
    call: Driver, scripted: ScriptedServer, auth: ApiKeyAuth | AccessKeyAuth, external_id: str
) -> None:
    with pytest.raises(InvalidRequestError, match="no task can be found"):
        call(auth, scripted.url, "create", REQUEST, external_task_id=external_id)
    with pytest.raises(InvalidRequestError, match="no task can be found"):
        call(auth, scripted.url, "find_by_external_id", external_id, kind=TEXT)
    assert scripted.requests == []


@pytest.mark.parametrize(("pack", "query"), [(None, ""), ("A pack & more", "&resource_pack_name=A+pack+%26+more")])
def test_the_packs_can_be_asked_for_by_name(
    call: Driver, scripted: ScriptedServer, pack: str | None, query: str
) -> None:
    scripted.script(envelope({"resource_pack_subscribe_infos": []}))
    assert call(KEY, scripted.url, "account_costs", 1, 2, pack) == []
    assert scripted.requests[0].path == f"/account/costs?start_time=1&end_time=2{query}"


@pytest.mark.parametrize("data", [{"count": 0, "has_more": False}, {"has_more": True, "next_cursor": {}}, [], None])
def test_an_empty_listing_is_empty(call: Driver, scripted: ScriptedServer, data: Any) -> None:
    scripted.script(envelope(data))
    assert call(KEY, scripted.url, "list_tasks") == []


def test_an_error_inside_the_answer_about_packs_is_not_read_as_no_packs(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(envelope({"code": 500, "msg": "try later"}))
    with pytest.raises(ServerError):
        call(KEY, scripted.url, "account_costs", 1, 2)


def test_the_client_names_itself_and_the_path_is_below_the_base_url(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(CREATED)
    order(call, f"{scripted.url}/prefix/")
    [request] = scripted.requests
    assert request.path == "/prefix/text-to-video/kling-3.0-turbo"
    assert request.headers["user-agent"] == "airflow-provider-klingvideo"
    assert request.headers["authorization"] == f"Bearer {API_KEY}"


def test_an_unknown_model_cannot_lead_to_another_path(call: Driver, scripted: ScriptedServer) -> None:
    scripted.script(CREATED)
    request = TextToVideoRequest(prompt="a fox", model="../v1?x=1#y")
    call(KEY, scripted.url, "create", request, external_task_id="job-1")
    assert scripted.requests[0].path == "/text-to-video/..%2Fv1%3Fx%3D1%23y"


# --- tokens


def test_a_token_is_used_until_shortly_before_it_expires(call: Driver, scripted: ScriptedServer) -> None:
    now = [1_800_000_000.0]
    auth = AccessKeyAuth(ACCESS_KEY, SECRET_KEY, clock=lambda: now[0])
    scripted.script(envelope([]))
    for wait in (0, LIFETIME_SECONDS - MARGIN_SECONDS, 1):
        now[0] += wait
        call(auth, scripted.url, "find_by_external_id", "job-1", kind=TEXT)
    first, second, third = (request.headers["authorization"].removeprefix("Bearer ") for request in scripted.requests)
    assert first == second != third
    claims = jwt.decode(third, SECRET_KEY, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False})
    assert claims == {"iss": ACCESS_KEY, "exp": int(now[0]) + 1800, "nbf": int(now[0]) - 5}
    assert jwt.get_unverified_header(third) == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize(
    "body", [b"{", b"[1004]", b'{"code": 1002}', b"[" * 100_000], ids=["half", "list", "1002", "deep"]
)
def test_only_a_complaint_about_the_tokens_time_is_worth_a_new_token(
    call: Driver, scripted: ScriptedServer, body: bytes
) -> None:
    scripted.script(Answer(body, 401))
    with pytest.raises(KlingError):
        call(AccessKeyAuth(ACCESS_KEY, SECRET_KEY), scripted.url, "create", REQUEST, external_task_id="job-1")
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("key", ["", "  ", "line\nbreak", "schlüssel", "two words", "bell\x07"])
def test_what_cannot_be_a_key_is_refused_without_showing_it(key: str) -> None:
    makers: list[Callable[[], object]] = [
        lambda: ApiKeyAuth(key),
        lambda: AccessKeyAuth(key, SECRET_KEY),
        lambda: AccessKeyAuth(ACCESS_KEY, key),
    ]
    for make in makers:
        with pytest.raises(AuthenticationError) as caught:
            make()
        assert not key.strip() or key.strip() not in str(caught.value)


def test_blanks_around_a_key_are_dropped(call: Driver, scripted: ScriptedServer) -> None:
    call(ApiKeyAuth(f" {API_KEY}\n"), scripted.url, "find_by_external_id", "job-1", kind=TEXT)
    assert scripted.requests[0].headers["authorization"] == f"Bearer {API_KEY}"


# --- what must not be shown


def test_no_secret_is_shown(
    call: Driver, scripted: ScriptedServer, refused_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    auths = (KEY, AccessKeyAuth(ACCESS_KEY, SECRET_KEY))
    shown = [repr(auth) for auth in auths] + [repr(KlingClient(auth, base_url=scripted.url)) for auth in auths]
    tokens = list(SECRETS)
    for auth in auths:
        for answer in (html(502), envelope(code=1002, status=401), envelope({}), Answer(reset=True)):
            scripted.script(answer)
            with pytest.raises(KlingVideoError) as caught:
                call(auth, scripted.url, "create", REQUEST, external_task_id="job-1")
            shown += [str(caught.value), repr(caught.value), json.dumps(caught.value.detail())]
            tokens += [request.headers["authorization"].removeprefix("Bearer ") for request in scripted.requests]
        with pytest.raises(NetworkError) as unreached:
            call(auth, refused_url.replace("http://", "http://user:pass-word@"), "get_task", "1", kind=TEXT)
        shown.append(str(unreached.value))
    shown.append(caplog.text)
    assert len(tokens) == 10
    assert [token for token in [*tokens, "pass-word"] if any(token in text for text in shown)] == []


SIGNED = "https://bucket.example/a.png?X-Signature=s3cret&Expires=1"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(json.dumps({"code": 1201, "message": f"Image '{SIGNED}' is invalid"}).encode(), 400),
        Answer(f"<html>{SIGNED}</html>".encode(), 502),
    ],
    ids=["vendor", "gateway"],
)
def test_an_answer_that_repeats_a_signed_address_does_not_show_its_signature(
    call: Driver, scripted: ScriptedServer, answer: Answer
) -> None:
    scripted.script(answer)
    with pytest.raises(KlingError, match=r"https://bucket\.example/a\.png") as caught:
        order(call, scripted.url)
    assert "s3cret" not in str(caught.value) + json.dumps(caught.value.detail())


def test_a_failed_task_and_a_fault_of_a_request_do_not_show_a_signature() -> None:
    task = parse_task({"id": "1", "status": "failed", "message": f"{SIGNED} cannot be loaded"})
    assert task is not None
    assert task.message == "https://bucket.example/a.png?... cannot be loaded"
    with pytest.raises(InvalidRequestError, match=r"bucket\.example") as caught:
        parse_request({"first_frame": [SIGNED]})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("code", [[], {}, "1004", None, 1e400])
def test_a_refused_token_whose_answer_names_no_code_is_an_error_of_the_project(
    call: Driver, scripted: ScriptedServer, code: Any
) -> None:
    scripted.script(envelope(code=code, status=401))
    with pytest.raises(KlingVideoError):
        call(AccessKeyAuth(ACCESS_KEY, SECRET_KEY), scripted.url, "get_tasks", ["1"], kind=TEXT)


def test_pictures_and_signed_addresses_are_not_shown() -> None:
    request = ImageToVideoRequest(first_frame="QUJD" * 1000, last_frame="REVG" * 1000)
    for text in (repr(request), repr(create(request, ApiFamily.NEW, "job-1"))):
        assert "QUJD" not in text
        assert "REVG" not in text


# --- both clients


@pytest.mark.parametrize("kind", [KlingClient, AsyncKlingClient])
def test_the_generation_follows_from_credentials_and_model(kind: type[KlingClient] | type[AsyncKlingClient]) -> None:
    key, token = (kind(auth, base_url="http://127.0.0.1") for auth in (KEY, AccessKeyAuth(ACCESS_KEY, SECRET_KEY)))
    retired, unknown = (TextToVideoRequest(prompt="a", model=name) for name in ("kling-v1-6", "kling-9"))
    assert key.family_for(REQUEST) is ApiFamily.NEW
    assert key.family_for(retired) is ApiFamily.LEGACY
    assert key.family_for(unknown, "auto") is ApiFamily.NEW
    assert key.family_for(REQUEST, "legacy") is ApiFamily.LEGACY
    assert token.family_for(REQUEST) is ApiFamily.LEGACY
    assert token.family_for(REQUEST, "new") is ApiFamily.NEW
    with pytest.raises(InvalidRequestError, match="auto, new, legacy"):
        key.family_for(REQUEST, "newest")


def test_regions() -> None:
    assert base_url_for("singapore") == "https://api-singapore.klingai.com"
    assert base_url_for("beijing") == "https://api-beijing.klingai.com"


def test_importing_the_package_loads_no_http_library() -> None:
    script = "import sys, airflow_provider_klingvideo.kling as k; k.registry().model_names('text_to_video')\n"
    script += "print([n for n in ('httpx', 'pydantic', 'jwt', 'tenacity', 'airflow') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_can_be_had() -> None:
    from airflow_provider_klingvideo import kling

    assert all(getattr(kling, name) is not None for name in kling.__all__)
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = kling.nothing_like_this


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["code", "message", "data", "id", "task_id", "status", "result", "has_more", "next_cursor", "outputs"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    body=st.binary(max_size=40) | JSON.map(lambda it: json.dumps(it).encode()) | JSON.map(lambda it: envelope(it).body),
    status=st.sampled_from([200, 201, 204, 302, 400, 401, 404, 408, 429, 500, 503]),
    charset=st.sampled_from(["utf-8", "hex", "latin-1", "none-such"]),
    method=st.sampled_from(["create", "find_by_external_id", "get_tasks", "list_tasks", "account_costs"]),
    token=st.booleans(),
)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_answer_gives_a_result_or_an_error_of_the_project(
    scripted: ScriptedServer, body: bytes, status: int, charset: str, method: str, token: bool
) -> None:
    body = b"" if status == 204 else body
    scripted.script(Answer(body, status, {"Content-Type": f"text/plain; charset={charset}"}))
    arguments: dict[str, tuple[Any, ...]] = {
        "create": (REQUEST,),
        "find_by_external_id": ("job-1",),
        "get_tasks": (["1"],),
        "list_tasks": (),
        "account_costs": (1, 2),
    }
    options = {
        "create": {"external_task_id": "job-1"},
        "find_by_external_id": {"kind": TEXT},
        "get_tasks": {"kind": TEXT},
    }
    auth = AccessKeyAuth(ACCESS_KEY, SECRET_KEY) if token else KEY
    error = _error_of(lambda: Driver("sync")(auth, scripted.url, method, *arguments[method], **options.get(method, {})))
    if error is not None and method == "create":
        open_question = isinstance(error, AmbiguousSubmissionError)
        assert error.money is (Money.MAYBE if open_question else Money.NONE)
        assert open_question or error.code is not None or status >= 400


def _error_of(action: Callable[[], object]) -> KlingVideoError | None:
    """The error of the project that an action ends with; another one ends the test."""
    try:
        action()
    except KlingVideoError as error:
        return error
    return None
