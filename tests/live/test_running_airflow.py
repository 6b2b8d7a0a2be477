"""What only a running scheduler and triggerer can show."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Form:
    """A way to make one video, on a running Airflow.

    :param dag_id: its DAG; of many videos ``batch``.
    :param first: the task with which a job begins.
    :param waiting: the task that waits for Kling.
    """

    dag_id: str
    first: str
    waiting: str

    def state(self, live, run_id):
        return live.tasks(self.dag_id, run_id, prefix="").get(self.waiting)

    def begin(self, live, run_id, request=FOX):
        """Start a run, and return when its job waits for Kling, deferred."""
        live.trigger(self.dag_id, run_id, request=request)
        until(lambda: self.state(live, run_id) == "deferred", "the task defers")
        until(lambda: live.job(self.dag_id, run_id).state is S.GENERATING, "the job waits for Kling")
        return live.job(self.dag_id, run_id).klingai_job_id

    def ended(self, live, run_id, request=FOX):
        """Start a run, and return the state in which it ends."""
        live.trigger(self.dag_id, run_id, request=request)
        return live.ended(self.dag_id, run_id)


GROUP = Form("single", "video.created", "video.generation")
OPERATOR = Form("one_task", "video", "video")
FORMS = pytest.mark.parametrize("form", [GROUP, OPERATOR], ids=["group", "operator"])


def five_jobs(live, sandbox, dag_id, key):
    """One fails, one is cancelled; return the number of each job's task states."""
    live.store(dag_id, "five").request_cancel(job_id(dag_id, "five", key, 2), "Ann: too expensive")
    live.trigger(dag_id, "five", requests=requests(5, n2=" [sandbox:fail=Image pixel is invalid]"))
    assert live.ended(dag_id, "five") == "failed"
    jobs = [live.job(dag_id, "five", index, key) for index in range(5)]
    assert [job.state for job in jobs] == [S.COMPLETED, S.FAILED, S.CANCELLED, S.COMPLETED, S.COMPLETED]
    assert "Image pixel is invalid" in jobs[1].error
    assert len(sandbox.ledger()["tasks"]) == 4


def test_five_jobs_of_which_one_fails_and_one_is_cancelled(live, sandbox):
    five_jobs(live, sandbox, "batch", KEY)
    states = [live.tasks("batch", "five", index, f"{KEY}.") for index in range(5)]
    assert states == [FINE, FAILED_AT_THE_VENDOR, CANCELLED_IN_THE_QUEUE, FINE, FINE]
    assert live.tasks("batch", "five", prefix="videos.")["verdict"] == "failed"


def test_five_tasks_of_which_one_fails_and_one_is_cancelled(live, sandbox):
    five_jobs(live, sandbox, "one_task_each", "video")
    states = [live.tasks("one_task_each", "five", index, "")["video"] for index in range(5)]
    assert states == ["success", "failed", "skipped", "success", "success"]


CREATE = {"method": "POST", "path": "/text-to-video/*"}
# What the sandbox does, and for how often; how the job ends, how often it is ordered, and what its record says.
FAULTS = {
    "fails_at_kling": ({"type": "fail_task", "message": "Image pixel is invalid"}, 1, S.FAILED, 1),
    "refused_for_good": ({"type": "refuse", "http_status": 400, "code": 1301, "message": "no"}, None, S.FAILED, 0),
    "in_arrears": ({"type": "refuse", "http_status": 429, "code": 1102, "message": "no"}, None, S.FAILED, 0),
    "full_account": ({"type": "refuse", "http_status": 429, "code": 1303, "message": "full"}, 2, S.COMPLETED, 1),
    "answer_lost": ({"type": "drop_after"}, 1, S.COMPLETED, 1),
    "answer_cut_off": ({"type": "html", "http_status": 502, "store": True}, 1, S.COMPLETED, 1),
    "never_arrived": ({"type": "drop_before"}, 1, S.COMPLETED, 1),
}


@pytest.mark.scenario(9, 13, 21, 30)
@pytest.mark.parametrize("fault", FAULTS)
@FORMS
def test_a_fault_ends_alike_in_a_group_and_in_one_task_and_is_paid_once(live, sandbox, form, fault):
    action, times, state, ordered = FAULTS[fault]
    sandbox.add_rule({"match": CREATE, "action": action, **({"times": times} if times else {})})
    assert form.ended(live, fault) == ("success" if state is S.COMPLETED else "failed")
    job = live.job(form.dag_id, fault)
    assert (job.state, len(sandbox.ledger()["tasks"])) == (state, ordered)
    assert sandbox.ledger()["spent_units"] == ("1.5" if state is S.COMPLETED else "0")


@FORMS
def test_a_video_that_cannot_be_loaded_at_once_is_loaded_by_a_later_try(live, sandbox, form):
    sandbox.add_rule({"match": {"path": "/media/*"}, "action": {"type": "html_media"}, "times": 1})
    assert form.ended(live, "html") == "success"
    assert (live.job(form.dag_id, "html").state, len(sandbox.ledger()["tasks"])) == (S.COMPLETED, 1)


@FORMS
def test_a_job_that_is_cancelled_before_its_turn_is_never_ordered(live, sandbox, form):
    store = live.store(form.dag_id, "cancelled")
    store.request_cancel(job_id(form.dag_id, "cancelled", "video", -1), "Ann: wrong prompt")
    assert form.ended(live, "cancelled") == "success"
    assert live.job(form.dag_id, "cancelled").path == [S.CREATED, S.VALIDATED, S.QUEUED, S.CANCELLED]
    assert creates(sandbox) == 0


@pytest.mark.scenario(24)
@FORMS
def test_waiting_holds_no_worker_slot(live, sandbox, form):
    sandbox.settings(generation_seconds=20)
    task_id = form.begin(live, "deferred")
    assert live.ended(form.dag_id, "deferred") == "success"
    # The triggerer asked about this task and about nothing else.
    asked = {one["path"] for one in sandbox.requests() if "?task_ids=" in one["path"]}
    assert asked == {f"/tasks?task_ids={task_id}"}


@pytest.mark.scenario(31)
@FORMS
def test_an_abandoned_task_is_on_record_and_adopted_for_free_when_the_task_is_cleared(live, sandbox, form):
    sandbox.settings(generation_seconds=25)
    task_id = form.begin(live, "abandoned")
    live.set_state(form.dag_id, "abandoned", form.waiting, "failed")
    assert live.ended(form.dag_id, "abandoned") == "failed"
    job = live.job(form.dag_id, "abandoned")
    assert job.klingai_job_id == task_id
    if form is GROUP:
        # The tasks behind the one that a person has ended close the record; one task has none behind it.
        assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "abandoned", "maybe")
        assert f"{task_id} at Kling cannot be cancelled and runs on" in job.error
        assert live.tasks("single", "abandoned")["failed"] == "success"

    live.clear(form.dag_id, "abandoned", [form.waiting])
    assert live.ended(form.dag_id, "abandoned") == "success"
    again = live.job(form.dag_id, "abandoned")
    assert (again.state, again.klingai_job_id, len(sandbox.ledger()["tasks"])) == (S.COMPLETED, task_id, 1)


@pytest.mark.scenario(31)
@FORMS
def test_a_cleared_wait_goes_on_with_the_same_task(live, sandbox, form):
    sandbox.settings(generation_seconds=25)
    task_id = form.begin(live, "cleared_wait")
    live.clear(form.dag_id, "cleared_wait", [form.waiting])
    assert live.ended(form.dag_id, "cleared_wait") == "success"
    job = live.job(form.dag_id, "cleared_wait")
    assert (job.state, job.klingai_job_id, job.revision) == (S.COMPLETED, task_id, 1)
    assert len(sandbox.ledger()["tasks"]) == 1


def test_a_wait_that_is_marked_successful_too_early_is_no_success(live, sandbox):
    sandbox.settings(generation_seconds=40)
    GROUP.begin(live, "too_early")
    live.set_state("single", "too_early", "video.generation", "success")
    assert live.ended("single", "too_early") == "failed"
    job = live.job("single", "too_early")
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "abandoned", "maybe")

    live.clear("single", "too_early", ["video.generation"])
    assert live.ended("single", "too_early") == "success"
    assert (live.job("single", "too_early").klingai_job_id, len(sandbox.ledger()["tasks"])) == (job.klingai_job_id, 1)


@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow below 3.3 tells no trigger that a person has ended its run")
@FORMS
def test_a_run_that_is_marked_failed_leaves_the_job_abandoned_and_adoptable(live, sandbox, form):
    sandbox.settings(generation_seconds=40)
    task_id = form.begin(live, "given_up")
    # The task has asked once; only a trigger that runs is told.
    until(lambda: sum(task_id in one["path"] for one in sandbox.requests()) > 1, "the triggerer asks")
    live.call("PATCH", f"/dags/{form.dag_id}/dagRuns/given_up", state="failed")
    until(lambda: live.job(form.dag_id, "given_up").is_terminal, "the record is closed")
    job = live.job(form.dag_id, "given_up")
    assert (job.state, job.failure["kind"], job.klingai_job_id) == (S.FAILED, "abandoned", task_id)
    assert "the DAG run was ended as failed" in job.error

    live.clear(form.dag_id, "given_up", [form.waiting])
    assert live.ended(form.dag_id, "given_up") == "success"
    assert (live.job(form.dag_id, "given_up").klingai_job_id, len(sandbox.ledger()["tasks"])) == (task_id, 1)


@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow below 3.3 has no state store")
@FORMS
def test_a_lost_record_is_reminded_of_what_was_ordered(live, sandbox, form):
    assert form.ended(live, "lost_record") == "success"
    job = live.job(form.dag_id, "lost_record")
    sent = creates(sandbox)
    (live.store(form.dag_id, "lost_record").folder(job.id) / "job.json").unlink()
    live.clear(form.dag_id, "lost_record", [form.first])
    assert live.ended(form.dag_id, "lost_record") == "success"
    assert live.job(form.dag_id, "lost_record").klingai_job_id == job.klingai_job_id
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


@FORMS
def test_clearing_a_finished_run_pays_nothing_again(live, sandbox, form):
    assert form.ended(live, "cleared") == "success"
    paid = sandbox.ledger()["spent_units"]
    live.clear(form.dag_id, "cleared", [form.first])
    assert live.ended(form.dag_id, "cleared") == "success"
    assert (len(sandbox.ledger()["tasks"]), sandbox.ledger()["spent_units"]) == (1, paid)
    assert live.job(form.dag_id, "cleared").state is S.COMPLETED
