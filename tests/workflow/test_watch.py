"""What an answer about a running task means, and when to ask again: no I/O, no clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import Output, Task, TaskStatus
from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.workflow.waiting.watch import Ended, GenerationWatch, Outcome, PollPolicy, Wait

UNITS_3 = Bill(units=3).model_dump(mode="json")
NO_UNITS = Bill(units=0).model_dump(mode="json")

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING = Task("1", TaskStatus.PROCESSING)
DONE = Task(
    "1",
    TaskStatus.SUCCEEDED,
    outputs=(Output("video", "https://cdn/x.mp4?Signature=1", duration=5.041),),
    bill=Bill(units=3),
)


def watch(**policy):
    return GenerationWatch(
        "1",
        submitted_at=START,
        deadline=START + timedelta(minutes=10),
        typical_seconds=60,
        policy=PollPolicy(**policy),
        spread=lambda: 0.5,
    )


def after(seconds):
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("age", "pause"),
    [(0, 30), (30, 18), (47, 2), (60, 2), (200, 20), (590, 10)],
    ids=["far-from-due", "before-due", "due", "just-late", "late", "deadline-near"],
)
def test_it_asks_seldom_before_the_result_is_due_and_often_when_it_is(age, pause):
    assert watch().on_task(RUNNING, after(age)) == Wait(pytest.approx(pause))


def test_a_success_ends_the_wait_without_the_signed_query():
    ended = watch().on_task(DONE, after(70))
    video = {"type": "video", "seconds": 5.041, "url": "https://cdn/x.mp4"}
    assert ended == Ended(
        Outcome.SUCCEEDED,
        bill=UNITS_3,
        seconds=5.041,
        video_url="https://cdn/x.mp4",
        outputs=[video],
    )


def test_results_without_a_file_count_when_other_requests_take_their_id():
    element = Task("1", TaskStatus.SUCCEEDED, outputs=(Output("element", "", id="829", name="Hero"),))
    ended = watch().on_task(element, after(9))
    assert (ended.outcome, ended.video_url) == (Outcome.SUCCEEDED, None)
    assert ended.outputs == [{"type": "element", "id": "829", "name": "Hero"}]


@pytest.mark.scenario(29)
def test_a_success_on_the_very_last_question_wins_over_the_deadline():
    assert watch().on_task(DONE, after(6000)).outcome is Outcome.SUCCEEDED


@pytest.mark.scenario(28)
def test_a_task_that_never_ends_times_out_at_the_deadline():
    one = watch()
    assert isinstance(one.on_task(RUNNING, after(599)), Wait)
    assert one.on_task(RUNNING, after(600)).outcome is Outcome.TIMED_OUT


@pytest.mark.scenario(30)
def test_a_failure_keeps_the_vendors_words():
    failed = Task("1", TaskStatus.FAILED, message="Image pixel is invalid", bill=Bill(units=0))
    assert watch().on_task(failed, after(9)) == Ended(Outcome.FAILED, "Image pixel is invalid", bill=NO_UNITS)


@pytest.mark.scenario(32)
@pytest.mark.parametrize("outputs", [(), (Output("video", "", id="1"),), (Output("element", ""),)])
def test_success_without_a_result_is_no_success_and_keeps_the_answer(outputs):
    task = Task("1", TaskStatus.SUCCEEDED, outputs=outputs, raw={"outputs": [{"url": "https://cdn/x?Signature=1"}]})
    ended = watch().on_task(task, after(70))
    assert ended.outcome is Outcome.NO_RESULT
    assert ended.answer == {"outputs": [{"url": "https://cdn/x?..."}]}


@pytest.mark.scenario(27)
@pytest.mark.parametrize("answer", [None, Task("1", TaskStatus.UNKNOWN, "warming_up")])
def test_what_is_not_understood_is_no_failure(answer):
    assert isinstance(watch().on_task(answer, after(70)), Wait)


@pytest.mark.scenario(26)
def test_transient_errors_are_survived_until_there_are_too_many_in_a_row():
    one = watch(max_errors=3)
    error = KlingVideoError("502", retryable=True)
    for _ in range(3):
        assert isinstance(one.on_error(error, after(70)), Wait)
    one.on_task(RUNNING, after(71))
    for _ in range(3):
        assert isinstance(one.on_error(error, after(72)), Wait)
    ended = one.on_error(error, after(73))
    assert ended.outcome is Outcome.LOST
    assert "502" in ended.message


def test_a_refusal_is_survived_a_few_times_since_keys_are_rotated():
    one = watch(max_refusals=2)
    error = KlingVideoError("no such key")
    assert isinstance(one.on_error(error, after(1)), Wait)
    assert one.is_refused
    assert isinstance(one.on_error(error, after(2)), Wait)
    assert one.on_error(error, after(3)).outcome is Outcome.LOST


def test_trouble_does_not_prolong_the_deadline_and_a_wished_pause_is_kept():
    error = KlingVideoError("slow down", retryable=True, retry_after=40)
    assert watch().on_error(error, after(70)) == Wait(40)
    assert watch().on_error(error, after(601)).outcome is Outcome.TIMED_OUT


@given(
    age=st.floats(0, 599),
    spread=st.floats(0, 0.999),
    errors=st.integers(0, 10),
)
def test_a_pause_is_never_longer_than_the_bound_nor_past_the_deadline(age, spread, errors):
    one = GenerationWatch("1", submitted_at=START, deadline=after(600), typical_seconds=60, spread=lambda: spread)
    for _ in range(errors):
        one.on_error(KlingVideoError("x", retryable=True), after(age))
    decision = one.on_task(RUNNING, after(age))
    assert 0 <= decision.seconds <= min(33, 600 - age + 1e-6)


@given(
    asked=st.none() | st.floats(0, 1e12) | st.sampled_from([float("inf"), float("nan"), 99999999999.0]),
    age=st.floats(0, 700),
    errors=st.integers(1, 10),
    spread=st.floats(0, 0.999),
)
def test_no_pause_that_kling_asks_for_goes_past_the_deadline(asked, age, errors, spread):
    one = GenerationWatch("1", submitted_at=START, deadline=after(600), typical_seconds=60, spread=lambda: spread)
    error = KlingVideoError("slow down", retryable=True, retry_after=asked)
    for _ in range(errors):
        decision = one.on_error(error, after(age))
    if age >= 600:
        assert decision.outcome is Outcome.TIMED_OUT
    else:
        assert 0 <= decision.seconds <= 600 - age + 1e-6
        assert after(age) + timedelta(seconds=decision.seconds) <= after(600) + timedelta(milliseconds=1)


def test_a_wait_that_ends_without_an_answer_tells_what_the_last_question_met():
    ended = watch().on_error(KlingVideoError("502 from a gateway", retryable=True), after(600))
    assert "had not finished" in ended.message
    assert "502 from a gateway" in ended.message


@pytest.mark.scenario(47)
def test_an_event_comes_back_as_it_was_and_a_newer_versions_fields_are_passed_over():
    ended = watch().on_task(DONE, after(70))
    assert Ended.from_event({**ended.as_event(), "task_id": "1", "of_tomorrow": True}) == ended
    with pytest.raises(ValueError, match="no outcome"):
        Ended.from_event({"status": "success"})
