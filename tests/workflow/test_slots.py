"""Slots: given by turn, never more than there are, other users counted, refusals remembered."""

from __future__ import annotations

import logging
import os
import random
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from racing import DIED, STEPS, Turns, die_now_and_then, run_processes, said, say

from airflow_provider_klingvideo.kling import Task, TaskStatus
from airflow_provider_klingvideo.workflow.gates.ledger import ledger as ledger_module
from airflow_provider_klingvideo.workflow.gates.slots import board as board_module
from airflow_provider_klingvideo.workflow.gates.slots import slots as slots_module
from airflow_provider_klingvideo.workflow.gates.slots.marks import MarksFold, dating, dropping, putting
from airflow_provider_klingvideo.workflow.gates.slots.notices import CLAIM, LIMIT, QUEUE, QUOTA, RUNNING, Notice
from airflow_provider_klingvideo.workflow.gates.slots.occupancy import Occupancy
from airflow_provider_klingvideo.workflow.gates.slots.slots import Place, SlotBoard, SlotRules, Slots, Standing

MODEL = "kling-3.0"
FOX = Place("fox", "video", MODEL, since=1)


def running(*jobs):
    """Tasks at Kling; None is somebody else's."""
    return [
        Task(f"task-{number}", TaskStatus.PROCESSING, external_id=f"{job}-{0xABC:016x}-g1" if job else None)
        for number, job in enumerate(jobs)
    ]


def places(count, **fields):
    return [Place(f"job-{number}", "video", MODEL, since=float(number), **fields) for number in range(count)]


@pytest.fixture(params=["exact", "approximate"])
def board(tmp_path, request, monkeypatch):
    """A board in a store that can create exclusively, and in one that cannot."""
    monkeypatch.setattr(board_module, "is_exact", lambda folder: request.param == "exact")
    return SlotBoard(tmp_path / "slots")


@pytest.fixture
def clock(tmp_path):
    """A clock that can be put forward, for the store and for everybody who looks at it."""

    class Clock:
        def forward(self, seconds):
            for path in (tmp_path / "slots").iterdir():
                written = path.stat().st_mtime - seconds
                os.utime(path, (written, written))

    return Clock()


@pytest.fixture
def own_clock(monkeypatch):
    """The clock of this machine, which can be wrong."""
    now = slots_module.utc_now

    def set_ahead(seconds):
        monkeypatch.setattr(slots_module, "utc_now", lambda: now() + timedelta(seconds=seconds))

    return set_ahead


def claimed(board):
    return [one.subject for one in board.read() if one.what == CLAIM]


class TestTurns:
    def test_without_a_limit_everybody_goes_and_nothing_is_noted(self, board):
        slots = Slots(board, SlotRules())
        assert slots.standing(FOX) is Standing.UNLIMITED
        assert slots.grant(places(9), running(None), queue="q") == {f"job-{number}" for number in range(9)}
        assert board.read() == []

    def test_the_oldest_go_first_and_others_count(self, board):
        slots = Slots(board, SlotRules(total=3))
        assert slots.grant(reversed_places := places(5)[::-1], running(None), queue="q") == {"job-0", "job-1"}
        assert len(reversed_places) == 5

    def test_priority_goes_before_age(self, board):
        late = Place("late", "video", MODEL, priority=5, since=99)
        assert Slots(board, SlotRules(total=1)).grant([*places(3), late], [], queue="q") == {"late"}

    def test_a_full_model_does_not_hold_up_the_others(self, board):
        other = Place("other", "video", "kling-2.6", since=99)
        slots = Slots(board, SlotRules(total=9, models={MODEL: 1}))
        assert slots.grant([*places(3), other], [], queue="q") == {"job-0", "other"}

    def test_a_task_of_unknown_model_may_take_any_models_slot(self, board):
        assert Slots(board, SlotRules(models={MODEL: 1})).grant([FOX], running(None), queue="q") == set()

    def test_a_task_of_another_model_does_not(self, board):
        board.put([Notice(RUNNING, "video", "kling-2.6", "boat", slots_module.utc_now().timestamp())])
        assert Slots(board, SlotRules(models={MODEL: 1})).grant([FOX], running("boat"), queue="q") == {"fox"}

    def test_who_has_a_claim_may_order_and_takes_no_second_slot(self, board):
        slots = Slots(board, SlotRules(total=1))
        assert slots.grant([FOX], [], queue="q") == {"fox"}
        assert slots.standing(FOX) is Standing.CLAIMED
        assert slots.grant([FOX, *places(2)], [], queue="q") == {"fox"}

    def test_what_was_ordered_a_moment_ago_counts_before_the_vendor_lists_it(self, board, clock):
        slots = Slots(board, SlotRules(total=1))
        slots.grant([FOX], [], queue="q")
        slots.ordered(FOX)
        assert slots.grant(places(1), [], queue="q") == set()
        clock.forward(6)
        assert slots.grant(places(1), [], queue="q") == {"job-0"}

    def test_a_slot_that_was_given_back_is_free(self, board):
        slots = Slots(board, SlotRules(total=1))
        slots.grant([FOX], [], queue="q")
        slots.give_back(FOX)
        assert slots.grant(places(1), [], queue="q") == {"job-0"}

    def test_the_claim_of_a_dead_worker_ends(self, board, clock):
        slots = Slots(board, SlotRules(total=1))
        slots.grant([FOX], [], queue="q")
        clock.forward(200)
        assert slots.grant(places(1), [], queue="q") == {"job-0"}
        assert claimed(board) == ["job-0"]

    def test_other_files_do_not_matter(self, board, tmp_path):
        (tmp_path / "slots").mkdir()
        for name in ("a@b", "limit@video@kling-3.0@many@1", "quota@video@@@1", "claim@video@m@job@nan", "x@v@m@j@1"):
            (tmp_path / "slots" / name).write_text("")
        slots = Slots(board, SlotRules(total=1))
        assert slots.grant([FOX], [], queue="q") == {"fox"}
        slots.ordered(FOX)
        slots.give_back(FOX)
        slots.refused(FOX, [])
        assert slots.standing(FOX) is Standing.WAITING

    def test_a_claim_of_an_earlier_version_counts(self, board):
        slots = Slots(board, SlotRules(total=1))
        board.put([Notice(CLAIM, "video", MODEL, "boat", time.time())])
        assert slots.grant(places(1), [], queue="q") == set()
        assert slots.standing(Place("boat", "video", MODEL)) is Standing.CLAIMED
        slots.give_back(Place("boat", "video", MODEL))
        assert slots.grant(places(1), [], queue="q") == {"job-0"}


class TestSeveralProcesses:
    def test_a_newcomer_does_not_overtake_a_queue(self, board, clock):
        slots = Slots(board, SlotRules(total=1))
        slots.grant(places(2), running(None), queue="q")
        assert slots.grant([FOX], []) == set()
        # Whoever kept the queue has died.
        clock.forward(60)
        assert slots.grant([FOX], []) == {"fox"}

    @pytest.mark.parametrize("board", ["approximate"], indirect=True)
    def test_of_two_that_claim_at_once_the_later_one_takes_its_claim_back(self, board, monkeypatch):
        slots = Slots(board, SlotRules(total=1))
        put = board.put

        def put_behind_another(notices):
            notices = list(notices)
            put([replace(one, subject="quicker", at=one.at + 9) for one in notices if one.what == CLAIM])
            put(notices)

        monkeypatch.setattr(board, "put", put_behind_another)
        assert slots.grant([FOX], [], queue="q") == set()
        assert claimed(board) == ["quicker"]

    @given(
        limit=st.integers(1, 6),
        others=st.integers(0, 4),
        groups=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    )
    def test_together_they_never_give_more_than_there_is(self, tmp_path_factory, limit, others, groups):
        board = SlotBoard(tmp_path_factory.mktemp("board"))
        granted = set()
        for group, count in enumerate(groups):
            waiting = [replace(one, job_id=f"{group}-{one.job_id}") for one in places(count)]
            granted |= Slots(board, SlotRules(total=limit)).grant(waiting, running(*[None] * others), queue=f"q{group}")
        assert len(granted) == min(max(0, limit - others), sum(groups))


class TestClocks:
    """Machines whose clocks are minutes apart see the same claims, and what is over ends for all of them."""

    @pytest.mark.parametrize("ahead", [-600, -60, 60, 600])
    def test_a_claim_counts_whatever_the_clock_of_who_has_it(self, board, own_clock, ahead):
        slots = Slots(board, SlotRules(total=1))
        own_clock(ahead)
        assert slots.grant([FOX], [], queue="q") == {"fox"}
        own_clock(0)
        assert slots.grant(places(1), [], queue="other") == set()
        assert slots.standing(FOX) is Standing.CLAIMED

    @pytest.mark.parametrize("ahead", [-600, -60, 60, 600])
    def test_a_claim_counts_whatever_the_clock_of_who_looks(self, board, own_clock, ahead):
        slots = Slots(board, SlotRules(total=1))
        assert slots.grant([FOX], [], queue="q") == {"fox"}
        own_clock(ahead)
        assert slots.grant(places(1), [], queue="other") == set()
        assert claimed(board) == ["fox"]

    @pytest.mark.parametrize("ahead", [-600, 600])
    def test_the_claim_of_a_dead_worker_ends_all_the_same(self, board, own_clock, clock, ahead):
        slots = Slots(board, SlotRules(total=1))
        own_clock(ahead)
        assert slots.grant([FOX], [], queue="q") == {"fox"}
        clock.forward(170)
        assert slots.grant(places(1), [], queue="other") == set()
        clock.forward(15)
        own_clock(ahead / 2)
        assert slots.grant(places(1), [], queue="other") == {"job-0"}

    def test_the_age_of_a_claim_is_kept_when_its_entry_is_removed(self, board, clock, tmp_path, monkeypatch):
        monkeypatch.setattr(ledger_module, "KEEP", 1)
        monkeypatch.setattr(ledger_module, "KEEP_SECONDS", 0)
        monkeypatch.setattr(ledger_module, "TIDY_EVERY", 1)
        slots = Slots(board, SlotRules(total=2))
        assert slots.grant([FOX], [], queue="q") == {"fox"}
        clock.forward(200)
        other = places(1)[0]
        for _ in range(3):
            slots.grant([other], [], queue="q")
            slots.give_back(other)
        assert not (tmp_path / "slots" / "000001.json").exists()
        assert len(slots.grant(places(2), [], queue="q")) == 2, "the claim of the dead worker is known to be old"

    def test_a_file_whose_time_was_set_ends_no_claim(self, board, tmp_path):
        slots = Slots(board, SlotRules(total=1))
        assert slots.grant([FOX], [], queue="q") == {"fox"}
        slots.grant(places(1), [], queue="other")
        for path in (tmp_path / "slots").glob("queue@*"):
            os.utime(path, (time.time() + 300, time.time() + 300))
        assert slots.grant(places(1), [], queue="other") == set()

    @pytest.mark.parametrize("board", ["exact"], indirect=True)
    def test_who_was_held_up_does_not_trust_what_it_knew_of_kling(self, board, monkeypatch):
        """While it decided, another job had ordered; Kling lists that by now, but this look was made before."""
        slots, create, held_up = Slots(board, SlotRules(total=1)), ledger_module.create, []

        def slow(path, content):
            if not held_up:
                held_up.append(path)
                slots.grant([FOX], [], queue="other")
                slots.ordered(FOX)
                for file in path.parent.iterdir():
                    os.utime(file, (time.time() - 6, time.time() - 6))
                board.put([Notice(QUEUE, "video", MODEL, "other", time.time())])
                monkeypatch.setattr(slots_module, "LISTED_WITHIN_SECONDS", 0)
            return create(path, content)

        monkeypatch.setattr(ledger_module, "create", slow)
        assert slots.grant(places(1), [], queue="q") == set()
        assert claimed(board) == []

    def test_a_queue_of_the_future_is_not_waited_for_for_ever(self, board, own_clock, clock):
        slots = Slots(board, SlotRules(total=1))
        own_clock(1200)
        slots.grant(places(2), running(None), queue="q")
        own_clock(0)
        assert slots.grant([FOX], []) == set()
        clock.forward(60)
        assert slots.grant([FOX], []) == {"fox"}

    def test_a_limit_of_the_future_is_forgotten(self, board, own_clock, clock):
        slots = Slots(board, SlotRules())
        own_clock(1200)
        slots.refused(FOX, running(None))
        own_clock(0)
        assert slots.standing(FOX) is Standing.WAITING
        clock.forward(601)
        assert slots.standing(FOX) is Standing.UNLIMITED

    def test_who_is_behind_knows_the_quota_that_was_asked_last(self, board, own_clock):
        slots = Slots(board, SlotRules())
        own_clock(1200)
        slots.allowed("video", 3)
        own_clock(0)
        slots.allowed("video", 5)
        assert [one.subject for one in board.read() if one.what == QUOTA] == ["5"]


class TestStoresWithoutTimes:
    @pytest.fixture(autouse=True)
    def timeless(self, monkeypatch):
        entries = ledger_module.entries
        monkeypatch.setattr(board_module, "_timeless", set())

        def timeless(folder):
            return [replace(one, modified=None) for one in entries(folder)]

        monkeypatch.setattr(ledger_module, "entries", timeless)

    def test_claims_end_by_our_own_clock_and_that_is_said_once(self, board, own_clock, caplog):
        slots = Slots(board, SlotRules(total=1))
        with caplog.at_level(logging.WARNING):
            assert slots.grant([FOX], [], queue="q") == {"fox"}
            own_clock(170)
            assert slots.grant(places(1), [], queue="other") == set()
            own_clock(190)
            assert slots.grant(places(1), [], queue="other") == {"job-0"}
        told = [one.getMessage() for one in caplog.records if "tells no times" in one.getMessage()]
        assert len(told) == 1

    @pytest.mark.parametrize(("ahead", "counts"), [(60, True), (7200, False)])
    def test_a_claim_may_come_from_the_near_future_only(self, board, ahead, counts):
        slots = Slots(board, SlotRules(total=1))
        board.put([Notice(CLAIM, "video", MODEL, "fox", time.time() + ahead)])
        assert slots.grant(places(1), [], queue="other") == (set() if counts else {"job-0"})


class TestRaces:
    @pytest.fixture
    def folder(self, tmp_path):
        return tmp_path / "slots"

    @settings(max_examples=100)
    @given(
        counts=st.lists(st.integers(1, 3), min_size=2, max_size=4),
        limit=st.integers(1, 6),
        others=st.integers(0, 2),
        schedule=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=20),
    )
    def test_in_no_order_of_steps_are_there_more_claims_than_slots(self, counts, limit, others, schedule):
        turns = Turns()
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
            for step, action in STEPS.items():
                patch.setattr(ledger_module, step, turns.stepped(action))
            patch.setattr(ledger_module, "LONGEST_PAUSE", 0)
            # Threads that are held up for the sake of the schedule are not late.
            patch.setattr(slots_module, "LISTED_WITHIN_SECONDS", 100)

            def work(index):
                mine = [replace(one, job_id=f"{index}-{one.job_id}") for one in places(counts[index])]
                slots = Slots(SlotBoard(Path(name)), SlotRules(total=limit))
                return slots.grant(mine, running(*[None] * others), queue=f"q{index}")

            granted = turns.run([partial(work, index) for index in range(len(counts))], schedule)
            kept = claimed(SlotBoard(Path(name)))
        room = max(0, limit - others)
        assert set().union(*(one or set() for one in granted)) <= set(kept)
        assert len(kept) <= room
        if None not in granted:
            assert len(kept) == min(room, sum(counts))

    def test_twenty_racers_for_seven_slots_with_clocks_minutes_apart(self, folder, tmp_path):
        noted, now = tmp_path / "noted", slots_module.utc_now

        def work(worker):
            slots_module.utc_now = lambda: now() + timedelta(minutes=worker - 10)
            place = Place(f"{worker}", "video", MODEL, since=worker)
            if Slots(SlotBoard(folder), SlotRules(total=7)).grant([place], [], queue=f"q{worker}"):
                say(noted, f"{worker}")

        assert set(run_processes(partial(work, worker) for worker in range(20))) == {0}
        assert len(said(noted)) == 7
        assert sorted(claimed(SlotBoard(folder))) == sorted(said(noted))

    @pytest.mark.parametrize("workers", [2, 7, 20])
    def test_workers_that_die_and_others_that_go_through(self, folder, tmp_path, monkeypatch, own_clock, workers):
        """At no moment have more jobs their slots than there are, whoever dies with one."""
        noted, limit = tmp_path / "noted", 5

        def work(worker):
            die_now_and_then(worker, 0.003)
            dice, slots = random.Random(worker), Slots(SlotBoard(folder), SlotRules(total=limit))
            for count in range(12):
                place = Place(f"{worker}-{count}", "video", MODEL, since=count)
                if not slots.grant([place], [], queue=f"q{worker}"):
                    continue
                say(noted, f"{place.job_id} has")
                if dice.random() < 0.5:
                    slots.ordered(place)
                say(noted, f"{place.job_id} had")
                slots.give_back(place)

        codes = run_processes(partial(work, worker) for worker in range(workers))
        assert set(codes) <= {0, DIED}
        having, most = set(), 0
        for job, what in (line.split() for line in said(noted)):
            (having.add if what == "has" else having.discard)(job)
            most = max(most, len(having))
        assert 0 < most <= limit
        left = [one for one in SlotBoard(folder).read() if one.what in (CLAIM, RUNNING)]
        assert having <= {one.subject for one in left}
        # What the dead have left is given to others, once it is old.
        stored_at = board_module.stored_at
        monkeypatch.setattr(board_module, "stored_at", lambda file: stored_at(file) + 200)
        own_clock(200)
        assert len(Slots(SlotBoard(folder), SlotRules(total=limit)).grant(places(limit), [], queue="late")) == limit


class TestTheFold:
    kinds = st.sampled_from([CLAIM, RUNNING])
    times = st.floats(0, 2**33)
    puts = st.builds(putting, kinds, st.sampled_from(["video", "image"]), st.text(), st.sampled_from("abc"), times)
    drops = st.sampled_from("abc").map(lambda job: dropping([job])[0])

    @given(st.lists(puts | drops, max_size=8), times)
    def test_a_state_is_read_as_it_was_written(self, changes, written):
        fold = MarksFold()
        state = fold.apply(fold.empty, 7, changes)
        dated = fold.apply(state, 8, dating(state, {7: written}))
        assert all(one.stored == written for one in dated.values())
        assert dating(dated, {7: 1.0}) == []
        assert fold.load(fold.dump(dated)) == dated

    @given(st.lists(puts | drops, max_size=8))
    def test_who_was_dropped_last_has_no_slot(self, changes):
        fold = MarksFold()
        last = {one["job"]: one["do"] for one in changes}
        assert set(fold.apply(fold.empty, 7, changes)) == {job for job, do in last.items() if do == "put"}

    def test_a_date_is_that_of_the_entry_it_names(self):
        fold = MarksFold()
        state = fold.apply(fold.empty, 1, [putting(CLAIM, "video", "m", "a", 1.0)])
        late = dating(state, {1: 5.0})
        state = fold.apply(fold.apply(state, 2, [putting(RUNNING, "video", "m", "a", 2.0)]), 3, late)
        assert state["a"].stored is None


class TestCost:
    @pytest.fixture
    def steps(self, monkeypatch, tmp_path):
        calls = []

        def counting(name, step):
            def counted(*args):
                calls.append(name)
                return step(*args)

            return counted

        monkeypatch.setattr(board_module, "is_exact", lambda folder: True)
        for module in (ledger_module, board_module):
            for name in {*STEPS, "write_whole"} & vars(module).keys():
                monkeypatch.setattr(module, name, counting(name, getattr(module, name)))

        def of(work):
            calls.clear()
            work(Slots(SlotBoard(tmp_path / "slots"), rules))
            return list(calls)

        rules = SlotRules(models={MODEL: 3})
        of(lambda slots: slots.grant([replace(FOX, job_id="earlier")], [], queue="q"))
        return of

    def test_a_job_without_a_limit_costs_the_ledger_nothing(self, steps):
        free = replace(FOX, model="kling-2.6")
        assert steps(lambda slots: slots.standing(free)) == ["entries"]
        assert steps(lambda slots: slots.grant([free], [])) == ["entries"]
        assert steps(lambda slots: slots.ordered(free)) == ["entries"]
        assert steps(lambda slots: slots.give_back(free)) == ["entries"]

    def test_a_claim_is_one_listing_one_read_one_creation(self, steps):
        once = ["entries", "read_whole", "create"]
        assert steps(lambda slots: slots.grant([FOX], [], queue="q")) == once
        assert steps(lambda slots: slots.standing(FOX)) == once[:2]
        assert steps(lambda slots: slots.ordered(FOX)) == once
        assert steps(lambda slots: slots.give_back(FOX)) == once

    def test_many_that_wait_are_one_entry(self, steps):
        many = steps(lambda slots: slots.grant(places(30), [], queue="q"))
        assert many == ["entries", "read_whole", "create", "write_whole"], "and a notice that the others wait"


class TestRefusals:
    def test_a_refusal_teaches_the_limit(self, board):
        slots = Slots(board, SlotRules())
        slots.refused(FOX, running(None, None))
        assert slots.standing(FOX) is Standing.WAITING
        assert slots.grant([FOX], running(None, None), queue="q") == set()
        assert slots.grant([FOX, *places(1)], running(None), queue="q") == {"job-0"}

    def test_of_this_model_only(self, board):
        slots = Slots(board, SlotRules())
        slots.refused(FOX, running(None))
        assert slots.standing(replace(FOX, model="kling-2.6")) is Standing.UNLIMITED

    def test_with_nothing_in_flight_one_is_still_tried(self, board):
        slots = Slots(board, SlotRules())
        slots.refused(FOX, [])
        assert slots.grant(places(3), [], queue="q") == {"job-0"}

    @pytest.mark.parametrize(("seconds", "more"), [(0, 0), (29, 0), (31, 1), (61, 3), (91, 7)])
    def test_it_fades(self, board, clock, seconds, more):
        slots = Slots(board, SlotRules())
        slots.refused(FOX, running(None))
        clock.forward(seconds)
        assert len(slots.grant(places(20), running(None), queue="q")) == more

    def test_it_is_forgotten(self, board, clock):
        slots = Slots(board, SlotRules())
        slots.refused(FOX, running(None))
        clock.forward(601)
        assert slots.standing(FOX) is Standing.UNLIMITED

    def test_more_that_run_are_believed(self, board):
        slots = Slots(board, SlotRules())
        slots.refused(FOX, running(None))
        now = slots_module.utc_now().timestamp()
        assert Occupancy("video", running(*"abc"), board.read(), SlotRules(), now).learned(MODEL) == 3

    def test_the_quota_of_the_packs_is_not_tried_beyond(self, board, clock):
        slots = Slots(board, SlotRules())
        assert slots.wants_quota("video")
        slots.refused(FOX, running(None))
        slots.allowed("video", 3)
        clock.forward(599)
        assert slots.wants_quota("video"), "packs are looked at again while jobs wait"
        slots.allowed("video", 3)
        assert len([one for one in board.read() if one.what == QUOTA]) == 1
        assert len(slots.grant(places(20), running(None), queue="q")) == 2
        clock.forward(2)
        assert slots.standing(FOX) is Standing.WAITING, "it outlives what was learned"
        clock.forward(3600)
        assert slots.standing(FOX) is Standing.UNLIMITED

    def test_a_refusal_that_the_packs_contradict_is_soon_doubted(self, board, clock):
        slots = Slots(board, SlotRules())
        slots.refused(FOX, running(None))
        slots.allowed("video", 5)
        assert slots.grant(places(9), running(None), queue="q") == set()
        clock.forward(11)
        assert len(slots.grant(places(9), running(None), queue="q")) == 3
        clock.forward(5)
        assert len(slots.grant(places(9), running(None), queue="q")) == 4, "no more than the packs allow"

    def test_packs_whose_names_say_nothing_are_not_asked_for_again(self, board):
        slots = Slots(board, SlotRules())
        slots.allowed("video", None)
        assert not slots.wants_quota("video")
        assert slots.knows_quota("video")
        assert slots.wants_quota("image")
        assert slots.standing(FOX) is Standing.UNLIMITED

    def test_who_says_the_limit_needs_no_quota(self, board):
        assert not Slots(board, SlotRules(total=9)).wants_quota("video")

    def test_the_last_word_counts(self, board, clock):
        slots = Slots(board, SlotRules())
        slots.refused(FOX, running(None))
        clock.forward(1)
        slots.refused(FOX, running(*[None] * 4))
        assert [one.subject for one in board.read() if one.what == LIMIT] == ["4"]


@given(
    st.builds(
        Notice,
        st.sampled_from([CLAIM, RUNNING, QUEUE]),
        st.sampled_from(["video", "image"]),
        st.text(min_size=1, max_size=20),
        st.text(min_size=1, max_size=20),
        st.integers(0, 2**33).map(float),
    )
    | st.builds(
        Notice, st.sampled_from([LIMIT, QUOTA]), st.just("video"), st.text(), st.integers(0).map(str), st.just(1.0)
    )
)
def test_a_notice_is_read_as_it_was_put_up(notice):
    assert Notice.of(notice.name) == notice
    assert "/" not in notice.name


@pytest.mark.parametrize("name", ["x", "claim@video@m@job", "claim@video@m@job@soon", ".part"])
def test_other_files_are_no_notices(name):
    assert Notice.of(name) is None


def test_a_notice_that_another_process_removes_meanwhile_does_not_matter(tmp_path, monkeypatch):
    from airflow.sdk import ObjectStoragePath

    # Airflow's path looks whether the file is there, and removes it afterwards.
    monkeypatch.setattr(ObjectStoragePath, "exists", lambda self: True)
    SlotBoard(ObjectStoragePath(f"file://{tmp_path}")).take_down([Notice(CLAIM, "video", MODEL, "fox", 1.0)])
