"""A mapped batch: each job for itself, and a verdict over all of them."""

from __future__ import annotations

import json
import re

import pytest

from airflow_provider_klingvideo.storage.names import job_id
from airflow_provider_klingvideo.workflow import WorkflowState

from .conftest import FOX

pytestmark = pytest.mark.airflow

S = WorkflowState
KEY = "videos.jobs"
CHAIN = ("created", "validated", "queued", "generating", "generation", "post_processing", "completed")


def requests(count, **markers):
    return [{**FOX, "prompt": f"Shot {number}{markers.get(f'n{number}', '')}"} for number in range(1, count + 1)]


def expected_states(**differences):
    handlers = {"failed": "skipped", "cancelled": "skipped", "verdict": "success"}
    return {**dict.fromkeys(CHAIN, "success"), **handlers, **differences}


FINE = expected_states()
FAILED_AT_THE_VENDOR = expected_states(
    generation="failed",
    post_processing="upstream_failed",
    completed="upstream_failed",
    failed="success",
    verdict="failed",
)
CANCELLED_IN_THE_QUEUE = expected_states(
    **dict.fromkeys(("queued", "generating", "generation", "post_processing", "completed"), "skipped"),
    cancelled="success",
)


@pytest.mark.scenario(42, 44)
@pytest.mark.parametrize(("dag_id", "run_state"), [("batch", "failed"), ("tolerant_batch", "success")])
def test_five_jobs_of_which_one_fails_and_one_is_cancelled(airflow, sandbox, dag_id, run_state):
    _, run_id, store = airflow.next_run(dag_id)
    store.request_cancel(job_id(dag_id, run_id, KEY, 2), "Ann: too expensive")
    run = airflow.run(dag_id, requests=requests(5, n2=" [sandbox:fail=Image pixel is invalid]"))

    states = [run.tasks(index, f"{KEY}.") for index in range(5)]
    assert states == [FINE, FAILED_AT_THE_VENDOR, CANCELLED_IN_THE_QUEUE, FINE, FINE]
    jobs = [run.job(index, KEY) for index in range(5)]
    assert [job.state for job in jobs] == [S.COMPLETED, S.FAILED, S.CANCELLED, S.COMPLETED, S.COMPLETED]
    assert "Image pixel is invalid" in jobs[1].error
    assert (run.state, run.tasks(prefix="videos.")["verdict"]) == (run_state, run_state)
    assert len(sandbox.ledger()["tasks"]) == 4

    manifest = json.loads((run.store.base / f"{KEY}.manifest.json").read_text())
    assert manifest["states"] == {"COMPLETED": 3, "FAILED": 1, "CANCELLED": 1}
    assert [row["job_id"] for row in manifest["jobs"]] == [job.id for job in jobs]


@pytest.mark.scenario(6)
def test_a_bad_row_harms_no_other(airflow, sandbox):
    rows = requests(3)
    rows[1]["duration"] = 7
    run = airflow.run("tolerant_batch", requests=rows)
    assert [run.job(index, KEY).state for index in range(3)] == [S.COMPLETED, S.FAILED, S.COMPLETED]
    assert run.state == "success"


@pytest.mark.scenario(6)
def test_all_or_nothing_orders_nothing_and_names_every_bad_row(airflow, sandbox, capfd):
    rows = requests(200)
    rows[17]["duration"] = 7
    rows[99] = {**FOX, "prompt": ""}
    run = airflow.run("strict_batch", requests=rows)
    assert (run.state, run.tasks(prefix="videos.")["checked"]) == ("failed", "failed")
    assert run.dag_run.get_task_instance("videos.checked").try_number == 1
    assert sandbox.ledger()["tasks"] == []
    assert not list(run.store.base.glob("*/job.json"))
    told = "".join(capfd.readouterr())
    assert "2 of 200 rows cannot be ordered; nothing was ordered" in told
    assert re.search("entry 18 +duration +7 is not offered +5 or 10 seconds", told)
    assert re.search("entry 100 +prompt +is missing", told)


@pytest.mark.scenario(6)
def test_all_or_nothing_orders_all_when_all_are_legal(airflow, sandbox):
    run = airflow.run("strict_batch", requests=requests(2))
    assert [run.job(index, KEY).state for index in range(2)] == [S.COMPLETED] * 2


@pytest.mark.scenario(5)
def test_a_budget_for_three_makes_three_of_six(airflow, sandbox):
    run = airflow.run("budgeted", requests=requests(6), budget_units=5)
    states = sorted(str(run.job(index, KEY).state) for index in range(6))
    assert states == ["CANCELLED"] * 3 + ["COMPLETED"] * 3
    assert (run.state, sandbox.ledger()["spent_units"]) == ("success", "4.5")


@pytest.mark.scenario(46)
def test_the_days_of_a_backfill_share_a_budget_and_the_slots(airflow, sandbox, connect):
    connect(extra={"concurrency_limit": 2})
    runs = [airflow.run("budgeted", requests=requests(2), budget_units=6, budget_key="backfill") for _ in range(3)]
    states = [str(run.job(index, KEY).state) for run in runs for index in range(2)]
    assert states == ["COMPLETED"] * 4 + ["CANCELLED"] * 2
    assert sandbox.ledger()["spent_units"] == "6"
    assert sandbox.ledger()["max_in_flight_seen"] <= 2


@pytest.mark.scenario(42)
def test_when_all_fail_clearing_redoes_only_what_failed(airflow, sandbox):
    refused = {"match": {"method": "POST", "path": "/text-to-video/*"}, "action": {"type": "refuse", "code": 1301}}
    sandbox.add_rule({**refused, "times": 3})
    run = airflow.run("tolerant_batch", requests=requests(3))
    assert [run.job(index, KEY).state for index in range(3)] == [S.FAILED] * 3
    assert (run.state, sandbox.ledger()["tasks"]) == ("failed", [])

    sandbox.add_rule({**refused, "match": {**refused["match"], "prompt_contains": "Shot 2"}, "times": 1})
    run = airflow.run_again("tolerant_batch", requests=requests(3))
    first = [run.job(index, KEY) for index in range(3)]
    assert [job.state for job in first] == [S.COMPLETED, S.FAILED, S.COMPLETED]
    assert run.state == "success"

    run = airflow.run_again("tolerant_batch", requests=requests(3))
    again = [run.job(index, KEY) for index in range(3)]
    assert [job.prompt for job in again] == ["Shot 1", "Shot 2", "Shot 3"]
    assert [job.state for job in again] == [S.COMPLETED] * 3
    assert (again[0], again[2]) == (first[0], first[2])
    assert sorted(job.klingai_job_id for job in again) == sorted(task["id"] for task in sandbox.ledger()["tasks"])


def test_an_empty_batch_is_a_success(airflow, sandbox):
    run = airflow.run("batch", requests=[])
    assert (run.state, sandbox.ledger()["tasks"]) == ("success", [])
