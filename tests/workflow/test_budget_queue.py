"""Waiting for budget costs one listing now and then, and lets go whom there is enough for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from decimal import Decimal

import pytest

from airflow_provider_klingvideo.workflow import WorkflowJob
from airflow_provider_klingvideo.workflow.gates import waiting_room
from airflow_provider_klingvideo.workflow.gates.budgets import queue as budget_queue
from airflow_provider_klingvideo.workflow.gates.budgets.book import BudgetBook
from airflow_provider_klingvideo.workflow.gates.budgets.holdings import Take
from airflow_provider_klingvideo.workflow.gates.budgets.queue import BudgetNeed, BudgetQueue
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import Reservations
from airflow_provider_klingvideo.workflow.gates.ledger import ledger
from airflow_provider_klingvideo.workflow.job.sections import Budget, ExpectedPrice

LIMIT = Decimal(10)
LONG = 20


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "budget"


@pytest.fixture
def book(folder):
    book = BudgetBook(folder)
    assert book.reserve("first", Take(), Decimal(9), LIMIT)
    return book


@pytest.fixture
def looks(monkeypatch):
    """The listings that were made."""
    made, entries = [], ledger.entries

    def counted(folder):
        made.append(folder)
        return entries(folder)

    monkeypatch.setattr(ledger, "entries", counted)
    return made


def need(folder, holder, units="3"):
    return BudgetNeed(str(folder), str(LIMIT), holder, units)


def queue(pause=0.02):
    from pathlib import Path

    async def opened(path):
        return Path(path)

    return BudgetQueue(opened, pause=pause)


async def is_let_go(waiting, seconds=LONG):
    """Whether a wait ends, before the time that is given here."""
    return bool((await asyncio.wait([waiting], timeout=seconds))[0])


def test_who_fits_is_let_go_when_others_give_back(folder, book):
    async def run():
        waiting = asyncio.ensure_future(queue().wait(need(folder, "fox"), 60))
        assert not await is_let_go(waiting, 0.2)
        book.settle("first", Take(), Decimal(7))
        assert await is_let_go(waiting)

    asyncio.run(run())


def test_who_fits_already_is_let_go_at_once(folder, book):
    asyncio.run(asyncio.wait_for(queue(pause=60).wait(need(folder, "fox", "1"), 60), LONG))


def test_what_the_job_holds_already_is_counted_once(folder, book):
    asyncio.run(asyncio.wait_for(queue(pause=60).wait(need(folder, "first", "10"), 60), LONG))


def test_the_claims_of_earlier_versions_are_waited_for(folder, book):
    (folder / "old@1").write_text("")
    (folder / "a@b").write_text("")

    async def run():
        waiting = asyncio.ensure_future(queue().wait(need(folder, "fox", "1"), 60))
        assert not await is_let_go(waiting, 0.2)
        (folder / "old@1").unlink()
        assert await is_let_go(waiting)

    asyncio.run(run())


def test_no_more_are_let_go_than_there_is_room_for(folder, book, monkeypatch):
    async def run():
        waits, promised = queue(), 1.5
        monkeypatch.setattr(budget_queue, "PROMISE_SECONDS", promised)
        waiting = [asyncio.ensure_future(waits.wait(need(folder, name), 60)) for name in ("fox", "hare", "owl")]
        await asyncio.sleep(0.1)
        book.settle("first", Take(), Decimal(4))
        assert await is_let_go(waiting[0])
        assert await is_let_go(waiting[1])
        assert not await is_let_go(waiting[2], 0.2)
        # One of them has taken its units, the other one never comes.
        assert book.reserve("fox", Take(), Decimal(3), LIMIT)
        assert await is_let_go(waiting[2])
        assert book.reserve("owl", Take(), Decimal(3), LIMIT)

    asyncio.run(run())


def test_the_time_is_over(folder, book):
    asyncio.run(asyncio.wait_for(queue(pause=60).wait(need(folder, "fox"), 0.1), LONG))


def test_somebody_cancels(folder, book):
    asyncio.run(asyncio.wait_for(queue().wait(need(folder, "fox"), 60, is_cancelled=lambda: True), LONG))


def test_all_that_wait_share_one_look(folder, book, looks):
    async def run():
        waits = queue(pause=60)
        waiting = [asyncio.ensure_future(waits.wait(need(folder, f"{number}"), 60)) for number in range(50)]
        await asyncio.sleep(0.3)
        for one in waiting:
            one.cancel()

    asyncio.run(run())
    assert len(looks) == 1


def test_looks_come_less_and_less_often_while_nothing_changes(folder, book, looks):
    pauses = []

    async def run():
        waits = queue(pause=1)
        room = budget_queue._Room(BudgetBook(folder), 1)
        pause = 1
        for step in range(10):
            if step == 8:
                book.reserve("first", Take(), Decimal(8), LIMIT)
            pause = await room.look(pause)
            pauses.append(pause)
        return waits

    asyncio.run(run())
    assert pauses == [1, 2, 4, 8, 16, 32, waiting_room.LONGEST_PAUSE, waiting_room.LONGEST_PAUSE, 1, 2]


def test_a_store_that_is_away_is_waited_out(folder, book, monkeypatch, caplog):
    entries, faults = ledger.entries, [OSError("the store is away")] * 2

    def away(folder):
        if faults:
            raise faults.pop()
        return entries(folder)

    monkeypatch.setattr(ledger, "entries", away)
    asyncio.run(asyncio.wait_for(queue().wait(need(folder, "fox", "1"), 60), LONG))
    assert not faults
    assert "Looking for free budget failed" in caplog.text


def test_the_need_of_a_job_is_json(folder):
    budget = Budget(name="october", units="10", folder=str(folder))
    job = WorkflowJob(id="fox", budget=budget, estimate=ExpectedPrice(units="1.50"))
    needed = Reservations(lambda path: folder).need(job)
    assert needed == BudgetNeed(str(folder), "10", "fox", "1.5")
    assert json.loads(json.dumps(asdict(needed))) == asdict(needed)
    assert Reservations(lambda path: folder).need(WorkflowJob(id="hare")) is None
