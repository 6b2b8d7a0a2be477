"""What survives: Kling's pauses, an edited request."""

from __future__ import annotations

import json
import time

import pytest

from airflow_provider_klingvideo.workflow import WorkflowState

from .conftest import FOX

pytestmark = pytest.mark.airflow

S = WorkflowState
PAUSE = {"headers": {"Retry-After": "1"}}


@pytest.mark.parametrize(
    ("match", "times", "task"),
    [
        ({"method": "POST", "path": "/text-to-video/*"}, 2, "video.generating"),
        # More often than the client itself tries again.
        ({"method": "GET", "path": "/tasks"}, 5, "video.validated"),
    ],
    ids=["create", "read"],
)
def test_a_pause_that_the_vendor_asks_for_is_kept_and_spends_no_retry(airflow, sandbox, match, times, task):
    sandbox.add_rule({"match": match, "action": {"type": "rate_limit", **PAUSE}, "times": times})
    run = airflow.run("single", request=FOX)
    assert run.job().state is S.COMPLETED
    assert run.dag_run.get_task_instance(task).try_number == 1
    assert len(sandbox.ledger()["tasks"]) == 1


def test_an_edited_request_orders_nothing_when_the_user_says_so(airflow, sandbox):
    first = airflow.run("single", request=FOX).job()
    run = airflow.run_again("single", request={**FOX, "prompt": "A hare"}, on_changed_request="fail")
    job = run.job()
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "changed_request", "billed")
    assert first.klingai_job_id in job.error
    assert len(sandbox.ledger()["tasks"]) == 1
    # The request is put back.
    again = airflow.run_again("single", request=FOX, on_changed_request="fail").job()
    assert (again.state, again.klingai_job_id, len(sandbox.ledger()["tasks"])) == (S.COMPLETED, first.klingai_job_id, 1)


def test_a_policy_that_there_is_not_orders_nothing(airflow, sandbox):
    run = airflow.run("single", request=FOX, on_changed_request="Fail")
    assert "on_changed_request: 'Fail' makes no sense (legal: order or fail)" in run.job().error
    assert sandbox.ledger()["tasks"] == []


@pytest.mark.scenario(28, 31)
def test_a_maintenance_dag_takes_what_was_paid_too_late(airflow, sandbox):
    sandbox.settings(generation_seconds=3)
    late = airflow.run("impatient", request=FOX)
    assert (late.job().state, late.job().failure["kind"]) == (S.FAILED, "timeout")
    time.sleep(3)
    run = airflow.run("maintenance")
    assert run.state == "success"
    done = late.job()
    assert (done.state, done.klingai_job_id, done.revision) == (S.COMPLETED, sandbox.ledger()["tasks"][0]["id"], 2)
    (report,) = (run.store.base.parent.parent / "reconcile").glob("*.json")
    assert json.loads(report.read_text())["open"] == 0
