"""What a chaos run does follows from its seed."""

from __future__ import annotations

from collections import Counter

import pytest
from chaos.plan import COMPLETED, EVENTS, FAILED, FAULTS, PlannedVideo, drawn
from chaos.points import POINTS
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_klingvideo.sandbox.serving.rules import ActionType, Rule, Stage


@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
@settings(max_examples=30)
def test_same_seed_same_plan(seed, count):
    assert drawn(seed, count) == drawn(seed, count)


def test_another_seed_another_plan():
    assert drawn(1, 40) != drawn(2, 40)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30)
def test_each_rule_is_one_that_the_sandbox_knows_and_names_one_video(seed):
    for video in drawn(seed, 20).videos:
        for rule in map(Rule.model_validate, video.rules):
            assert rule.match.prompt_contains
            assert rule.match.prompt_contains in video.request["prompt"]
            assert not any(
                rule.match.prompt_contains in other.request["prompt"]
                for other in drawn(seed, 20).videos
                if other.number != video.number
            )


def test_hundreds_of_videos_meet_every_fault_every_kill_and_every_event():
    counts = sum((drawn(seed, 76).counts() for seed in (1, 2, 3)), Counter())
    missing = {*FAULTS, *EVENTS, *(f"killed at {point}" for point in POINTS)} - counts.keys()
    assert not missing


def test_the_table_has_every_action_of_the_sandbox_that_a_video_can_meet():
    used = {Rule.model_validate({"action": fault.action}).action.type for fault in FAULTS.values()}
    # A sound clip that is too short.
    assert used == set(ActionType) - {ActionType.SHORT_MEDIA}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_strikes_at_requests_that_its_action_is_about(name):
    fault = FAULTS[name]
    stage = Rule.model_validate({"action": fault.action}).action.stage
    paths = {Stage.TASK: "/text-to-video/*", Stage.LISTING: "/tasks", Stage.MEDIA: "/media/*"}
    assert fault.where["path"] == paths.get(stage, fault.where["path"])


@pytest.mark.parametrize(
    ("faults", "end"),
    [
        ({}, COMPLETED),
        ({"create: stored, connection closed": 1}, COMPLETED),
        ({"create: stored, connection closed": 1, "task: stuck for ever": None}, FAILED),
    ],
)
def test_the_end_follows_from_the_faults(faults, end):
    assert PlannedVideo("001", faults, ()).end == end
