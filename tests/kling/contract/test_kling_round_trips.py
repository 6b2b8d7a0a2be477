"""Every call of both clients, in both API families, against the sandbox."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from kling_servers import ACCESS_KEY, API_KEY, SECRET_KEY, Driver

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.kling import (
    AccessKeyAuth,
    AccountError,
    AmbiguousSubmissionError,
    ApiFamily,
    ApiKeyAuth,
    AuthenticationError,
    ConcurrencyLimitError,
    ContentPolicyError,
    ImageToVideoRequest,
    InvalidRequestError,
    KlingClient,
    KlingError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TaskNotFoundError,
    TaskStatus,
    TextToVideoRequest,
)
from airflow_provider_klingvideo.sandbox import SandboxServer
from airflow_provider_klingvideo.sandbox.files.images import SAMPLES, sample_png

PICTURE = base64.b64encode(sample_png(next(iter(SAMPLES)))).decode()
TEXT = "text_to_video"
DAY_MS = 86_400_000

MakeAuth = Callable[[str], ApiKeyAuth | AccessKeyAuth]

GENERATIONS = pytest.mark.parametrize("family", [ApiFamily.NEW, ApiFamily.LEGACY])


def text(**fields: Any) -> TextToVideoRequest:
    return TextToVideoRequest(**{"prompt": "a red fox in snow", "model": "kling-3.0", **fields})


@GENERATIONS
@pytest.mark.parametrize(
    "request_",
    [
        text(duration=3, resolution="4k", aspect_ratio="9:16", audio="native", multi_shot=True, watermark=True),
        text(model="kling-v2-6", resolution="1080p", audio="off", callback_url="http://127.0.0.1:9/none"),
        ImageToVideoRequest(model="kling-3.0", first_frame=PICTURE, last_frame=PICTURE, prompt="it wakes"),
        ImageToVideoRequest(model="kling-2.5-turbo", first_frame=PICTURE),
    ],
    ids=lambda it: f"{it.kind}-{it.model}",
)
def test_an_ordered_video_is_found_finished_and_paid_once(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily, request_: Any
) -> None:
    auth = make_auth(family)
    created = call(auth, sandbox.url, "create", request_, external_task_id="job-1", family=family)
    assert not created.status.is_terminal
    assert created.created_at is not None

    task = _finished(call, auth, sandbox.url, created.id, request_.kind)
    found = call(auth, sandbox.url, "find_by_external_id", "job-1", kind=request_.kind)

    assert (task.id, task.status, task.external_id, found.id) == (created.id, TaskStatus.SUCCEEDED, "job-1", created.id)
    assert task.video is not None
    assert task.video.url.startswith("http")
    assert (task.video.watermark_url is not None) == request_.watermark
    assert task.video.duration == pytest.approx(request_.duration, abs=0.2)
    ledger = sandbox.ledger()
    [row] = ledger["tasks"]
    assert (row["model"], row["resolution"], row["seconds"]) == (
        _vendor_name(request_, family),
        request_.resolution,
        request_.duration,
    )
    assert task.bill.units == Decimal(ledger["spent_units"])


def _finished(call: Driver, auth: Any, url: str, task_id: str, kind: str) -> Any:
    """A sandbox without delays looks at input pictures in the background, so one question may not be enough."""
    for _ in range(200):
        task = call(auth, url, "get_task", task_id, kind=kind)
        if task.status.is_terminal:
            return task
        time.sleep(0.02)
    raise AssertionError(f"task {task_id} does not end: {task}")


def _vendor_name(request: Any, family: ApiFamily) -> str:
    legacy = {"kling-3.0": "kling-v3", "kling-2.6": "kling-v2-6", "kling-2.5-turbo": "kling-v2-5-turbo"}
    return legacy[request.model] if family is ApiFamily.LEGACY else request.model


@GENERATIONS
def test_a_failed_task_keeps_the_vendors_words_and_costs_nothing(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily
) -> None:
    sandbox.add_rule({"action": {"type": "fail_task", "message": "Image pixel is invalid"}})
    auth = make_auth(family)
    created = call(auth, sandbox.url, "create", text(), external_task_id="job-1", family=family)
    task = call(auth, sandbox.url, "get_task", created.id, kind=TEXT)
    assert (task.status, task.message, task.video) == (TaskStatus.FAILED, "Image pixel is invalid", None)
    assert task.bill is None or task.bill.is_free


@GENERATIONS
def test_an_unknown_status_word_is_no_failure(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily
) -> None:
    sandbox.settings(generation_seconds=600)
    sandbox.add_rule({"action": {"type": "status_word", "word": "reviewing"}})
    auth = make_auth(family)
    created = call(auth, sandbox.url, "create", text(), external_task_id="job-1", family=family)
    task = call(auth, sandbox.url, "get_task", created.id, kind=TEXT)
    assert (task.status, task.status_word) == (TaskStatus.UNKNOWN, "reviewing")


@GENERATIONS
@pytest.mark.parametrize("external_id", ["never-sent", "with/slash", "with space?and=query#and-fragment", "100%25"])
def test_an_external_id_that_was_never_sent_is_none(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily, external_id: str
) -> None:
    assert call(make_auth(family), sandbox.url, "find_by_external_id", external_id, kind=TEXT) is None


@GENERATIONS
def test_an_external_id_with_reserved_characters_is_found_again(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily
) -> None:
    auth, odd = make_auth(family), "job 1?a=b#c&d+e%20ü"
    created = call(auth, sandbox.url, "create", text(), external_task_id=odd, family=family)
    assert call(auth, sandbox.url, "find_by_external_id", odd, kind=TEXT).id == created.id


@pytest.mark.scenario(27)
@GENERATIONS
def test_unknown_ids_are_left_out_and_more_than_twenty_are_asked_in_turns(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily
) -> None:
    auth = make_auth(family)
    with KlingClient(auth, base_url=sandbox.url) as client:
        ids = [client.create(text(), external_task_id=f"j-{n}", family=family).id for n in range(23)]
    found = call(auth, sandbox.url, "get_tasks", [*ids[:11], "404404404", *ids[11:]], kind=TEXT)
    assert list(found) == ids


@GENERATIONS
def test_asking_for_one_unknown_task_is_an_error_that_names_it(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily
) -> None:
    with pytest.raises(TaskNotFoundError, match="does not know task 404404404"):
        call(make_auth(family), sandbox.url, "get_task", "404404404", kind=TEXT)


def test_an_api_key_sees_legacy_tasks_too(call: Driver, sandbox: SandboxServer) -> None:
    auth = ApiKeyAuth(API_KEY)
    created = call(auth, sandbox.url, "create", text(), external_task_id="job-1", family=ApiFamily.LEGACY)
    assert call(auth, sandbox.url, "get_task", created.id, kind=TEXT).succeeded


@GENERATIONS
def test_a_listing_walks_through_all_pages_of_all_products(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_klingvideo.kling.client.operations.LARGEST_PAGE", 2)
    auth = make_auth(family)
    image = ImageToVideoRequest(model="kling-3.0", first_frame="http://127.0.0.1:9/a.png")
    with KlingClient(auth, base_url=sandbox.url) as client:
        done = {client.create(text(), external_task_id=f"t-{n}", family=family).id for n in range(5)}
        sandbox.settings(generation_seconds=600)
        running = {client.create(image, external_task_id=f"i-{n}", family=family).id for n in range(2)}
    listed = [task.id for task in call(auth, sandbox.url, "list_tasks")]
    assert (len(listed), set(listed)) == (7, done | running)
    assert {task.id for task in call(auth, sandbox.url, "list_tasks", statuses=["succeeded"])} == done
    assert call(auth, sandbox.url, "list_tasks", statuses=["submitted"]) == []


@GENERATIONS
def test_tasks_in_flight_are_counted_whoever_ordered_them(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily
) -> None:
    auth = make_auth(family)
    with KlingClient(auth, base_url=sandbox.url) as client:
        client.create(text(), external_task_id="done", family=family)
        sandbox.settings(generation_seconds=600)
        client.create(text(), external_task_id="running-1", family=family)
        image = ImageToVideoRequest(model="kling-3.0", first_frame=PICTURE)
        client.create(image, external_task_id="running-2", family=family)
    running = {task.external_id for task in call(auth, sandbox.url, "in_flight")}
    assert running == {"running-1", "running-2"}


@GENERATIONS
def test_the_accounts_packs_are_read(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily
) -> None:
    sandbox.settings(balance=7.5)
    pack, *_ = call(make_auth(family), sandbox.url, "account_costs", 1, DAY_MS)
    assert (pack.remaining, pack.status) == (Decimal("7.5"), "online")
    assert "Video" in pack.name


REFUSALS = {
    1000: (AuthenticationError, False),
    1001: (AuthenticationError, False),
    1002: (AuthenticationError, False),
    1003: (AuthenticationError, False),
    1004: (AuthenticationError, False),
    1100: (AccountError, False),
    1101: (AccountError, False),
    1102: (AccountError, False),
    1103: (PermissionDeniedError, False),
    1200: (InvalidRequestError, False),
    1201: (InvalidRequestError, False),
    1202: (InvalidRequestError, False),
    1203: (InvalidRequestError, False),
    1300: (ContentPolicyError, False),
    1301: (ContentPolicyError, False),
    1302: (RateLimitError, True),
    1303: (ConcurrencyLimitError, True),
    1304: (AccountError, False),
}


@GENERATIONS
@pytest.mark.parametrize("code", REFUSALS)
def test_a_refused_create_spends_nothing_and_is_sent_once(
    sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily, code: int
) -> None:
    sandbox.add_rule({"match": {"method": "POST"}, "action": {"type": "refuse", "code": code, "message": "its words"}})
    kind, retryable = REFUSALS[code]
    with KlingClient(make_auth(family), base_url=sandbox.url) as client, pytest.raises(kind) as caught:
        client.create(text(), external_task_id="job-1", family=family)
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.vendor_message, error.money, error.retryable) == (
        code,
        "its words",
        Money.NONE,
        retryable,
    )
    assert error.request_id
    assert error.advice
    signed_anew = family is ApiFamily.LEGACY and code in (1003, 1004)
    assert len(sandbox.requests()) == (2 if signed_anew else 1)
    assert sandbox.ledger()["tasks"] == []


@GENERATIONS
@pytest.mark.parametrize("code", [5000, 5001, 5002])
@pytest.mark.parametrize("stored", [True, False])
def test_a_server_error_on_a_create_is_a_doubt_that_the_external_id_settles(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily, code: int, stored: bool
) -> None:
    action = {"type": "store_then_error" if stored else "refuse", "code": code}
    sandbox.add_rule({"match": {"method": "POST"}, "action": action, "times": 1})
    auth = make_auth(family)
    with pytest.raises(AmbiguousSubmissionError) as caught:
        call(auth, sandbox.url, "create", text(), external_task_id="job-1", family=family)
    assert (caught.value.money, caught.value.code, caught.value.retryable) == (Money.MAYBE, code, True)
    found = call(auth, sandbox.url, "find_by_external_id", "job-1", kind=TEXT)
    assert (found is not None) == stored


@pytest.mark.parametrize("action", [{"type": "drop_after"}, {"type": "half_body"}, {"type": "html", "store": True}])
@GENERATIONS
def test_an_answer_that_breaks_off_after_the_task_was_made_is_a_doubt(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily, action: dict[str, Any]
) -> None:
    sandbox.add_rule({"match": {"method": "POST"}, "action": action, "times": 1})
    auth = make_auth(family)
    with pytest.raises(AmbiguousSubmissionError):
        call(auth, sandbox.url, "create", text(), external_task_id="job-1", family=family)
    assert call(auth, sandbox.url, "find_by_external_id", "job-1", kind=TEXT).external_id == "job-1"


@GENERATIONS
def test_a_duplicate_is_refused_in_the_vendors_words(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily
) -> None:
    auth = make_auth(family)
    call(auth, sandbox.url, "create", text(), external_task_id="job-1", family=family)
    with pytest.raises(InvalidRequestError, match="External_task_id job-1 already exists"):
        call(auth, sandbox.url, "create", text(), external_task_id="job-1", family=family)


@GENERATIONS
@pytest.mark.parametrize(
    "action",
    [
        {"type": "rate_limit", "headers": {"Retry-After": "0"}},
        {"type": "refuse", "code": 5001},
        {"type": "html"},
        {"type": "drop_before"},
        {"type": "half_body"},
    ],
    ids=lambda it: it["type"],
)
def test_a_read_survives_three_troubles_but_not_four(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily, action: dict[str, Any]
) -> None:
    auth = make_auth(family)
    call(auth, sandbox.url, "create", text(), external_task_id="job-1", family=family)
    sandbox.add_rule({"match": {"method": "GET"}, "action": action, "times": 3})
    assert call(auth, sandbox.url, "find_by_external_id", "job-1", kind=TEXT) is not None
    sandbox.add_rule({"match": {"method": "GET"}, "action": action, "times": 4})
    with pytest.raises(KlingError) as caught:
        call(auth, sandbox.url, "find_by_external_id", "job-1", kind=TEXT)
    assert caught.value.retryable
    assert caught.value.money is Money.NONE


def test_a_wrong_key_is_told_apart_from_a_wrong_kind_of_key(call: Driver, sandbox: SandboxServer) -> None:
    for auth in (ApiKeyAuth("not-this-one"), AccessKeyAuth("not-this-one", SECRET_KEY)):
        with pytest.raises(AuthenticationError) as caught:
            call(auth, sandbox.url, "get_task", "1", kind=TEXT)
        assert "other region" in caught.value.advice
    token = AccessKeyAuth(ACCESS_KEY, SECRET_KEY)
    with pytest.raises(AuthenticationError):
        call(token, sandbox.url, "create", text(), external_task_id="job-1", family=ApiFamily.NEW)


@pytest.mark.scenario(20)
@pytest.mark.parametrize(("skew", "code"), [(-4000, 1004), (4000, 1003)])
def test_a_wrong_clock_is_signed_anew_once_then_refused(
    call: Driver, sandbox: SandboxServer, skew: float, code: int
) -> None:
    auth = AccessKeyAuth(ACCESS_KEY, SECRET_KEY, clock=lambda: time.time() + skew)
    with pytest.raises(AuthenticationError, match="clock") as caught:
        call(auth, sandbox.url, "create", text(), external_task_id="job-1")
    assert caught.value.code == code
    assert len(sandbox.requests()) == 2


@pytest.mark.scenario(20)
def test_an_expired_token_is_signed_anew_and_the_order_goes_through(call: Driver, sandbox: SandboxServer) -> None:
    times = iter([time.time() - 4000])
    auth = AccessKeyAuth(ACCESS_KEY, SECRET_KEY, clock=lambda: next(times, time.time()))
    task = call(auth, sandbox.url, "create", text(), external_task_id="job-1")
    assert [row["id"] for row in sandbox.ledger()["tasks"]] == [task.id]


def test_full_slots_say_so(call: Driver, sandbox: SandboxServer) -> None:
    sandbox.settings(slots=0)
    with pytest.raises(ConcurrencyLimitError) as caught:
        call(ApiKeyAuth(API_KEY), sandbox.url, "create", text(), external_task_id="job-1")
    assert caught.value.vendor_message == "parallel task over resource pack limit"


def test_a_refused_query_of_the_new_generation_is_not_taken_for_no_task(call: Driver, sandbox: SandboxServer) -> None:
    sandbox.add_rule({"action": {"type": "refuse", "code": 1201}})
    with pytest.raises(InvalidRequestError):
        call(ApiKeyAuth(API_KEY), sandbox.url, "find_by_external_id", "job-1", kind=TEXT)


@GENERATIONS
def test_the_documented_answer_to_an_unknown_resource_means_no_task(
    call: Driver, sandbox: SandboxServer, make_auth: MakeAuth, family: ApiFamily
) -> None:
    sandbox.add_rule({"action": {"type": "refuse", "code": 1203}})
    assert call(make_auth(family), sandbox.url, "find_by_external_id", "job-1", kind=TEXT) is None


def test_a_lookup_that_fails_is_not_taken_for_no_task(call: Driver, sandbox: SandboxServer) -> None:
    sandbox.add_rule({"action": {"type": "refuse", "code": 5000}})
    with pytest.raises(ServerError):
        call(ApiKeyAuth(API_KEY), sandbox.url, "find_by_external_id", "job-1", kind=TEXT)
