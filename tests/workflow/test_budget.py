"""Budgets: what is committed never exceeds the limit, whoever asks at the same time."""

from __future__ import annotations

import asyncio
import random
import tempfile
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from racing import DIED, STEPS, Turns, die_now_and_then, run_processes, said, say
from workshop import Workshop

from airflow_provider_klingvideo.workflow import WorkflowJob, reopened
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.gates.budgets import book as budget_book
from airflow_provider_klingvideo.workflow.gates.budgets import old_claims
from airflow_provider_klingvideo.workflow.gates.budgets.book import BudgetBook
from airflow_provider_klingvideo.workflow.gates.budgets.holdings import HoldingsFold, Scope, Take, as_text, total
from airflow_provider_klingvideo.workflow.gates.budgets.old_claims import Claims, OldClaim
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import Reservations
from airflow_provider_klingvideo.workflow.gates.ledger import ledger
from airflow_provider_klingvideo.workflow.job.paid import PaidCall
from airflow_provider_klingvideo.workflow.job.sections import Budget, ExpectedPrice

PRICE = Decimal("1.5")
LIMIT = Decimal(10)
units_told = st.decimals(0, 1000, places=2)
CLAIM_STEPS = ("entries", "write_whole", "remove")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def approximate(monkeypatch):
    """A store that cannot create exclusively."""
    monkeypatch.setattr(budget_book, "is_exact", lambda folder: False)


class TestTheLedger:
    @pytest.fixture
    def book(self, tmp_path):
        return BudgetBook(tmp_path)

    def test_a_reservation_takes_the_place_of_the_jobs_earlier_one(self, book, tmp_path):
        assert book.reserve("a", Take(), Decimal(3), Decimal(4))
        assert book.reserve("a", Take(), Decimal(4), Decimal(4))
        assert not book.reserve("b", Take(), Decimal("0.1"), Decimal(4))
        assert book.reserve("a", Take(), Decimal("1.5"), Decimal(4))
        assert book.reserve("b", Take(), Decimal("2.5"), Decimal(4))
        assert (book.committed(), len(names(tmp_path))) == (4, 4)
        book.settle("a", Take(), Decimal(0))
        assert BudgetBook(tmp_path).committed() == Decimal("2.5")

    def test_what_is_reserved_already_is_entered_once(self, book, tmp_path):
        for _ in range(3):
            assert book.reserve("a", Take(1, "order", "0a"), Decimal(3), LIMIT)
        assert len(names(tmp_path)) == 1

    def test_a_bill_counts_whatever_the_limit_says(self, book):
        book.reserve("a", Take(), Decimal(3), Decimal(4))
        book.settle("a", Take(), Decimal(7))
        assert book.committed() == 7
        assert book.reserve("a", Take(), Decimal(6), Decimal(4)), "fewer than before is always possible"
        assert not book.reserve("b", Take(), Decimal(1), Decimal(4))

    def test_nothing_needs_no_entry(self, book, tmp_path):
        assert book.reserve("a", Take(), Decimal(0), Decimal(0))
        book.settle("a", Take(), Decimal(0))
        assert names(tmp_path) == []

    def test_what_was_billed_without_a_price_counts(self, book):
        book.settle("a", Take(), PRICE)
        assert book.committed() == PRICE


class TestWhoMayGiveBack:
    """A try that has only lost touch goes on beside its successor."""

    OLD, NEW = Take(1, "fox-g1", "00000001"), Take(1, "fox-g1", "00000002")

    @pytest.fixture
    def book(self, tmp_path):
        book = BudgetBook(tmp_path)
        assert book.reserve("fox", self.OLD, Decimal(5), LIMIT)
        return book

    def left(self, book, take, scope):
        book.settle("fox", take, Decimal(0), scope)
        return book.committed()

    def test_each_of_two_that_order_the_same_may_still_spend_it(self, book):
        assert book.reserve("fox", self.NEW, Decimal(5), LIMIT)
        assert book.reserve("fox", self.OLD, Decimal(5), LIMIT)
        assert book.committed() == 5
        assert self.left(book, self.OLD, Scope.ATTEMPT) == 5
        assert self.left(book, self.NEW, Scope.ATTEMPT) == 0

    def test_its_own(self, book):
        assert self.left(book, self.OLD, Scope.ATTEMPT) == 0

    def test_not_its_successors(self, book):
        assert book.reserve("fox", self.NEW, Decimal(5), LIMIT)
        assert self.left(book, self.OLD, Scope.ATTEMPT) == 5

    def test_one_with_which_nothing_was_sent_is_anybodys(self, tmp_path):
        book = BudgetBook(tmp_path)
        assert book.reserve("fox", Take(1), Decimal(5), LIMIT)
        assert self.left(book, self.NEW, Scope.ATTEMPT) == 0

    def test_who_only_looks_takes_nothing_over(self, book):
        assert book.reserve("fox", Take(1), Decimal(5), LIMIT)
        assert book.reserve("fox", Take(1), Decimal(6), LIMIT)
        assert self.left(book, self.NEW, Scope.ATTEMPT) == 6
        assert self.left(book, self.OLD, Scope.ATTEMPT) == 0

    def test_the_end_of_an_order_is_told_by_anybody(self, book):
        assert self.left(book, Take(1, "fox-g2", "00000001"), Scope.ORDER) == 5
        assert self.left(book, self.NEW, Scope.ORDER) == 0

    def test_the_end_of_a_job_does_not_reach_what_was_taken_up_again(self, book):
        assert book.reserve("fox", Take(2, "fox-g1", "00000003"), Decimal(5), LIMIT)
        assert self.left(book, self.OLD, Scope.REVISION) == 5
        assert not book.reserve("fox", self.OLD, Decimal(3), LIMIT)
        assert self.left(book, Take(3), Scope.REVISION) == 0


class TestClaimsOfEarlierVersions:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "old@6").write_text("")
        return tmp_path

    def test_they_count(self, folder):
        book = BudgetBook(folder)
        assert book.committed() == 6
        assert not book.reserve("new", Take(), Decimal(5), LIMIT)
        assert book.reserve("new", Take(), Decimal(4), LIMIT)

    def test_the_ledger_takes_their_place(self, folder):
        book = BudgetBook(folder)
        assert book.reserve("old", Take(), Decimal(7), LIMIT)
        assert (book.committed(), names(folder)) == (7, ["000001.json"])

    @pytest.mark.parametrize(("billed", "left"), [("6", ["old@6"]), ("4", ["000001.json"]), ("0", [])])
    def test_they_are_settled(self, folder, billed, left):
        book = BudgetBook(folder)
        book.settle("old", Take(), Decimal(billed))
        assert (book.committed(), names(folder)) == (Decimal(billed), left)

    @pytest.mark.parametrize("mode", ["exact", "approximate"])
    @pytest.mark.parametrize("name", ["a@b", "@", "@5", "a@", "a@-1", "a@NaN", "a@Infinity", "a@1_0", "a@1e3", "a@5.0"])
    def test_other_files_break_nothing(self, folder, name, mode, request):
        if mode == "approximate":
            request.getfixturevalue("approximate")
        (folder / name).write_text("not ours")
        book = BudgetBook(folder)
        assert book.reserve("fox", Take(), Decimal(4), LIMIT)
        assert not book.reserve("hare", Take(), Decimal(1), LIMIT)
        book.settle("fox", Take(), Decimal(0))
        assert book.committed() == 6
        assert (folder / name).read_text() == "not ours"


class TestWithoutExclusiveCreation:
    @pytest.mark.usefixtures("approximate")
    def test_the_book_keeps_claims(self, tmp_path):
        book = BudgetBook(tmp_path)
        assert book.reserve("fox", Take(1), Decimal(6), LIMIT)
        assert not book.reserve("hare", Take(1, "o", "00000002"), Decimal(5), LIMIT)
        assert book.reserve("fox", Take(1, "o", "00000001"), Decimal(6), LIMIT)
        assert names(tmp_path) == ["fox~00000001@6"]
        book.settle("fox", Take(1, "o", "00000002"), Decimal(0))
        assert book.committed() == 6
        book.settle("fox", Take(1, "o", "00000002"), Decimal(2), Scope.ORDER)
        assert book.committed() == 2

    @pytest.mark.usefixtures("approximate")
    def test_what_only_the_queue_has_claimed_is_given_back_by_a_later_try(self, tmp_path):
        book = BudgetBook(tmp_path)
        assert book.reserve("fox", Take(1), Decimal(6), LIMIT)
        book.settle("fox", Take(1, "o", "00000001"), Decimal(0))
        assert names(tmp_path) == []

    @pytest.mark.usefixtures("approximate")
    def test_each_of_two_tries_may_still_spend_it(self, tmp_path):
        book, tries = BudgetBook(tmp_path), (Take(1, "o", "00000001"), Take(1, "o", "00000002"))
        assert all(book.reserve("fox", take, Decimal(6), LIMIT) for take in tries)
        left = []
        for take in reversed(tries):
            book.settle("fox", take, Decimal(0))
            left.append(book.committed())
        assert left == [6, 0]

    @settings(max_examples=100)
    @given(
        amounts=st.lists(st.integers(1, 6), min_size=2, max_size=4),
        limit=st.integers(1, 10),
        schedule=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=20),
    )
    def test_in_no_order_of_steps_do_the_kept_claims_exceed_the_limit(self, amounts, limit, schedule):
        turns = Turns()
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
            for step in CLAIM_STEPS:
                patch.setattr(old_claims, step, turns.stepped(getattr(old_claims, step)))

            def work(index):
                claims = Claims(Path(name), Decimal(limit))
                return claims.claim(f"job-{index}", Decimal(amounts[index]), attempt=f"0000000{index}")

            has_it = turns.run([partial(work, index) for index in range(len(amounts))], schedule)
            kept = sum(units for units, has in zip(amounts, has_it, strict=True) if has)
            assert kept <= limit
            claims = Claims(Path(name), Decimal(limit))
            assert claims.committed() == kept
            # One after the other, everybody who still fits gets in.
            for index, units in enumerate(amounts):
                if not has_it[index] and kept + units <= limit:
                    assert claims.claim(f"job-{index}", Decimal(units))
                    kept += units

    @settings(max_examples=100)
    @given(schedule=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), max_size=20))
    def test_a_try_takes_back_no_claim_of_its_successor(self, schedule):
        """Two tries of one job and a second job want 5 of 7 units each."""
        turns = Turns()
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
            for step in CLAIM_STEPS:
                patch.setattr(old_claims, step, turns.stepped(getattr(old_claims, step)))

            def work(holder, attempt):
                return Claims(Path(name), Decimal(7)).claim(holder, Decimal(5), attempt=attempt)

            tries = [("fox", "00000001"), ("fox", "00000002"), ("hare", "00000003")]
            has_it = turns.run([partial(work, *one) for one in tries], schedule)
            claims = Claims(Path(name), Decimal(7))
            assert not ((has_it[0] or has_it[1]) and has_it[2])
            assert claims.committed() == (5 if any(has_it) else 0)

    @given(st.text(min_size=1, max_size=30), st.sampled_from(["", "0123abcd"]), units_told)
    def test_a_claim_is_read_as_it_was_written(self, holder, attempt, units):
        claim = OldClaim(holder, attempt, units)
        assert OldClaim.of(claim.name) in (claim, OldClaim.of(f"{holder}@{as_text(units)}"))


class TestTheFold:
    changes = st.lists(
        st.tuples(
            st.sampled_from("abc"),
            units_told.map(as_text),
            st.integers(1, 3),
            st.text(max_size=5),
            st.text(min_size=1, max_size=8),
        ).map(list),
        max_size=6,
    )

    @given(changes)
    def test_a_state_is_read_as_it_was_written(self, changes):
        fold = HoldingsFold()
        state = fold.apply(fold.empty, 1, changes)
        assert fold.load(fold.dump(state)) == state

    @given(changes, changes)
    def test_of_each_job_the_last_change_counts(self, first, second):
        fold = HoldingsFold()
        state = fold.apply(fold.apply(fold.empty, 1, first), 2, second)
        last = {holder: Decimal(units) for holder, units, *_ in (*first, *second)}
        assert total(state, {}) == sum(last.values())
        assert set(state) == {holder for holder, units in last.items() if units}


class TestRaces:
    @settings(max_examples=100)
    @given(
        amounts=st.lists(st.integers(1, 6), min_size=2, max_size=4),
        limit=st.integers(1, 10),
        schedule=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=20),
    )
    def test_in_no_order_of_steps_is_the_limit_exceeded_or_room_left(self, amounts, limit, schedule):
        turns = Turns()
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
            for step, action in STEPS.items():
                patch.setattr(ledger, step, turns.stepped(action))
            patch.setattr(ledger, "LONGEST_PAUSE", 0)

            def work(index):
                return BudgetBook(Path(name)).reserve(f"{index}", Take(), Decimal(amounts[index]), Decimal(limit))

            has_it = turns.run([partial(work, index) for index in range(len(amounts))], schedule)
            committed = BudgetBook(Path(name)).committed()
        assert sum(units for units, has in zip(amounts, has_it, strict=True) if has) <= committed <= limit
        # Who was turned away did not fit beside those who have it now; nobody is turned away for nothing.
        assert all(committed + units > limit for units, has in zip(amounts, has_it, strict=True) if has is False)

    def test_twenty_racers_for_seven_of_ten_units(self, tmp_path):
        noted = tmp_path / "noted"

        def work(worker):
            if BudgetBook(tmp_path / "budget").reserve(f"{worker}", Take(), Decimal(1), Decimal(7)):
                say(noted, f"{worker}")

        assert set(run_processes(partial(work, worker) for worker in range(20))) == {0}
        assert len(said(noted)) == 7
        assert BudgetBook(tmp_path / "budget").committed() == 7

    @pytest.mark.parametrize("workers", [2, 7, 20])
    @pytest.mark.parametrize("seed", [1, 2])
    def test_with_workers_that_die_and_others_that_are_late(self, tmp_path, workers, seed):
        """Two workers, two tries of the same job, order the same; each one spends, gives back, or dies."""
        folder, spent = tmp_path / "budget", tmp_path / "spent"
        limit = Decimal(40)

        def work(worker):
            die_now_and_then(seed * 1000 + worker, 0.01)
            dice = random.Random(worker)
            book = BudgetBook(folder)
            for count in range(30):
                job = f"job-{worker // 2}-{count}"
                units, take = Decimal(random.Random(job).randint(1, 8)) / 4, Take(1, job, f"{worker:08x}")
                if book.reserve(job, take, units, limit):
                    if dice.random() < 0.4:
                        book.settle(job, take, Decimal(0))
                    else:
                        say(spent, f"{job} {units}")

        codes = run_processes(partial(work, worker) for worker in range(workers))
        assert set(codes) <= {0, DIED}
        book = BudgetBook(folder)
        held = book.look().state
        assert book.committed() == total(held, {}) <= limit
        for job, units in (line.split() for line in said(spent)):
            assert held[job].units == Decimal(units), "whatever the other try gave back, it was not this one's"
        # Whoever is left uses what there is: nothing is lost to those that died.
        for number in range(200):
            book.reserve(f"late-{number}", Take(), Decimal("0.25"), limit)
        assert book.committed() == limit


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
    return BudgetBook(tmp_path / "budget").committed()


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


class TestTriesOfOneJob:
    """A worker that has only lost touch goes on with a copy of the record that its successor has left behind."""

    @pytest.fixture
    def tries(self, tmp_path):
        """Makes the view of one try: its own reservations, its own copy of the record."""

        def made(revision=1, **fields):
            one = job(tmp_path, 10)
            order = PaidCall(external_task_id="job-1-fox-g1", fingerprint="fox", **fields)
            one.revision, one.calls, one.external_task_id = revision, [order], order.external_task_id
            one.estimate = ExpectedPrice(units="6")
            return Reservations(Path), one

        return made

    def refused(self, reservations, job):
        call = job.submissions[0]
        call.sends = dict.fromkeys(call.sends, "refused")
        reservations.settle(job)

    def test_a_late_refusal_takes_no_units_from_the_successor(self, tries, tmp_path):
        zombie, successor = tries(), tries()
        for reservations, one in (zombie, successor):
            reservations.reserve(one, one.submissions[0])
            one.submissions[0].begin()
        self.refused(*zombie)
        assert committed(tmp_path) == 6
        other = job(tmp_path, 10, 2)
        other.estimate = ExpectedPrice(units="6")
        assert "6 are committed" in Reservations(Path).shortage(other), "12 units of 10"
        self.refused(*successor)
        assert Reservations(Path).shortage(other) is None

    def test_the_end_of_the_task_is_told_by_whoever_has_waited_for_it(self, tries, tmp_path):
        reservations, one = tries()
        reservations.reserve(one, one.submissions[0])
        reservations.settle(tries(task_id="t1", price="6")[1])
        assert committed(tmp_path) == 6
        Reservations(Path).settle(tries(task_id="t1", bill={"units": "2"}, verdict="failed")[1])
        assert committed(tmp_path) == 2

    def test_the_end_of_the_job_gives_back_what_a_dead_try_has_reserved(self, tries, tmp_path):
        reservations, one = tries()
        reservations.reserve(one, one.submissions[0])
        again = tries(revision=2)
        again[1].state = S.FAILED
        Reservations(Path).settle(again[1])
        assert committed(tmp_path) == 0

    def test_what_only_the_queue_has_reserved_is_given_back_by_a_later_try(self, tries, tmp_path):
        assert Reservations(Path).shortage(tries()[1]) is None
        assert committed(tmp_path) == 6
        self.refused(*tries())
        assert committed(tmp_path) == 0


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
