"""Budgets: what is committed never exceeds the limit, whoever asks at the same time."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workshop import Workshop

from airflow_provider_klingvideo.workflow import WorkflowJob, reopened
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.gates.budget import Claims
from airflow_provider_klingvideo.workflow.job.sections import Budget

PRICE = Decimal("1.5")


class SteppedFolder:
    """A folder whose every look and change waits for its turn."""

    protocol = "stepped"

    def __init__(self, path, turn):
        self._path = path
        self._turn = turn

    def __getattr__(self, name):
        self._turn()
        return getattr(self._path, name)

    def __truediv__(self, other):
        return SteppedFolder(self._path / other, self._turn)


class Claimer(threading.Thread):
    """Claims once, a step at a time."""

    def __init__(self, folder, number, units, limit):
        super().__init__(daemon=True)
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._claims = Claims(SteppedFolder(folder, self._turn), limit)
        self._number, self._units = number, units
        self.has_it = None

    def _turn(self):
        self._stopped.release()
        self._go.acquire()

    def run(self):
        try:
            self.has_it = self._claims.claim(f"job-{self._number}", self._units)
        finally:
            self._stopped.release()

    def step(self):
        if self.is_alive() and self.has_it is None:
            self._go.release()
            self._stopped.acquire()

    def begin(self):
        self.start()
        self._stopped.acquire()


@settings(max_examples=60, deadline=None)
@given(
    amounts=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    limit=st.integers(1, 10),
    schedule=st.lists(st.integers(0, 3), max_size=60),
)
def test_in_no_order_of_steps_do_the_kept_claims_exceed_the_limit(amounts, limit, schedule):
    with tempfile.TemporaryDirectory() as name:
        claimers = [Claimer(Path(name), index, Decimal(units), Decimal(limit)) for index, units in enumerate(amounts)]
        for claimer in claimers:
            claimer.begin()
        for index in [*schedule, *(list(range(4)) * 40)]:
            if index < len(claimers):
                claimers[index].step()
        assert all(claimer.has_it is not None for claimer in claimers)
        kept = sum(units for units, claimer in zip(amounts, claimers, strict=True) if claimer.has_it)
        assert kept <= limit
        assert Claims(Path(name), Decimal(limit)).committed() == kept
        # One after the other, everybody who still fits gets in.
        for index, claimer in enumerate(claimers):
            if not claimer.has_it and kept + amounts[index] <= limit:
                assert Claims(Path(name), Decimal(limit)).claim(f"job-{index}", Decimal(amounts[index]))
                kept += amounts[index]


def test_a_claim_takes_the_place_of_the_jobs_earlier_one(tmp_path):
    claims = Claims(tmp_path, Decimal(4))
    assert claims.claim("a", Decimal(3))
    assert claims.claim("a", Decimal(4))
    assert not claims.claim("b", Decimal("0.1"))
    claims.settle("a", Decimal("1.5"))
    assert claims.claim("b", Decimal("2.5"))
    assert (claims.committed(), len(list(tmp_path.iterdir()))) == (4, 2)
    claims.settle("a", Decimal(0))
    assert claims.committed() == Decimal("2.5")


@pytest.fixture
def sandbox(quick_sandbox):
    quick_sandbox.reset()
    return quick_sandbox


@pytest.fixture
def workshop(sandbox, tmp_path):
    return Workshop(sandbox, tmp_path / "videos", queue_seconds=0.5)


def job(tmp_path, units, number=1, *, prompt="A fox", unknown_price="fail", **params):
    budget = Budget(name="october", units=str(units), folder=str(tmp_path / "budget"), unknown_price=unknown_price)
    return WorkflowJob(
        id=f"job-{number}",
        prompt=prompt,
        params=params or {"model": "kling-2.5-turbo"},
        budget=budget,
    )


def committed(tmp_path):
    return Claims(tmp_path / "budget", Decimal(0)).committed()


@pytest.mark.scenario(5)
def test_what_does_not_fit_waits_in_the_queue_and_is_cancelled_for_free(workshop, sandbox, tmp_path):
    async def all_at_once():
        return await asyncio.gather(*(workshop._process(job(tmp_path, 5, number)) for number in range(6)))

    jobs = asyncio.run(all_at_once())
    ends = sorted(str(one.state) for one in jobs)
    assert ends == ["CANCELLED"] * 3 + ["COMPLETED"] * 3
    assert sandbox.ledger()["spent_units"] == "4.5"
    assert committed(tmp_path) == Decimal("4.5")
    cancelled = next(one for one in jobs if one.state is S.CANCELLED)
    assert cancelled.failure["kind"] == "queue_timeout"
    assert "the budget october has 5 units" in cancelled.error


@pytest.mark.scenario(5)
def test_a_price_above_the_whole_budget_fails_at_once(workshop, sandbox, tmp_path):
    done = workshop.process(job(tmp_path, 1))
    assert (done.state, done.failure["kind"], done.path[-2]) == (S.FAILED, "budget", S.CREATED)
    assert "costs 1.5 units, the whole budget october has 1" in done.error
    assert sandbox.ledger()["tasks"] == []


@pytest.mark.scenario(5)
def test_an_unknown_price_fails_unless_the_user_allows_it(workshop, sandbox, tmp_path):
    picture = f"{sandbox.url}/sandbox/samples/square.png"
    unknown = {"kind": "effect", "scene": "birthday_board", "images": [picture]}
    refused = workshop.process(job(tmp_path, 100, prompt="", **unknown))
    assert (refused.state, refused.failure["kind"]) == (S.FAILED, "budget")
    assert "on no list" in refused.error
    assert sandbox.ledger()["tasks"] == []
    allowed = workshop.process(job(tmp_path, 100, 2, prompt="", unknown_price="allow", **unknown))
    assert allowed.state is S.COMPLETED, allowed.error
    assert committed(tmp_path) == allowed.billed_units


def test_a_failed_task_gives_its_units_back(workshop, tmp_path):
    failed = workshop.process(job(tmp_path, 1.5, prompt="x [sandbox:fail]"))
    assert (failed.state, committed(tmp_path)) == (S.FAILED, 0)
    assert workshop.process(job(tmp_path, 1.5, 2)).state is S.COMPLETED


def test_a_refused_create_gives_its_units_back(workshop, sandbox, tmp_path):
    refused = workshop.process(job(tmp_path, 1.5, prompt="x [sandbox:refuse=1301]"))
    assert (refused.failure["kind"], committed(tmp_path)) == ("content_policy", 0)


def test_a_task_that_may_be_billed_keeps_its_units(workshop, sandbox, tmp_path):
    sandbox.settings(generation_seconds=60)
    workshop = Workshop(sandbox, tmp_path / "videos", generation_seconds=0.1)
    assert workshop.process(job(tmp_path, 1.5)).failure["kind"] == "timeout"
    assert committed(tmp_path) == PRICE


def test_adopting_what_was_paid_needs_no_more_of_an_exhausted_budget(workshop, sandbox, tmp_path):
    done = workshop.process(job(tmp_path, 1.5))
    again = workshop.process(reopened(done, S.CREATED))
    assert (again.state, again.klingai_job_id, committed(tmp_path)) == (S.COMPLETED, done.klingai_job_id, PRICE)


def test_another_video_of_the_same_job_needs_its_price_again(workshop, sandbox, tmp_path):
    done = workshop.process(job(tmp_path, 2))
    again = reopened(done, S.CREATED)
    again.prompt = "A hare"
    refused = workshop.process(again)
    assert (refused.state, refused.failure["kind"], refused.failure["money"]) == (S.FAILED, "budget", "billed")
    assert len(sandbox.ledger()["tasks"]) == 1
