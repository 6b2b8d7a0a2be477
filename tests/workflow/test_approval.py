"""The approval gate: nothing is ordered without the answer on record, and nobody is asked twice for the same."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workshop import Workshop

from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob, reopened
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.gates.consent import (
    WaitForPerson,
    asked_about,
    keep_answer,
    needs_answer,
    question_of,
    require_consent,
    with_rule,
)
from airflow_provider_klingvideo.workflow.job.errors import NoAnswerError, NotApprovedError, RejectedError
from airflow_provider_klingvideo.workflow.job.journal import Journal
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.sections import Answer, Approval, ApprovalRule, Asked, ExpectedPrice

FOX = {"model": "kling-2.5-turbo"}
prices = st.none() | st.decimals(0, 100, places=2).map(str)


def rule(above=None, **fields):
    return ApprovalRule(above=above, **{"seconds": 60, **fields})


def fox(approval_rule, prompt="A red fox runs"):
    return WorkflowJob(id="fox", prompt=prompt, params=FOX, approval=with_rule(None, approval_rule))


def answered(job, about, *, yes=True, by="Ann"):
    keep_answer(job, Answer(about=about, is_approved=yes, by=by, user_id=by.lower(), at=utc_now()), Journal())


@pytest.fixture
def workshop(quick_sandbox, tmp_path):
    quick_sandbox.reset()
    return Workshop(quick_sandbox, tmp_path)


def at_the_gate(workshop, job, work=None):
    """Bring a job to the gate, and return what it waits for there."""

    async def go():
        async with workshop.open_client() as client, workshop.working_on(client) as (engine, steps):
            if job.state is S.CREATED:
                await steps.validate(job)
                engine.transition(job, S.VALIDATED)
                engine.transition(job, S.QUEUED)
            wait = await steps.pass_gates(job)
            if work is not None:
                await work(engine, steps)
            await engine.save(job)
            return wait

    return asyncio.run(go())


def ordered(workshop):
    return len(workshop.sandbox.ledger()["tasks"])


class TestTheGate:
    def test_without_a_rule_nobody_is_asked(self, workshop):
        assert at_the_gate(workshop, fox(None)) is None

    @pytest.mark.parametrize(("above", "asks"), [(None, True), ("0", True), ("1.49", True), ("1.5", False)])
    def test_the_price_decides(self, workshop, above, asks):
        wait = at_the_gate(workshop, fox(rule(above)))
        assert isinstance(wait, WaitForPerson) is asks

    def test_the_question_is_on_record_and_stays_the_same(self, workshop):
        job = fox(rule())
        first = at_the_gate(workshop, job)
        again = at_the_gate(workshop, workshop.store.load("fox"))
        assert first.question == again.question == workshop.store.load("fox").approval.question
        assert (first.question.about.price, first.question.about.take) == ("1.5", 1)

    def test_an_approved_job_passes_and_is_ordered_once(self, workshop):
        job = fox(rule())
        answered(job, at_the_gate(workshop, job).question.about)

        async def order(engine, steps):
            engine.transition(job, S.GENERATING)
            await steps.order(job)

        assert at_the_gate(workshop, job, order) is None
        assert ordered(workshop) == 1

    def test_a_rejection_says_who_and_holds_after_a_clear(self, workshop):
        job = fox(rule())
        answered(job, at_the_gate(workshop, job).question.about, yes=False)
        for one in (job, reopened(job, S.QUEUED)):
            with pytest.raises(RejectedError, match=r"Ann rejected the job at .* \(price: 1.5 units\)"):
                at_the_gate(workshop, one)
        assert ordered(workshop) == 0

    def test_another_prompt_asks_again(self, workshop):
        job = fox(rule())
        answered(job, at_the_gate(workshop, job).question.about)
        job.prompt = "A hare"
        assert isinstance(at_the_gate(workshop, job), WaitForPerson)

    def test_another_price_asks_again(self, workshop):
        job = fox(rule())
        answered(job, at_the_gate(workshop, job).question.about)
        job.estimate = ExpectedPrice(units="3")
        assert at_the_gate(workshop, job).question.about.price == "3"

    def test_no_answer_cancels_and_a_clear_asks_again(self, workshop):
        job = fox(rule(seconds=0))
        with pytest.raises(NoAnswerError, match="Nobody approved the job within 0 s"):
            at_the_gate(workshop, job)
        job.approval = with_rule(job.approval, rule())
        assert isinstance(at_the_gate(workshop, reopened(job, S.QUEUED)), WaitForPerson)

    def test_no_answer_orders_where_the_rule_says_so_and_that_is_on_record(self, workshop):
        job = fox(rule(seconds=0, on_no_answer="order"))
        assert at_the_gate(workshop, job) is None
        (answer,) = workshop.store.load("fox").approval.answers
        assert (answer.is_approved, answer.by) == (True, "")

    def test_the_time_that_a_person_takes_is_not_the_queues(self, workshop):
        job = fox(rule(seconds=3600))
        at_the_gate(workshop, job)
        later = utc_now() + timedelta(seconds=workshop.settings.queue_seconds + 1800)
        assert workshop.settings.seconds_left(job, later) > 0


class TestTheLastLookBeforeMoneyMoves:
    def test_nothing_is_sent_without_the_answer(self, workshop):
        job = fox(rule())

        async def order(engine, steps):
            engine.transition(job, S.GENERATING)
            with pytest.raises(NotApprovedError):
                await steps.order(job)

        at_the_gate(workshop, job, order)
        assert ordered(workshop) == 0

    def test_nothing_is_sent_for_an_answer_to_another_request(self, workshop):
        job = fox(rule())
        answered(job, at_the_gate(workshop, job).question.about)

        async def order(engine, steps):
            job.prompt = "A hare"
            engine.transition(job, S.GENERATING)
            with pytest.raises(NotApprovedError):
                await steps.order(job)

        job_wait = at_the_gate(workshop, job, order)
        assert (job_wait, ordered(workshop)) == (None, 0)


def test_an_event_loop_waits_for_the_answer_that_somebody_puts_on_record(workshop, monkeypatch):
    from airflow_provider_klingvideo.workflow import handlers

    monkeypatch.setattr(handlers, "PERSON_PAUSE", 0.05)

    async def approve():
        while True:
            await asyncio.sleep(0.05)
            job = workshop.store.load("fox")
            if job is not None and job.approval and job.approval.question:
                assert ordered(workshop) == 0
                answered(job, job.approval.question.about)
                workshop.store.save(job)
                return

    async def both():
        done, _ = await asyncio.gather(workshop._process(fox(rule())), approve())
        return done

    assert asyncio.run(both()).state is S.COMPLETED
    assert ordered(workshop) == 1


def test_a_worker_that_knows_of_no_answer_does_not_write_over_it(workshop):
    job = fox(rule())
    about = at_the_gate(workshop, job).question.about
    zombie = workshop.store.load("fox")
    answered(job, about)
    workshop.store.save(job)
    workshop.store.save(zombie)
    assert workshop.store.load("fox").approval.answer_to(about).by == "Ann"


@given(above=st.none() | st.decimals(0, 100, places=2).map(str), price=prices)
def test_only_a_known_price_up_to_the_limit_needs_no_answer(above, price):
    job = WorkflowJob(id="j", approval=Approval(rule=rule(above)))
    needed = needs_answer(job, Asked(fingerprint="f", take=1, price=price))
    assert needed is (above is None or price is None or float(price) > float(above))


things = st.tuples(st.sampled_from("ab"), st.integers(1, 2), st.sampled_from([None, "1.5", "3"]))


@given(st.lists(st.tuples(st.sampled_from(["look", "yes", "no", "clear", "reload"]), things), max_size=25))
def test_whatever_happens_only_what_was_approved_is_allowed_and_nothing_answered_is_asked_again(way):
    job, answers = WorkflowJob(id="j", approval=Approval(rule=rule())), {}
    for what, (fingerprint, take, price) in way:
        job.estimate = ExpectedPrice(units=price) if price else None
        about = asked_about(job, fingerprint, take)
        if what == "look" and job.approval.answer_to(about) is None:
            assert (fingerprint, take, price) not in answers
            question, _ = question_of(job, about, utc_now())
            assert question_of(job, about, utc_now()) == (question, False)
        elif what in ("yes", "no"):
            answered(job, about, yes=what == "yes")
            answers.setdefault((fingerprint, take, price), what)
        elif what == "clear":
            job = reopened(job, S.CREATED)
        elif what == "reload":
            job = WorkflowJob.model_validate(job.as_json())
        expected = {"yes": None, "no": RejectedError, None: NotApprovedError}[answers.get((fingerprint, take, price))]
        if expected is None:
            require_consent(job, fingerprint, take)
        else:
            with pytest.raises(expected):
                require_consent(job, fingerprint, take)


def test_a_record_of_before_has_nobody_to_ask(tmp_path):
    old = {**WorkflowJob(id="j").as_json(), "schema_version": 3}
    del old["approval"]
    store = JobStore(tmp_path)
    store.write("j", "job.json", old)
    assert (store.load("j").approval, store.load("j").schema_version) == (None, 4)
