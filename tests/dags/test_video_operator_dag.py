"""One video in one task, through Airflow: the same records and guarantees as the task group."""

from __future__ import annotations

import re

import pytest

from airflow_provider_klingvideo.workflow import WorkflowState

from .conftest import FOX
from .test_workflow_dag import FILES, creates

pytestmark = pytest.mark.airflow

S = WorkflowState
WAY = [S.CREATED, S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING, S.COMPLETED]
CREATE = {"method": "POST", "path": "/text-to-video/*"}
LIST = {"method": "GET", "path": "/tasks"}
OVERLOADED = {"type": "refuse", "http_status": 503, "code": 5001}
# More often than the client itself tries again.
TIMES = 5


def try_number(run, map_index=-1):
    return run.dag_run.get_task_instance("video", map_index=map_index).try_number


def returned(run):
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        (value,) = session.query(XComModel).filter_by(
            dag_id=run.dag_run.dag_id, run_id=run.dag_run.run_id, task_id="video", key="return_value"
        )
        return XComModel.deserialize_value(value)


def last_asset_event():
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        return session.query(AssetEvent).order_by(AssetEvent.id.desc()).first()


def test_a_video_goes_through_every_state_and_is_told_to_assets_and_later_tasks(airflow, sandbox):
    run = airflow.run("one_task", request=FOX)
    job = run.job()
    assert (run.state, job.path) == ("success", WAY)
    assert {path.name for path in run.store.folder(job.id).iterdir()} == FILES
    assert (returned(run)["id"], returned(run)["processed_url"]) == (job.id, job.processed_url)
    event = last_asset_event()
    assert (event.source_dag_id, event.extra["path"]) == ("one_task", job.processed_url)
    assert (event.extra["klingai_job_id"], event.extra["billed_units"]) == (job.klingai_job_id, "1.5")


def test_of_five_mapped_videos_one_fails_and_one_is_cancelled(airflow, sandbox):
    from airflow_provider_klingvideo.storage.names import job_id

    _, run_id, store = airflow.next_run("one_task_each")
    store.request_cancel(job_id("one_task_each", run_id, "video", 2), "Ann: too expensive")
    requests = [{**FOX, "prompt": f"Shot {number}"} for number in range(5)]
    requests[1]["prompt"] += " [sandbox:fail=Image pixel is invalid]"
    run = airflow.run("one_task_each", requests=requests)
    states = [run.tasks(index, prefix="")["video"] for index in range(5)]
    assert states == ["success", "failed", "skipped", "success", "success"]
    jobs = [run.job(index) for index in range(5)]
    assert [job.state for job in jobs] == [S.COMPLETED, S.FAILED, S.CANCELLED, S.COMPLETED, S.COMPLETED]
    assert "Image pixel is invalid" in jobs[1].error
    assert "Ann: too expensive" in jobs[2].error
    assert len(sandbox.ledger()["tasks"]) == 4


def test_it_waits_deferred_for_a_slot_and_for_kling_and_spends_no_retry(airflow, sandbox, connect, capfd):
    from airflow_provider_klingvideo.kling import ApiKeyAuth, KlingClient, parse_request

    connect(extra={"concurrency_limit": 1})
    sandbox.settings(generation_seconds=3)
    with KlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url) as client:
        client.create(parse_request({"prompt": "someone else's"}), external_task_id="other")
    run = airflow.run("one_task", request=FOX)
    assert (run.state, run.job().path, try_number(run)) == ("success", WAY, 1)
    assert sandbox.ledger()["max_in_flight_seen"] == 1
    waits = re.findall("Waiting, deferred: (.*)", "".join(capfd.readouterr()))
    assert any("1 of 1" in wait or "slot" in wait for wait in waits)
    assert any(f"task {run.job().klingai_job_id} runs at Kling" in wait for wait in waits)


@pytest.mark.scenario(9)
def test_refused_for_want_of_a_slot_it_waits_and_spends_no_retry(airflow, sandbox):
    full = {"type": "refuse", "http_status": 429, "code": 1303, "message": "full"}
    sandbox.add_rule({"match": CREATE, "action": full, "times": 2})
    run = airflow.run("one_task", request=FOX)
    assert (run.state, run.job().path, try_number(run)) == ("success", WAY, 1)
    assert [task["id"] for task in sandbox.ledger()["tasks"]] == [run.job().klingai_job_id]


@pytest.mark.scenario(14)
@pytest.mark.parametrize(
    "moment",
    [
        *("created", "VALIDATED", "QUEUED", "GENERATING", "call_intended", "call_answered", "billed"),
        *("POST_PROCESSING", "COMPLETED"),
    ],
)
def test_killed_at_any_moment_it_goes_on_and_pays_once(airflow, sandbox, killed_at, moment):
    killed_at(moment)
    run = airflow.run("one_task", request=FOX)
    assert (run.state, try_number(run)) == ("success", 2)
    job = run.job()
    assert (job.path, job.revision) == (WAY, 1)
    assert [task["id"] for task in sandbox.ledger()["tasks"]] == [job.klingai_job_id]


@pytest.mark.scenario(13)
@pytest.mark.parametrize(
    "rules",
    [
        [{"match": LIST, "action": OVERLOADED, "times": TIMES}],
        [
            {"match": CREATE, "action": {"type": "drop_after"}, "times": 1},
            {"match": LIST, "action": OVERLOADED, "times": TIMES, "after": 1},
        ],
        [{"match": {"path": "/media/*"}, "action": {"type": "html_media"}, "times": 1}],
    ],
    ids=["validation", "order", "download"],
)
def test_a_try_that_fails_at_any_phase_is_followed_by_one_that_goes_on(airflow, sandbox, rules):
    for rule in rules:
        sandbox.add_rule(rule)
    run = airflow.run("one_task", request=FOX)
    assert (run.state, run.job().path, try_number(run)) == ("success", WAY, 2)
    assert [task["id"] for task in sandbox.ledger()["tasks"]] == [run.job().klingai_job_id]


class TestTheSameRunAgain:
    def test_pays_nothing(self, airflow, sandbox):
        first = airflow.run("one_task", request=FOX)
        again = airflow.run_again("one_task", request=FOX)
        assert (again.state, again.job(), creates(sandbox)) == ("success", first.job(), 1)

    def test_after_the_answer_of_the_order_was_lost_adopts_what_was_paid(self, airflow, sandbox):
        sandbox.add_rule({"match": CREATE, "action": {"type": "drop_after"}, "times": 1})
        sandbox.add_rule({"match": LIST, "action": OVERLOADED, "after": 1})
        lost = airflow.run("one_task", request=FOX)
        assert (lost.state, lost.job().state, lost.job().klingai_job_id) == ("failed", S.GENERATING, None)
        sandbox.clear_rules()
        again = airflow.run_again("one_task", request=FOX)
        assert (again.state, again.job().state, creates(sandbox)) == ("success", S.COMPLETED, 1)
        assert [task["id"] for task in sandbox.ledger()["tasks"]] == [again.job().klingai_job_id]

    def test_with_a_higher_take_orders_another_video_and_keeps_the_first(self, airflow, sandbox):
        first = airflow.run("one_task", request=FOX).job()
        run = airflow.run_again("one_task", request=FOX, take=2)
        again = run.job()
        assert (again.state, again.revision, len(sandbox.ledger()["tasks"])) == (S.COMPLETED, 2, 2)
        assert [call.take for call in again.submissions] == [1, 2]
        assert (run.store.folder(again.id) / f"task-{first.klingai_job_id}" / "master.mp4").exists()
        third = airflow.run_again("one_task", request=FOX, take=2)
        assert (third.job(), len(sandbox.ledger()["tasks"])) == (again, 2)

    def test_with_a_higher_take_after_a_failure_orders_another_video(self, airflow, sandbox):
        sandbox.add_rule({"match": CREATE, "action": {"type": "fail_task"}, "times": 1})
        failed = airflow.run("one_task", request=FOX)
        assert (failed.state, failed.job().state) == ("failed", S.FAILED)
        again = airflow.run_again("one_task", request=FOX, take=2)
        assert (again.state, again.job().state) == ("success", S.COMPLETED)
        assert [call.verdict for call in again.job().submissions] == ["failed", "succeeded"]

    def test_with_another_request_and_a_higher_take_orders_that(self, airflow, sandbox):
        airflow.run("one_task", request=FOX)
        again = airflow.run_again("one_task", request={**FOX, "prompt": "A hare"}, take=2)
        assert (again.state, again.job().prompt, len(sandbox.ledger()["tasks"])) == ("success", "A hare", 2)

    def test_after_a_cancellation_starts_anew(self, airflow, sandbox):
        from airflow_provider_klingvideo.storage.names import job_id

        _, run_id, store = airflow.next_run("one_task")
        store.request_cancel(job_id("one_task", run_id, "video", -1), "Ann: wrong prompt")
        run = airflow.run("one_task", request=FOX)
        assert (run.tasks(prefix="")["video"], run.job().state, creates(sandbox)) == ("skipped", S.CANCELLED, 0)
        again = airflow.run_again("one_task", request=FOX)
        assert (again.job().state, again.job().revision, creates(sandbox)) == (S.COMPLETED, 2, 1)


class TestTheFunctionThatReturnsARequest:
    def test_becomes_one_video_for_each_of_its_arguments(self, airflow, sandbox):
        run = airflow.run("decorated", prompts=["Fox", "none", "Hare"])
        assert [run.tasks(index, prefix="")["video"] for index in range(3)] == ["success", "failed", "success"]
        prompts = [run.job(index).prompt for index in (0, 2)]
        assert [re.sub("call [0-9]+", "call", prompt) for prompt in prompts] == [
            "Fox, call, decorated",
            "Hare, call, decorated",
        ]
        assert len(sandbox.ledger()["tasks"]) == 2

    def test_is_not_called_again_by_the_try_that_goes_on(self, airflow, sandbox, killed_at):
        killed_at("call_answered")
        run = airflow.run("decorated", prompts=["Fox"])
        assert (run.state, try_number(run, 0)) == ("success", 2)
        assert [task["id"] for task in sandbox.ledger()["tasks"]] == [run.job(0).klingai_job_id]
