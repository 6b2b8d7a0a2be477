"""Opening Airflow's required action, and reading its answer."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from airflow.sdk.execution_time import hitl
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo._compat import AirflowException
from airflow_provider_klingvideo.operators.klingvideo import KlingVideoQueueOperator
from airflow_provider_klingvideo.runtime.options import OptionError
from airflow_provider_klingvideo.runtime.places import approval_rule_of
from airflow_provider_klingvideo.triggers import waits
from airflow_provider_klingvideo.triggers.approvals import body_of, keep_event, open_action
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow.gates.consent import WaitForPerson
from airflow_provider_klingvideo.workflow.job.journal import Journal
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.sections import Approval, ApprovalRule, Asked, CheckedRequest, Question

ABOUT = Asked(fingerprint="f" * 16, take=1, price="1.5")


def job_of(**fields):
    approval = Approval(rule=ApprovalRule(seconds=60), question=question())
    request = CheckedRequest(kind="text_to_video", model="kling-2.6")
    return WorkflowJob(**{"id": "j", "prompt": "A fox", "approval": approval, "request": request, **fields})


def question(about=ABOUT, **fields):
    return Question(about=about, revision=1, until=utc_now() + timedelta(hours=1), **fields)


def wait_of(job, **fields):
    return WaitForPerson("a person", 3600, question=job.approval.question, **fields)


@pytest.fixture
def asked(monkeypatch):
    calls = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **given: calls.append(given))
    return calls


@pytest.fixture
def run(tmp_path):
    store, ti = JobStore(tmp_path), SimpleNamespace(id=uuid4())
    return SimpleNamespace(job=job_of(), store=store, context={"ti": ti}, session=SimpleNamespace(journal=Journal()))


class TestOpening:
    def test_the_question_is_on_record_before_it_is_shown(self, run, monkeypatch):
        def upsert(**_):
            assert run.store.load("j").approval.question.opened_by == str(run.context["ti"].id)

        monkeypatch.setattr(hitl, "upsert_hitl_detail", upsert)
        open_action(run, wait_of(run.job))

    def test_it_is_shown_once_in_each_try(self, run, asked):
        open_action(run, wait_of(run.job, users=[{"id": "ann", "name": "Ann"}]))
        open_action(run, wait_of(run.job))
        assert (len(asked), asked[0]["assigned_users"]) == (1, [{"id": "ann", "name": "Ann"}])
        run.context["ti"].id = uuid4()
        open_action(run, wait_of(run.job))
        assert len(asked) == 2

    def test_another_question_needs_another_try(self, run, asked):
        # Airflow would keep the words of the first, and its answer would be to them.
        open_action(run, wait_of(run.job))
        other = question(ABOUT.model_copy(update={"price": "3"}))
        run.job.approval = run.job.approval.model_copy(update={"question": other})
        with pytest.raises(AirflowException, match="the next try asks anew"):
            open_action(run, wait_of(run.job))
        assert len(asked) == 1

    def test_below_airflow_3_3_a_trigger_waits(self, run, asked, monkeypatch):
        monkeypatch.setattr(waits, "TaskAwaitingInput", None)
        told = {}
        task = SimpleNamespace(defer=lambda **given: told.update(given))
        with pytest.raises(AssertionError):
            waits.leave(task, run, wait_of(run.job), "resume")
        path, arguments = told["trigger"].serialize()
        assert path.endswith("HITLTrigger")
        assert (arguments["ti_id"], arguments["options"]) == (run.context["ti"].id, ["Approve", "Reject"])
        assert (told["method_name"], told["kwargs"]) == ("answered", {"asked": ABOUT.model_dump(mode="json")})
        assert len(asked) == 1


class TestTheAnswer:
    @pytest.mark.parametrize(("chosen", "is_approved"), [("Approve", True), ("Reject", False)])
    def test_is_on_record_with_who_and_when(self, run, chosen, is_approved):
        at = utc_now()
        user = {"id": "7", "name": "ann"}
        keep_event(
            run,
            ABOUT.model_dump(mode="json"),
            {"chosen_options": [chosen], "responded_by_user": user, "responded_at": at.isoformat()},
        )
        (answer,) = run.store.load("j").approval.answers
        assert (answer.is_approved, answer.by, answer.user_id, answer.at) == (is_approved, "ann", "7", at)

    def test_the_first_one_holds(self, run):
        for chosen in ("Reject", "Approve"):
            keep_event(run, ABOUT.model_dump(mode="json"), {"chosen_options": [chosen]})
        assert [answer.is_approved for answer in run.job.approval.answers] == [False]

    @pytest.mark.parametrize("event", [{}, {"error": "late", "error_type": "timeout"}, {"chosen_options": ["Maybe"]}])
    def test_nothing_else_is_an_answer(self, run, event):
        keep_event(run, ABOUT.model_dump(mode="json"), event)
        assert run.job.approval.answers == []

    def test_an_answer_that_airflow_could_not_bring_fails_the_try(self, run):
        with pytest.raises(AirflowException, match="could not be read: odd"):
            keep_event(run, ABOUT.model_dump(mode="json"), {"error": "odd", "error_type": "unknown"})


class TestTheText:
    @given(st.text(max_size=60))
    def test_no_prompt_leaves_its_block(self, prompt):
        job = job_of(prompt=prompt)
        body = body_of(job, wait_of(job)).split("**Prompt**\n\n")[1].split("\n\n**Request and inputs**")[0]
        assert all(line.startswith("    ") for line in body.splitlines())

    def test_pictures_are_shown_where_their_address_is_plain(self):
        shown, signed = "https://example.com/fox.png", "https://example.com/fox.png?X-Amz-Signature=secret"
        job = job_of(params={"first_frame": shown, "last_frame": signed, "face": "javascript:alert(1).png"})
        body = body_of(job, wait_of(job, left="8.5 of 10 units (spring)"))
        assert f"![first_frame](<{shown}>)" in body
        assert body.count("![") == 1
        assert "8.5 of 10 units (spring)" in body


class TestTheOptions:
    @pytest.mark.parametrize(
        ("given", "people"),
        [
            ("ann, bob", ["ann", "bob"]),
            (["ann"], ["ann"]),
            ('[{"id": "ann", "name": "Ann"}]', ["ann"]),
            ({"id": 7}, ["7"]),
            ("", []),
        ],
    )
    def test_people(self, given, people):
        rule = approval_rule_of(KlingVideoQueueOperator(task_id="queued", ask_above="0", assigned_users=given))
        assert [user["id"] for user in rule.users] == people

    @pytest.mark.parametrize(
        "wrong",
        [
            {"ask_above": "sometimes"},
            {"ask_above": "-1"},
            {"ask_above": 1, "assigned_users": []},
            {"ask_above": 1, "assigned_users": [{"name": "Ann"}]},
            {"ask_above": 1, "assigned_users": "ann,,bob"},
            {"ask_above": 1, "on_no_answer": "maybe"},
        ],
    )
    def test_nonsense_is_refused(self, wrong):
        with pytest.raises(OptionError):
            approval_rule_of(KlingVideoQueueOperator(task_id="queued", **wrong))

    @pytest.mark.parametrize(("given", "above"), [("always", None), (5, "5"), ("0", "0")])
    def test_above(self, given, above):
        assert approval_rule_of(KlingVideoQueueOperator(task_id="queued", ask_above=given)).above == above

    def test_nobody_is_asked_by_default(self):
        assert approval_rule_of(KlingVideoQueueOperator(task_id="queued")) is None
