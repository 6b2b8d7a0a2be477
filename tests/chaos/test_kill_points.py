"""A task's process dies at a named point of the product's code; its next try goes on from what is on record."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_klingvideo.workflow import WorkflowState

from .evidence import request
from .points import POINTS

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

TIMES = 20
VERDICT = "videos.verdict"


@pytest.mark.scenario(14, 43)
def test_killed_between_post_and_record_twenty_times(parts, sandbox, evidence):
    for number in range(TIMES):
        parts.points.arm("after_post", f"{number:03}")
    parts.airflow.trigger("batch", "twenty", requests=[request(number) for number in range(TIMES)])
    assert parts.airflow.ended("batch", "twenty") == "success"
    killed = Counter((strike.point, strike.job) for strike in parts.points.strikes())
    assert killed == {("after_post", f"{number:03}"): 1 for number in range(TIMES)}
    evidence.require_completed("batch", ["twenty"], TIMES)
    summary = parts.airflow.call("GET", f"/dags/batch/dagRuns/twenty/taskInstances/{VERDICT}/xcomEntries/return_value")
    assert all(job.id not in str(summary) for job in evidence.jobs("batch", "twenty"))
    print(f"\n{TIMES} killed between POST and record, {len(sandbox.ledger()['tasks'])} paid tasks, {TIMES} videos")


@pytest.mark.scenario(14, 18, 38, 40)
def test_killed_once_at_every_point(parts, sandbox, evidence):
    runs = dict(enumerate(POINTS))
    for number, point in runs.items():
        parts.points.arm(point, f"{number:03}")
        # So slow that the sensor defers.
        parts.airflow.trigger("single", point, request=request(number, "[sandbox:slow=60]"))
    assert {point: parts.airflow.ended("single", point) for point in POINTS} == dict.fromkeys(POINTS, "success")
    killed = {strike.point: strike.job for strike in parts.points.strikes()}
    assert killed == {point: f"{number:03}" for number, point in runs.items()}
    evidence.require_completed("single", POINTS, len(POINTS))


@pytest.mark.scenario(14, 18, 38, 40)
def test_one_task_for_each_video_is_killed_once_at_every_point(parts, evidence):
    # It has no sensor.
    struck = [point for point in POINTS if point not in {"before_defer", "on_resume"}]
    for number, point in enumerate(struck):
        parts.points.arm(point, f"{number:03}")
    parts.wait_for_dag("each")
    requests = [request(number, "[sandbox:slow=30]") for number in range(len(struck))]
    parts.airflow.trigger("each", "each", requests=requests)
    assert parts.airflow.ended("each", "each") == "success"
    killed = {strike.point: strike.job for strike in parts.points.strikes()}
    assert killed == {point: f"{number:03}" for number, point in enumerate(struck)}
    evidence.require_completed("each", ["each"], len(struck))


@pytest.mark.scenario(38)
def test_what_was_loaded_before_the_kill_is_not_loaded_again(parts, sandbox, evidence):
    parts.points.arm("after_source_published", "000")
    parts.airflow.trigger("single", "loaded", request=request(0))
    assert parts.airflow.ended("single", "loaded") == "success"
    assert len(parts.points.strikes()) == 1
    assert sandbox.downloads() == 1
    evidence.require_completed("single", ["loaded"], 1)


@pytest.mark.scenario(40)
def test_killed_in_mid_write_on_every_try(parts, evidence):
    whole = {"mid_publish": set(), "during_render": {"source.mp4"}}
    runs = {point: f"always_{point}" for point in whole}
    for number, (point, run_id) in enumerate(runs.items()):
        parts.points.arm(point, f"{number:03}", times=2)
        parts.airflow.trigger("impatient", run_id, request=request(number))
    for point, run_id in runs.items():
        assert parts.airflow.ended("impatient", run_id) == "failed"
        job = parts.airflow.job("impatient", run_id)
        assert job.state is WorkflowState.FAILED
        # What has its final name is whole; the rest is the record, its notes and parts of files.
        found = {path.name for path in parts.airflow.store("impatient", run_id).folder(job.id).iterdir()}
        assert {name for name in found if not name.startswith((".", "job.", "calls"))} == whole[point]
        parts.airflow.clear("impatient", run_id, ["video.post_processing"])
    assert Counter(strike.point for strike in parts.points.strikes()) == dict.fromkeys(whole, 2)
    assert [parts.airflow.ended("impatient", run_id) for run_id in runs.values()] == ["success"] * len(runs)
    evidence.require_completed("impatient", runs.values(), len(runs))
