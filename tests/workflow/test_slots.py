"""Slots: given by turn, never more than there are, other users counted, refusals remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.kling import Task, TaskStatus
from airflow_provider_klingvideo.workflow.gates import slots as slots_module
from airflow_provider_klingvideo.workflow.gates.slots import (
    CLAIM,
    LIMIT,
    QUEUE,
    QUOTA,
    RUNNING,
    Notice,
    Occupancy,
    Place,
    SlotBoard,
    SlotRules,
    Slots,
    Standing,
)

MODEL = "kling-3.0"
FOX = Place("fox", "video", MODEL, since=1)


def running(*jobs):
    """Tasks at the vendor; None is somebody else's."""
    return [
        Task(f"task-{number}", TaskStatus.PROCESSING, external_id=f"{job}-{0xABC:016x}-g1" if job else None)
        for number, job in enumerate(jobs)
    ]


def places(count, **fields):
    return [Place(f"job-{number}", "video", MODEL, since=float(number), **fields) for number in range(count)]


@pytest.fixture
def board(tmp_path):
    return SlotBoard(tmp_path / "slots")


@pytest.fixture
def clock(monkeypatch):
    """A clock that can be put forward."""

    class Clock:
        ahead = 0.0

        def forward(self, seconds):
            self.ahead += seconds

    clock = Clock()
    now = slots_module.utc_now
    from datetime import timedelta

    monkeypatch.setattr(slots_module, "utc_now", lambda: now() + timedelta(seconds=clock.ahead))
    return clock


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
        assert [one.subject for one in board.read() if one.what == CLAIM] == ["job-0"]


class TestSeveralProcesses:
    def test_a_newcomer_does_not_overtake_a_queue(self, board, clock):
        slots = Slots(board, SlotRules(total=1))
        slots.grant(places(2), running(None), queue="q")
        assert slots.grant([FOX], []) == set()
        # Whoever kept the queue has died.
        clock.forward(60)
        assert slots.grant([FOX], []) == {"fox"}

    def test_of_two_that_claim_at_once_the_later_one_takes_its_claim_back(self, board, monkeypatch):
        slots = Slots(board, SlotRules(total=1))
        put = board.put

        def put_behind_another(notices):
            notices = list(notices)
            put([replace(one, subject="quicker", at=one.at - 0.01) for one in notices if one.what == CLAIM])
            put(notices)

        monkeypatch.setattr(board, "put", put_behind_another)
        assert slots.grant([FOX], [], queue="q") == set()
        assert [one.subject for one in board.read() if one.what == CLAIM] == ["quicker"]

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
        st.sampled_from([CLAIM, RUNNING, QUEUE, LIMIT]),
        st.sampled_from(["video", "image"]),
        st.text(min_size=1, max_size=20),
        st.text(min_size=1, max_size=20),
        st.integers(0, 2**33).map(float),
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
