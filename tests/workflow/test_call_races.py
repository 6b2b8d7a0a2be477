"""Several workers at the same call that Kling cannot be asked about: one sends it, whatever the store can do."""

from __future__ import annotations

import asyncio
import json
from itertools import product

import pytest
from racing import Turns, run_processes, said, say

from airflow_provider_klingvideo.storage import exclusive
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.job.errors import CallInProgressError, UnansweredCallError
from airflow_provider_klingvideo.workflow.job.paid import KEPT_SENDS, PaidCall
from airflow_provider_klingvideo.workflow.ordering.calls import call_once

WANTED = {"text": "Hello"}


def call(folder, send=None, **options):
    async def sent():
        say(folder / "sent", "x")
        return send() if send else "words"

    def read(answer):
        return {"said": answer}

    return asyncio.run(call_once(JobStore(folder / "store"), "name", "tts", WANTED, sent, read, **options))


def notes(folder):
    return {path.name: json.loads(path.read_text()) for path in (folder / "store/name/calls").glob("*.json")}


@pytest.fixture
def weak(monkeypatch):
    """A store in which of several writers each would succeed."""
    monkeypatch.setattr(exclusive, "is_proved", lambda folder: False)


def attempt(folder):
    try:
        return call(folder)
    except (CallInProgressError, UnansweredCallError) as error:
        return type(error)


def test_of_many_processes_one_sends(tmp_path):
    assert set(run_processes([lambda: attempt(tmp_path)] * 6)) == {0}
    assert said(tmp_path / "sent") == ["x"]
    assert call(tmp_path) == {"said": "words"}


def test_of_many_processes_one_at_most_sends_where_the_store_is_weak(tmp_path, weak):
    run_processes([lambda: attempt(tmp_path)] * 4)
    assert len(said(tmp_path / "sent")) <= 1
    assert call(tmp_path) == {"said": "words"}
    assert said(tmp_path / "sent") == ["x"]


@pytest.mark.parametrize("first", [(0, 1), (0, 2), (0, 3), (0, 4)])
@pytest.mark.parametrize("killed", [False, True], ids=["both go on", "one dies"])
def test_in_any_order_of_steps_one_at_most_keeps_a_claim_of_a_weak_store(tmp_path, weak, monkeypatch, first, killed):
    turns = Turns()
    for name in ("write_whole", "entries", "remove"):
        monkeypatch.setattr(exclusive, name, turns.stepped(getattr(exclusive, name)))
    for number, rest in enumerate(product([(0, 1), (1, 1)], repeat=4)):
        folder = tmp_path / str(number)
        folder.mkdir()
        works = [lambda name=name, folder=folder: exclusive.claim(folder, "call.json", name) for name in (b"a", b"b")]
        won = turns.run(works, [first, *rest, *([(0, 0)] if killed else [])])
        assert won.count(True) <= 1, (first, rest)


def test_one_that_comes_later_finds_the_claim_of_a_weak_store(tmp_path, weak):
    assert exclusive.claim(tmp_path, "call.json", b"a")
    assert not exclusive.claim(tmp_path, "call.json", b"b")
    assert len(list(tmp_path.iterdir())) == 1


class TestAStoreThatFailsWhileTheIntentIsKept:
    def faulty(self, monkeypatch, before=lambda path, content: None):
        def create(path, content):
            before(path, content)
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(exclusive, "create", create)

    def test_nothing_is_sent_and_the_next_try_sends(self, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            self.faulty(patch)
            with pytest.raises(CallInProgressError, match="was not sent"):
                call(tmp_path)
        assert said(tmp_path / "sent") == []
        assert call(tmp_path) == {"said": "words"}

    def test_it_goes_on_where_only_the_stores_answer_was_lost(self, tmp_path, monkeypatch):
        self.faulty(monkeypatch, before=lambda path, content: path.write_bytes(content))
        (tmp_path / "store/name/calls").mkdir(parents=True)
        assert call(tmp_path) == {"said": "words"}

    def test_the_note_of_another_worker_stays(self, tmp_path, monkeypatch):
        other = PaidCall(what="tts", fingerprint="f")
        token = other.begin(other.next_token)

        def come_first(path, content):
            path.parent.mkdir(parents=True)
            path.write_text(other.model_dump_json())

        self.faulty(monkeypatch, before=come_first)
        with pytest.raises(CallInProgressError, match="Another worker"):
            call(tmp_path)
        (note,) = notes(tmp_path).values()
        assert note["sends"] == {token: "sent"}


def test_a_token_is_taken_anew_after_any_number_of_refusals():
    one, other = PaidCall(what="tts", fingerprint="f"), PaidCall(what="tts", fingerprint="f")
    seen = []
    for _ in range(40):
        seen.append(token := one.begin(one.next_token))
        one.refuse(token)
        other.learn(one)
        one = other.model_copy(deep=True)
    assert len(set(seen)) == 40
    assert len(other.sends) == KEPT_SENDS


@pytest.mark.parametrize(("what", "money"), [("identify_faces", "billed"), ("create", "maybe")])
def test_what_was_answered_at_once_is_paid_though_its_price_is_unknown(what, money):
    call = PaidCall(what=what, fingerprint="f", verdict="failed", sends={"x": "sent"})
    assert call.money == money


def test_a_record_never_says_less_about_money_than_a_note_that_came_later(tmp_path):
    store = JobStore(tmp_path)
    failure = {"kind": "queue_timeout", "message": "Too late", "money": "none"}
    store.save(WorkflowJob(id="job", state=S.FAILED, error="Too late. No money was spent.", failure=failure))
    late = PaidCall(what="identify_faces", fingerprint="f", price="0.05")
    store.note("job", late, late.begin(late.next_token), first=True)
    job = store.load("job")
    assert job.failure == {**failure, "money": "maybe"}
    assert job.error == "Too late. A paid task may exist at Kling."
    assert job.billed_units == late.units


def test_nor_does_a_record_of_earlier_words(tmp_path):
    store = JobStore(tmp_path)
    failure = {"kind": "timeout", "message": "Too late", "money": "maybe"}
    error = "Too late. A paid task may exist at the vendor."
    store.save(WorkflowJob(id="job", state=S.FAILED, error=error, failure=failure))
    call = PaidCall(what="identify_faces", fingerprint="f", verdict="failed", sends={"x": "sent"})
    store.note("job", call, call.begin(call.next_token), first=True)
    assert store.load("job").error == "Too late. Kling has billed this task."
