"""A part of Airflow, its database or Kling is lost while jobs are on their way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from live_airflow import ENDED, until

from airflow_provider_klingvideo.workflow import WorkflowState

from .evidence import request
from .parts import AirflowParts

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

BATCH = 6
OUTAGE_SECONDS = 30
LEFT_BEHIND_SECONDS = 20


def trigger_of(parts: AirflowParts, dag_id: str, run_id: str) -> dict[str, Any]:
    """Return the trigger for which a single video's sensor waits; empty when it does not wait."""
    instances = parts.airflow.instances(dag_id, run_id)
    return next((one["trigger"] or {} for one in instances if one["task_id"] == "video.generation"), {})


def is_held(parts: AirflowParts, dag_id: str, run_id: str, *, not_by: int | None = None) -> bool:
    """Whether a triggerer, and another one than some, runs the trigger of a single video."""
    return trigger_of(parts, dag_id, run_id).get("triggerer_id") not in {None, not_by}


@pytest.mark.scenario(23, 28)
def test_triggerers_die_while_jobs_wait(parts, sandbox, evidence):
    parts.airflow.trigger("single", "moved", request=request(1, "[sandbox:slow=75]"))
    parts.airflow.trigger("impatient", "deadline", request=request(2, "[sandbox:stuck]"))
    runs = [("single", "moved"), ("impatient", "deadline")]
    until(lambda: all(is_held(parts, *run) for run in runs), "the triggerer waits for both")
    first = trigger_of(parts, "single", "moved")
    # What is left of the minute is told from a whole one.
    time.sleep(LEFT_BEHIND_SECONDS)
    parts.restart("triggerer")
    restarted = datetime.now(UTC)
    until(lambda: is_held(parts, "single", "moved", not_by=first["triggerer_id"]), "the new triggerer waits")
    second = trigger_of(parts, "single", "moved")
    parts.start("triggerer-2")
    parts.kill("triggerer")
    until(lambda: is_held(parts, "single", "moved", not_by=second["triggerer_id"]), "the other triggerer waits")
    third = trigger_of(parts, "single", "moved")
    # It is one stored trigger, its deadline included, that went from hand to hand.
    assert first["id"] == second["id"] == third["id"]
    assert parts.airflow.ended("single", "moved") == "success"

    assert parts.airflow.ended("impatient", "deadline") == "failed"
    stuck = parts.airflow.job("impatient", "deadline")
    assert (stuck.state, stuck.failure["kind"]) == (WorkflowState.FAILED, "timeout")
    assert stuck.entered_at(WorkflowState.FAILED) < restarted + timedelta(seconds=60), "counted anew from the restart"
    paid = {task["id"] for task in sandbox.ledger()["tasks"]}
    assert paid == {stuck.klingai_job_id, parts.airflow.job("single", "moved").klingai_job_id}
    evidence.require_files("single", ["moved"])


def lose_scheduler(parts: AirflowParts, _database: Any, _sandbox: Any) -> None:
    parts.restart("scheduler")


def lose_database(_parts: Any, database: Any, _sandbox: Any) -> None:
    database.crash()
    time.sleep(OUTAGE_SECONDS / 3)
    database.start()


def lose_sandbox(_parts: Any, _database: Any, sandbox: Any) -> None:
    sandbox.kill()
    time.sleep(OUTAGE_SECONDS)
    sandbox.start()


@pytest.mark.scenario(45)
@pytest.mark.parametrize("lose", [lose_scheduler, lose_database, lose_sandbox])
def test_lost_in_mid_run(parts, database, sandbox, evidence, lose: Callable[..., None]):
    run_id = lose.__name__
    parts.airflow.trigger("batch", run_id, requests=[request(number) for number in range(BATCH)])
    until(lambda: sandbox.ledger()["tasks"], "the first video is ordered")
    lose(parts, database, sandbox)
    # Airflow's parts end when they lose their database, some of them late: it is for a service manager to start them.
    until(lambda: not parts.revive() and parts.airflow.run_state("batch", run_id) in ENDED, f"{run_id} ends")
    assert parts.airflow.run_state("batch", run_id) == "success"
    evidence.require_completed("batch", [run_id], BATCH)


@pytest.mark.scenario(14, 18)
def test_a_worker_that_hung_comes_back_when_another_has_done_its_work(parts, evidence):
    frozen = ("after_intent", "after_post", "after_source_published", "before_completed_record")
    victims = [*((point, "frozen") for point in frozen), ("after_post", "worker")]
    run_ids = [f"{victim}_{point}" for point, victim in victims]
    for number, (point, victim) in enumerate(victims):
        parts.points.arm(point, f"{number:03}", victim=victim)
        parts.airflow.trigger("single", run_ids[number], request=request(number))
    try:
        assert {parts.airflow.ended("single", run_id) for run_id in run_ids} == {"success"}
        assert {(one.point, one.victim) for one in parts.points.strikes()} == set(victims)
        evidence.require_completed("single", run_ids, len(run_ids))
    except AssertionError as error:
        pytest.fail(str(error))
    finally:
        parts.points.thaw()
    evidence.require_completed("single", run_ids, len(run_ids))


@pytest.mark.scenario(18)
def test_an_orphaned_task_and_its_next_try_submit_at_once(parts, sandbox, evidence):
    sandbox.rule(match={"method": "POST", "path": "/text-to-video/*"}, action={"type": "slow", "seconds": 50})
    parts.airflow.trigger("single", "orphaned", request=request(1))
    until(lambda: parts.airflow.tasks("single", "orphaned").get("generating") == "running", "the task runs")
    parts.kill("scheduler", orphan=True)
    parts.start("scheduler")
    assert parts.airflow.ended("single", "orphaned") == "success"
    creates = [one for one in sandbox.requests() if one["path"].startswith("/text-to-video/")]
    answers = Counter(one["result"] for one in creates if one["method"] == "POST")
    assert answers["200/0"] == 1
    assert answers["400/1201"], "no second request was refused as a duplicate: there was no race"
    evidence.require_completed("single", ["orphaned"], 1)
