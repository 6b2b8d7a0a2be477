"""Why a job waits for a slot, as a person reads it."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.kling import Task, TaskStatus
from airflow_provider_klingvideo.workflow.gates.slots.notices import CLAIM, LIMIT, QUOTA, Notice
from airflow_provider_klingvideo.workflow.gates.slots.occupancy import Occupancy, SlotRules

MODEL = "kling-v3"
NOW = 1000.0


@pytest.mark.parametrize(
    ("rules", "notices", "words"),
    [
        (SlotRules(3), (), "3 of 3 taken (limit of the connection)"),
        (SlotRules(4), (Notice(CLAIM, "video", MODEL, "x", NOW),), "4 of 4 taken (limit of the connection)"),
        (SlotRules(9, {MODEL: 2}), (), "3 of 2 taken (limit of the connection for kling-v3)"),
        (SlotRules(), (Notice(QUOTA, "video", "", "3", NOW),), "3 of 3 taken (limit of the account's packs)"),
        (
            SlotRules(),
            (Notice(LIMIT, "video", MODEL, "3", NOW),),
            "3 of 3 taken (limit of Kling, as its last refusals have shown)",
        ),
        (SlotRules(5), (), "other jobs wait longer or with a higher priority"),
    ],
)
def test_how_many_are_taken_and_whose_limit_it_is(rules, notices, words):
    in_flight = [Task(str(number), TaskStatus.PROCESSING) for number in range(3)]
    assert Occupancy("video", in_flight, notices, rules, NOW).why_full(MODEL) == f"no slot is free: {words}"
