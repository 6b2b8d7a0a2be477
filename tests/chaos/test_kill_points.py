"""A task's process dies at a named point of the product's code; its next try goes on from what is on record."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_klingvideo.workflow import WorkflowState

from .evidence import request
from .points import POINTS

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

TIMES = 20


@pytest.mark.scenario(14)
def test_killed_between_post_and_record_twenty_times(parts, sandbox, evidence):
    for number in range(TIMES):
        parts.points.arm("after_post", f"{number:03}")
    parts.airflow.trigger("batch", "twenty", requests=[request(number) for number in range(TIMES)])
    assert parts.airflow.ended("batch", "twenty") == "success"
    killed = Counter((strike.point, strike.job) for strike in parts.points.strikes())
    assert killed == {("after_post", f"{number:03}"): 1 for number in range(TIMES)}
    evidence.require_completed("batch", ["twenty"], TIMES)
    print(f"\n{TIMES} killed between POST and record, {len(sandbox.ledger()['tasks'])} paid tasks, {TIMES} videos")


@pytest.mark.scenario(14, 18, 38, 40)
def test_killed_once_at_every_point(parts, sandbox, evidence):
    runs = dict(enumerate(POINTS))
    for number, point in runs.items():
        parts.points.arm(point, f"{number:03}")
        # So slow that the sensor defers.
        parts.airflow.trigger("single", point, request=request(number, "[sandbox:slow=20]"))
    assert {point: parts.airflow.ended("single", point) for point in POINTS} == dict.fromkeys(POINTS, "success")
    killed = {strike.point: strike.job for strike in parts.points.strikes()}
    assert killed == {point: f"{number:03}" for number, point in runs.items()}
    evidence.require_completed("single", POINTS, len(POINTS))


@pytest.mark.scenario(14)
def test_killed_together_with_the_worker(parts, evidence):
    parts.points.arm("after_post", "000", victim="worker")
    parts.airflow.trigger("single", "worker_lost", request=request(0))
    assert parts.airflow.ended("single", "worker_lost") == "success"
    assert [strike.victim for strike in parts.points.strikes()] == ["worker"]
    evidence.require_completed("single", ["worker_lost"], 1)


@pytest.mark.scenario(38)
def test_what_was_loaded_before_the_kill_is_not_loaded_again(parts, sandbox, evidence):
    parts.points.arm("after_source_published", "000")
    parts.airflow.trigger("single", "loaded", request=request(0))
    assert parts.airflow.ended("single", "loaded") == "success"
    assert len(parts.points.strikes()) == 1
    assert sandbox.downloads() == 1
    evidence.require_completed("single", ["loaded"], 1)


@pytest.mark.scenario(40)
@pytest.mark.parametrize("point", ["mid_publish", "during_render"])
def test_a_kill_in_mid_write_leaves_no_half_file_and_no_way_to_pay_again(parts, evidence, point):
    parts.points.arm(point, "000", times=5)
    parts.airflow.trigger("single", f"half_{point}", request=request(0))
    assert parts.airflow.ended("single", f"half_{point}") == "failed"
    assert len(parts.points.strikes()) == 5
    job = parts.airflow.job("single", f"half_{point}")
    names = {path.name for path in (parts.airflow.store("single", f"half_{point}").folder(job.id)).iterdir()}
    assert job.state is WorkflowState.FAILED
    assert {name for name in names if not name.startswith((".", "job."))} <= {"source.mp4"} - (
        {"source.mp4"} if point == "mid_publish" else set()
    )
    parts.airflow.clear("single", f"half_{point}", ["video.post_processing"])
    assert parts.airflow.ended("single", f"half_{point}") == "success"
    evidence.require_completed("single", [f"half_{point}"], 1)
