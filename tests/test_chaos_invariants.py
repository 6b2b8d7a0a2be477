"""Each invariant of the chaos run holds over sound evidence and is broken by evidence that was doctored."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from chaos.invariants import (
    INVARIANTS,
    Attempt,
    History,
    Question,
    Revision,
    StoredFile,
    VendorTask,
    Video,
    violations,
)

PATH = ("CREATED", "VALIDATED", "QUEUED", "GENERATING", "POST_PROCESSING", "COMPLETED")
LOST_PATH = (*PATH[:4], "FAILED")
DONE = Video(
    "001",
    "COMPLETED",
    "COMPLETED",
    billed=Decimal(3),
    files=[StoredFile("master.mp4")],
    revisions=[Revision(1, PATH, frozenset({"t1"}))],
    handles=frozenset({"t1"}),
)
FAILED = Video(
    "002",
    "FAILED",
    "FAILED",
    money="none",
    revisions=[Revision(1, LOST_PATH, frozenset({"t2"}))],
    handles=frozenset({"t2"}),
    expected="FAILED",
)
TASK = VendorTask("t1", "001", "succeeded", Decimal(3), has_result=True)
SOUND = History(
    videos=[DONE, FAILED],
    tasks=[TASK, VendorTask("t2", "002", "failed", Decimal(0), has_result=False)],
    slots=2,
    max_in_flight=2,
    budget=Decimal(6),
    regenerates=False,
    run_state="failed",
    unfinished=[],
    attempts=[Attempt("video.generating", "Kling is in trouble (5001)")],
    questions=[Question(at, "t1") for at in range(0, 120_000, 6_000)],
    questions_per_minute=10,
    texts={"log": "Task t1 succeeded; https://cdn/t1.mp4", "xcom": '{"job": "001"}'},
    secrets={"the API key": "sandbox-key"},
)


def with_video(index: int, **changes: object) -> History:
    videos = list(SOUND.videos)
    videos[index] = replace(videos[index], **changes)
    return replace(SOUND, videos=videos)


def with_text(text: str) -> History:
    return replace(SOUND, texts={"a place": text})


DOCTORED = {
    "a second task": ("I1", replace(SOUND, tasks=[*SOUND.tasks, replace(TASK, id="t3")])),
    "another task after a failure, against the policy": (
        "I1",
        replace(SOUND, tasks=[*SOUND.tasks, VendorTask("t4", "002", "succeeded", Decimal(3), has_result=False)]),
    ),
    "a task on no record": ("I2", with_video(0, handles=frozenset())),
    "a task on another's record": ("I2", with_video(1, handles=frozenset({"t1", "t2"}))),
    "a handle of an earlier revision is gone": (
        "I2",
        with_video(0, revisions=[Revision(1, LOST_PATH, frozenset({"t0"})), Revision(2, PATH, frozenset({"t1"}))]),
    ),
    "too many in flight": ("I3", replace(SOUND, max_in_flight=3)),
    "a try for a 1303": ("I3", replace(SOUND, attempts=[Attempt("video.generating", "parallel limit (code 1303)")])),
    "over the budget": ("I4", replace(SOUND, budget=Decimal(2))),
    "settled with another figure": ("I4", with_video(0, billed=Decimal(2))),
    "no file": ("I5", with_video(0, files=[])),
    "a bad file": ("I5", with_video(0, files=[StoredFile("master.mp4", ["does not decode"])])),
    "no end": ("I6", with_video(0, state="GENERATING", shown="GENERATING")),
    "a leap": ("I6", with_video(0, revisions=[Revision(1, ("CREATED", "COMPLETED"), frozenset({"t1"}))])),
    "an end that changed": (
        "I6",
        with_video(0, revisions=[Revision(1, LOST_PATH, frozenset({"t1"})), Revision(1, PATH, frozenset({"t1"}))]),
    ),
    "Airflow shows something else": ("I7", with_video(0, shown="FAILED")),
    "the run shows something else": ("I7", replace(SOUND, run_state="success")),
    "a task that does not end": ("I7", replace(SOUND, unfinished=["video.verdict"])),
    "charged, and not a word about it": (
        "I7",
        replace(SOUND, tasks=[TASK, VendorTask("t2", "002", "succeeded", Decimal(3), has_result=False)]),
    ),
    "billed on record, nothing at Kling": ("I7", replace(with_video(1, money="billed"), tasks=[TASK])),
    "the key": ("I8", with_text("Authorization: sandbox-key")),
    "a signed address": ("I8", with_text("loading https://cdn/t1.mp4?Expires=1&Signature=abc")),
    "a token": ("I8", with_text("Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc")),
    "a picture": ("I8", with_text("iVBORw0KGgo" * 50)),
    "a storm of questions": ("I9", replace(SOUND, questions=[Question(at, "t1") for at in range(0, 22_000, 2_000)])),
    "a paid video that was given up": ("lost", with_video(0, state="FAILED", shown="FAILED", money="billed")),
    "a failure without a cause": ("lost", with_video(1, expected="COMPLETED")),
    "two records of a video": ("lost", replace(SOUND, videos=[DONE, DONE, FAILED])),
}


def test_sound_evidence_breaks_nothing():
    assert violations(SOUND) == {name: [] for name in INVARIANTS}


@pytest.mark.parametrize("name", DOCTORED)
def test_doctored_evidence_is_caught(name):
    invariant, history = DOCTORED[name]
    assert violations(history)[invariant]


def test_every_invariant_can_fail():
    assert {invariant for invariant, _ in DOCTORED.values()} == INVARIANTS.keys()


def test_a_confirmed_failure_allows_another_task_where_the_policy_does():
    again = VendorTask("t4", "002", "succeeded", Decimal(3), has_result=False)
    history = replace(SOUND, tasks=[*SOUND.tasks, again], regenerates=True)
    assert violations(history)["I1"] == []


def test_an_ended_record_may_go_on_in_its_next_revision():
    revisions = [Revision(1, LOST_PATH, frozenset({"t1"})), Revision(2, PATH, frozenset({"t1"}))]
    assert violations(with_video(0, revisions=revisions)) == {name: [] for name in INVARIANTS}


def test_histories_do_not_apply_where_no_records_are_kept():
    bare = replace(SOUND, videos=[replace(video, revisions=[]) for video in SOUND.videos])
    assert violations(bare)["I6"] is None
