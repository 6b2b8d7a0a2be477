"""Budgets and slots in S3 servers: exact where the server heeds conditions; approximate, and said so, elsewhere."""

from __future__ import annotations

import logging
import random
from decimal import Decimal
from functools import partial

import pytest
from racing import run_threads
from s3_storage import requests_of

from airflow_provider_klingvideo.runtime.paths import open_path
from airflow_provider_klingvideo.storage import exclusive
from airflow_provider_klingvideo.workflow.gates.budgets.book import BudgetBook
from airflow_provider_klingvideo.workflow.gates.budgets.holdings import Take
from airflow_provider_klingvideo.workflow.gates.ledger import exactness, ledger
from airflow_provider_klingvideo.workflow.gates.slots.board import SlotBoard
from airflow_provider_klingvideo.workflow.gates.slots.notices import CLAIM
from airflow_provider_klingvideo.workflow.gates.slots.slots import Place, SlotRules, Slots

pytestmark = pytest.mark.airflow

MODEL = "kling-3.0"


class KilledError(BaseException):
    """The end of a worker in the middle of its work."""


@pytest.fixture
def mortal(monkeypatch):
    """Let some workers end before or after some of their requests, as killed processes do."""
    dice, share = random.Random(7), [0.0]

    def stepped(step):
        def taken(*args):
            for take in (lambda: None, lambda: step(*args)):
                if dice.random() < share[0]:
                    raise KilledError
                result = take()
            return result

        return taken

    for name in ("entries", "read_whole", "create", "remove"):
        monkeypatch.setattr(ledger, name, stepped(getattr(ledger, name)))
    return partial(share.__setitem__, 0)


def until_killed(work):
    try:
        return work()
    except KilledError:
        return None


class TestExact:
    @pytest.fixture
    def folder(self, seaweed_bucket):
        return f"{seaweed_bucket.uri}/shared"

    def test_twenty_racers_for_seven_of_ten_units(self, folder):
        def work(worker):
            return BudgetBook(open_path(folder)).reserve(f"{worker}", Take(), Decimal(1), Decimal(7))

        has_it = run_threads(partial(work, worker) for worker in range(20))
        assert has_it.count(True) == 7
        assert BudgetBook(open_path(folder)).committed() == 7

    def test_twenty_racers_for_seven_slots(self, folder):
        def claims():
            return {one.subject for one in SlotBoard(open_path(folder)).read() if one.what == CLAIM}

        def work(worker):
            slots = Slots(SlotBoard(open_path(folder)), SlotRules(total=7))
            # One that others were quicker than looks again, as a queue does.
            for _ in range(20):
                granted = slots.grant([Place(f"{worker}", "video", MODEL, since=worker)], [], queue=f"q{worker}")
                if granted or len(claims()) == 7:
                    return granted
            return set()

        granted = set().union(*run_threads(partial(work, worker) for worker in range(20)))
        assert len(granted) == 7
        assert claims() == granted

    def test_workers_that_are_killed_take_nothing_with_them(self, folder, mortal):
        limit, spent = Decimal(12), {}
        BudgetBook(open_path(folder)).reserve("first", Take(), Decimal(1), limit)
        mortal(0.02)

        def work(worker):
            book = BudgetBook(open_path(folder))
            for count in range(6):
                job, units, take = f"{worker // 2}-{count}", Decimal(1 + count % 3) / 2, Take(1, "", f"{worker:08x}")
                if book.reserve(job, take, units, limit):
                    if worker % 2 and count % 2:
                        book.settle(job, take, Decimal(0))
                    else:
                        spent[job] = units

        run_threads(partial(until_killed, partial(work, worker)) for worker in range(12))
        mortal(0)
        book = BudgetBook(open_path(folder))
        held = book.look().state
        assert book.committed() <= limit
        assert {job: held[job].units for job in spent} == spent
        for number in range(30):
            book.reserve(f"late-{number}", Take(), Decimal("0.5"), limit)
        assert book.committed() == limit

    def test_what_it_costs(self, folder):
        path = open_path(folder)
        for number in range(3):
            assert BudgetBook(path).reserve(f"{number}", Take(), Decimal(1), Decimal(9))
        book = BudgetBook(path)
        with requests_of(path) as sent:
            assert book.reserve("fox", Take(), Decimal(1), Decimal(9))
        assert [one.split()[0] for one in sent] == ["GET", "GET", "PUT"]
        with requests_of(path) as sent:
            book.look()
        assert ["list-type=2" in one for one in sent] == [True]


class TestApproximate:
    @pytest.fixture
    def folder(self, bucket):
        return f"{bucket.uri}/shared"

    def test_it_is_said_once(self, folder, caplog, monkeypatch):
        monkeypatch.setattr(exclusive, "_proved", {})
        monkeypatch.setattr(exactness, "_said", set())
        with caplog.at_level(logging.WARNING):
            for name in ("spring", "summer"):
                assert BudgetBook(open_path(f"{folder}/{name}")).reserve("fox", Take(), Decimal(1), Decimal(2))
        told = [one.getMessage() for one in caplog.records if "approximately" in one.getMessage()]
        assert len(told) == 1

    def test_budgets_are_kept_by_claims(self, folder, bucket):
        book = BudgetBook(open_path(folder))
        bucket["shared/a@b"] = b""
        assert book.reserve("fox", Take(1, "o", "00000001"), Decimal(6), Decimal(10))
        assert not book.reserve("hare", Take(1, "o", "00000002"), Decimal(5), Decimal(10))
        assert bucket.keys("shared/") == ["a@b", "fox~00000001@6"]
        book.settle("fox", Take(1, "o", "00000003"), Decimal(0))
        assert book.committed() == 6
        book.settle("fox", Take(1, "o", "00000001"), Decimal(0))
        assert bucket.keys("shared/") == ["a@b"]

    def test_of_racers_never_too_many_keep_their_claims(self, folder):
        def work(worker):
            return BudgetBook(open_path(folder)).reserve(f"{worker}", Take(), Decimal(1), Decimal(3))

        has_it = run_threads(partial(work, worker) for worker in range(8))
        assert has_it.count(True) <= 3
        assert BudgetBook(open_path(folder)).committed() == has_it.count(True)

    def test_slots_are_kept_by_notices(self, folder, bucket):
        slots = Slots(SlotBoard(open_path(folder)), SlotRules(total=1))
        place = Place("fox", "video", MODEL)
        assert slots.grant([place], [], queue="q") == {"fox"}
        assert slots.grant([Place("hare", "video", MODEL)], [], queue="other") == set()
        assert [key.split("@")[0] for key in bucket.keys("shared/")] == ["claim", "queue"]
        slots.ordered(place)
        assert [key.split("@")[0] for key in bucket.keys("shared/")] == ["queue", "running"]
        slots.give_back(place)
        assert slots.grant([Place("hare", "video", MODEL)], [], queue="other") == {"hare"}
