"""What only a running scheduler and triggerer can show."""

from __future__ import annotations

import pytest
from dags.conftest import FOX
from dags.test_batch_dag import CANCELLED_IN_THE_QUEUE, FAILED_AT_THE_VENDOR, FINE, KEY, requests
from dags.test_workflow_dag import creates
from live_airflow import until

from airflow_provider_klingvideo._compat import HAS_RETRY_POLICIES
from airflow_provider_klingvideo.kling import ApiKeyAuth, KlingClient, parse_request
from airflow_provider_klingvideo.storage.names import job_id
from airflow_provider_klingvideo.workflow import WorkflowState

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

S = WorkflowState


def test_five_jobs_of_which_one_fails_and_one_is_cancelled(live, sandbox):
    run_id = "five"
    live.store("batch", run_id).request_cancel(job_id("batch", run_id, KEY, 2), "Ann: too expensive")
    live.trigger("batch", run_id, requests=requests(5, n2=" [sandbox:fail=Image pixel is invalid]"))
    assert live.ended("batch", run_id) == "failed"

    states = [live.tasks("batch", run_id, index, f"{KEY}.") for index in range(5)]
    assert states == [FINE, FAILED_AT_THE_VENDOR, CANCELLED_IN_THE_QUEUE, FINE, FINE]
    jobs = [live.job("batch", run_id, index, KEY) for index in range(5)]
    assert [job.state for job in jobs] == [S.COMPLETED, S.FAILED, S.CANCELLED, S.COMPLETED, S.COMPLETED]
    assert live.tasks("batch", run_id, prefix="videos.")["verdict"] == "failed"
    assert len(sandbox.ledger()["tasks"]) == 4


@pytest.mark.scenario(24)
def test_waiting_holds_no_worker_slot(live, sandbox):
    sandbox.settings(generation_seconds=20)
    live.trigger("single", "deferred", request=FOX)
    until(lambda: live.tasks("single", "deferred").get("generation") == "deferred", "the sensor defers")
    assert live.job("single", "deferred").state is S.GENERATING
    assert live.ended("single", "deferred") == "success"
    # The triggerer asked about this task and about nothing else.
    task_id = live.job("single", "deferred").klingai_job_id
    asked = {one["path"] for one in sandbox.requests() if "?task_ids=" in one["path"]}
    assert asked == {f"/tasks?task_ids={task_id}"}


@pytest.mark.scenario(31)
def test_an_abandoned_task_is_on_record_and_adopted_for_free_when_the_task_is_cleared(live, sandbox):
    sandbox.settings(generation_seconds=25)
    live.trigger("single", "abandoned", request=FOX)
    until(lambda: live.tasks("single", "abandoned").get("generation") == "deferred", "the sensor defers")
    live.set_state("single", "abandoned", "video.generation", "failed")
    assert live.ended("single", "abandoned") == "failed"
    job = live.job("single", "abandoned")
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "abandoned", "maybe")
    assert f"{job.klingai_job_id} at Kling cannot be cancelled and runs on" in job.error
    assert live.tasks("single", "abandoned")["failed"] == "success"

    live.clear("single", "abandoned", ["video.generation"])
    assert live.ended("single", "abandoned") == "success"
    again = live.job("single", "abandoned")
    assert (again.state, again.klingai_job_id, again.revision) == (S.COMPLETED, job.klingai_job_id, 2)
    assert len(sandbox.ledger()["tasks"]) == 1


@pytest.mark.scenario(31)
def test_a_cleared_wait_goes_on_with_the_same_task(live, sandbox):
    sandbox.settings(generation_seconds=25)
    live.trigger("single", "cleared_wait", request=FOX)
    until(lambda: live.tasks("single", "cleared_wait").get("generation") == "deferred", "the sensor defers")
    task_id = live.job("single", "cleared_wait").klingai_job_id
    live.clear("single", "cleared_wait", ["video.generation"])
    assert live.ended("single", "cleared_wait") == "success"
    job = live.job("single", "cleared_wait")
    assert (job.state, job.klingai_job_id, job.revision) == (S.COMPLETED, task_id, 1)
    assert len(sandbox.ledger()["tasks"]) == 1


def test_a_wait_that_is_marked_successful_too_early_is_no_success(live, sandbox):
    sandbox.settings(generation_seconds=40)
    live.trigger("single", "too_early", request=FOX)
    until(lambda: live.tasks("single", "too_early").get("generation") == "deferred", "the sensor defers")
    live.set_state("single", "too_early", "video.generation", "success")
    assert live.ended("single", "too_early") == "failed"
    job = live.job("single", "too_early")
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "abandoned", "maybe")

    live.clear("single", "too_early", ["video.generation"])
    assert live.ended("single", "too_early") == "success"
    assert (live.job("single", "too_early").klingai_job_id, len(sandbox.ledger()["tasks"])) == (job.klingai_job_id, 1)


@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow below 3.3 tells no trigger that a person has ended its run")
def test_a_run_that_is_marked_failed_leaves_the_job_abandoned_and_adoptable(live, sandbox):
    sandbox.settings(generation_seconds=40)
    live.trigger("single", "given_up", request=FOX)
    until(lambda: live.tasks("single", "given_up").get("generation") == "deferred", "the sensor defers")
    # The sensor has asked once; only a trigger that runs is told.
    task_id = live.job("single", "given_up").klingai_job_id
    until(lambda: sum(task_id in one["path"] for one in sandbox.requests()) > 1, "the triggerer asks")
    live.call("PATCH", "/dags/single/dagRuns/given_up", state="failed")
    until(lambda: live.job("single", "given_up").is_terminal, "the record is closed")
    job = live.job("single", "given_up")
    assert (job.state, job.failure["kind"], job.klingai_job_id) == (S.FAILED, "abandoned", task_id)
    assert "the DAG run was ended as failed" in job.error

    live.clear("single", "given_up", ["video.generation"])
    assert live.ended("single", "given_up") == "success"
    assert (live.job("single", "given_up").klingai_job_id, len(sandbox.ledger()["tasks"])) == (task_id, 1)


@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow below 3.3 has no state store")
def test_a_lost_record_is_reminded_of_what_was_ordered(live, sandbox):
    live.trigger("single", "lost_record", request=FOX)
    assert live.ended("single", "lost_record") == "success"
    job = live.job("single", "lost_record")
    sent = creates(sandbox)
    (live.store("single", "lost_record").folder(job.id) / "job.json").unlink()
    live.clear("single", "lost_record", ["video.created"])
    assert live.ended("single", "lost_record") == "success"
    assert live.job("single", "lost_record").klingai_job_id == job.klingai_job_id
    # Without the memory the create would be sent again, and refused as a duplicate.
    assert creates(sandbox) == sent


@pytest.mark.parametrize("state", ["skipped", "failed"])
def test_a_person_who_gives_up_a_job_in_the_queue_has_cancelled_it(live, sandbox, state):
    run_id = f"given_up_{state}"
    conn_id = f"limited_{state}"
    live.call(
        "POST",
        "/connections",
        connection_id=conn_id,
        conn_type="klingai",
        host=sandbox.url,
        password="sandbox-key",
        extra='{"concurrency_limit": 1}',
    )
    sandbox.settings(generation_seconds=120)
    with KlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url) as client:
        client.create(parse_request({"prompt": "someone else's"}), external_task_id="other")
    live.trigger("single", run_id, request=FOX, conn_id=conn_id)
    until(lambda: live.tasks("single", run_id).get("queued") == "deferred", "the job waits for a slot")
    live.set_state("single", run_id, "video.queued", state)
    assert live.ended("single", run_id) == "success"
    assert live.job("single", run_id).path == [S.CREATED, S.VALIDATED, S.QUEUED, S.CANCELLED]
    assert len(sandbox.ledger()["tasks"]) == 1


def test_clearing_a_finished_run_pays_nothing_again(live, sandbox):
    live.trigger("single", "cleared", request=FOX)
    assert live.ended("single", "cleared") == "success"
    paid = sandbox.ledger()["spent_units"]
    live.clear("single", "cleared", ["video.created"])
    assert live.ended("single", "cleared") == "success"
    assert (len(sandbox.ledger()["tasks"]), sandbox.ledger()["spent_units"]) == (1, paid)
    assert live.job("single", "cleared").state is S.COMPLETED
