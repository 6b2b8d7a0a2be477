"""What workers know about a call that costs, brought together: nothing gets lost, and money is never told too low."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.workflow import PaidCall
from airflow_provider_klingvideo.workflow.job.paid import KEPT_SENDS, merged_calls, money_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TASK = {"external_task_id": "e", "task_id": "7"}
ORDER = [Money.NONE, Money.MAYBE, Money.BILLED]
# Whether a call makes a task, and what Kling may have made of it; what each try came to.
FATES = st.sampled_from(
    [
        (True, {}),
        (True, {"task_id": "7"}),
        (True, {"task_id": "7", "verdict": "succeeded"}),
        (True, {"task_id": "7", "verdict": "succeeded", "bill": Bill(units="1.5")}),
        (True, {"task_id": "7", "verdict": "succeeded", "bill": Bill(units="0")}),
        (True, {"task_id": "7", "verdict": "failed"}),
        (True, {"task_id": "7", "verdict": "failed", "bill": Bill(units="0")}),
        (True, {"task_id": "7", "verdict": "failed", "bill": Bill(units="1.5")}),
        (False, {}),
        (False, {"verdict": "succeeded", "bill": Bill(units="0.05"), "answer": {"data": {"id": "3"}}}),
    ]
)
TRIES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["sent", "refused"]), max_size=6)


@st.composite
def views(draw, count):
    """What several workers know of one and the same call: each a part of what has really happened."""
    (makes_task, fate), tries = draw(FATES), draw(TRIES)
    kind = {"external_task_id": "e"} if makes_task else {"what": "tts"}
    if fate:
        tries["taken"] = "sent"
    views = []
    for _ in range(count):
        # The task comes first, then how it has ended, then its bill; an answer brings all at once.
        length = draw(st.integers(0, len(fate)) if makes_task else st.sampled_from([0, len(fate)]))
        known = dict(list(fate.items())[:length])
        # That a send was refused is known later than that it was made.
        sends = {name: draw(st.sampled_from(["sent", end])) for name, end in tries.items() if draw(st.booleans())}
        at = NOON + timedelta(seconds=draw(st.integers(0, 9)))
        count = draw(st.integers(len(sends), len(tries)))
        views.append(PaidCall(fingerprint="f", price="2", sends=sends, tries=count, intended_at=at, **kind, **known))
    return fate, tries, views


def merged(*views):
    calls = []
    for view in views:
        calls = merged_calls(calls, [view.model_copy(deep=True)])
    (call,) = calls
    return call


def known(call):
    facts = call.model_dump(
        include={"task_id", "bill", "verdict", "answer", "accepted_at", "intended_at", "sends", "tries"}
    )
    return facts, call.is_open, call.is_refused, call.was_taken, call.money, call.units


@given(views(2))
def test_it_does_not_matter_who_asks_whom(drawn):
    _, _, (one, other) = drawn
    assert known(merged(one, other)) == known(merged(other, one))


@given(views(3))
def test_it_does_not_matter_who_is_asked_first(drawn):
    _, _, (one, two, three) = drawn
    assert known(merged(merged(one, two), three)) == known(merged(one, merged(two, three)))


@given(views(2))
def test_to_be_told_twice_tells_nothing_more(drawn):
    _, _, (one, other) = drawn
    both = merged(one, other)
    assert known(merged(one, one)) == known(one)
    assert known(merged(both, other)) == known(merged(both, one)) == known(both)


@given(views(3))
def test_all_that_somebody_knows_is_known_afterwards(drawn):
    fate, tries, workers = drawn
    everybody = merged(*workers)
    for name, value in fate.items():
        if any(getattr(one, name) for one in workers):
            assert getattr(everybody, name) == value
    for token in tries:
        told = {one.sends[token] for one in workers if token in one.sends}
        assert everybody.sends.get(token) == ("refused" if "refused" in told else next(iter(told), None))


@given(views(3))
def test_a_refusal_never_hides_a_task(drawn):
    _, _, workers = drawn
    everybody = merged(*workers)
    assert not any(one.was_taken for one in workers) or everybody.was_taken
    if everybody.is_refused:
        assert not any(one.was_taken for one in workers)
        assert set(everybody.sends.values()) <= {"refused"}


@given(views(3))
def test_money_is_never_lower_than_somebody_can_prove(drawn):
    _, _, workers = drawn
    everybody = merged(*workers)
    if any(one.bill is not None and not one.bill.is_free for one in workers):
        assert everybody.money is Money.BILLED
    if everybody.money is Money.NONE:
        assert everybody.is_refused or everybody.bill.is_free
    assert (everybody.units == 0) == (everybody.money is Money.NONE)


@given(
    st.lists(
        st.builds(
            PaidCall,
            fingerprint=st.text("ab", min_size=1),
            bill=st.sampled_from([None, Bill(units=0), Bill(units=1), Bill(cash={"USD": 1})]),
        )
    )
)
def test_the_money_of_a_job_is_that_of_its_worst_call(calls):
    assert all(ORDER.index(money_of(calls)) >= ORDER.index(call.money) for call in calls)
    assert calls or money_of(calls) is Money.NONE


@pytest.mark.parametrize(
    ("fields", "money"),
    [
        ({}, "none"),
        ({"sends": {"a": "refused"}}, "none"),
        ({"sends": {"a": "refused", "b": "sent"}}, "maybe"),
        ({**TASK}, "maybe"),
        ({**TASK, "verdict": "failed"}, "maybe"),
        ({**TASK, "verdict": "failed", "bill": Bill(units="0")}, "none"),
        ({**TASK, "verdict": "failed", "bill": Bill(units="1.5")}, "billed"),
        ({**TASK, "verdict": "succeeded"}, "billed"),
        ({"what": "tts", "verdict": "succeeded"}, "billed"),
        ({"what": "tts", "verdict": "failed"}, "billed"),
        ({"what": "tts", "verdict": "failed", "bill": Bill(units="0")}, "none"),
    ],
)
def test_what_a_call_proves_about_money(fields, money):
    assert PaidCall(fingerprint="f", **fields).money == money


class TestManyTries:
    @given(st.integers(0, 40), st.sets(st.integers(0, 39), max_size=5))
    def test_of_those_that_were_refused_the_last_stay_on_record(self, count, lost):
        call = PaidCall(fingerprint="f")
        for number in range(count):
            token = call.begin(call.next_token)
            if number not in lost:
                call.refuse(token)
            call.learn(call.model_copy(deep=True))
        refused = [token for token, state in call.sends.items() if state == "refused"]
        assert len(refused) == min(KEPT_SENDS, count - len([one for one in lost if one < count]))
        assert len(call.sends) - len(refused) == len([one for one in lost if one < count]), "an open one always stays"

    @pytest.mark.parametrize("count", [KEPT_SENDS, KEPT_SENDS + 1, 3 * KEPT_SENDS])
    def test_no_send_gets_the_token_of_an_earlier_one(self, count):
        call, tokens = PaidCall(fingerprint="f"), []
        for _ in range(count):
            tokens.append(call.begin(call.next_token))
            call.refuse(tokens[-1])
            call.learn(call.model_copy(deep=True))
        assert len(set(tokens)) == count

    def test_what_is_known_of_each_try_apart_comes_to_the_same(self):
        call, notes = PaidCall(fingerprint="f"), []
        for _ in range(30):
            token = call.begin(call.next_token)
            call.refuse(token)
            notes.append(call.model_copy(update={"sends": {token: "refused"}}))
        assert merged(*notes).next_token == merged(*reversed(notes)).next_token == "create-f-1-31"


def test_of_another_take_or_request_nothing_is_taken_over():
    calls = [PaidCall(fingerprint="f", task_id="7"), PaidCall(fingerprint="f", take=2), PaidCall(fingerprint="g")]
    assert [call.task_id for call in merged_calls(calls[:1], calls[1:])] == ["7", None, None]


def test_whoever_holds_a_call_hears_what_others_have_learned():
    mine = PaidCall(fingerprint="f")
    merged_calls([mine], [PaidCall(fingerprint="f", task_id="7")])
    assert mine.task_id == "7"
