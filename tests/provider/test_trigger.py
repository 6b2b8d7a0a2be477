"""The trigger: one event, whatever happens; nothing secret in its arguments."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow_home import connection

from airflow_provider_klingvideo.kling import ApiKeyAuth, KlingClient, parse_request
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.triggers.klingvideo import KlingVideoTaskTrigger
from airflow_provider_klingvideo.workflow import JobStore, WorkflowEngine, WorkflowJob

KIND = "text_to_video"
QUICK = {"typical_seconds": 0.1, "poll_min_seconds": 0.05, "poll_max_seconds": 0.2, "minimum_seconds": 0}


@pytest.fixture(scope="module")
def server():
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0.3)) as server:
        yield server


@pytest.fixture
def sandbox(server, monkeypatch):
    server.reset()
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(server.url))
    return server


def ordered(sandbox, prompt="A fox"):
    with KlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url) as client:
        return client.create(parse_request({"prompt": prompt}), external_task_id=prompt).id


def trigger(task_id, *, seconds=20, **arguments):
    now = datetime.now(UTC)
    return KlingVideoTaskTrigger(
        klingai_conn_id="klingai_default",
        vendor_task_id=task_id,
        kind=KIND,
        submitted_at=now.isoformat(),
        deadline=(now + timedelta(seconds=seconds)).isoformat(),
        **{
            "typical_seconds": 0.1,
            "poll_min_seconds": 0.05,
            "poll_max_seconds": 0.2,
            "minimum_seconds": 0,
            **arguments,
        },
    )


def event(one):
    async def first():
        return [event.payload async for event in one.run()]

    (payload,) = asyncio.run(first())
    return payload


def test_it_comes_back_from_the_database_as_it_was():
    one = trigger("1")
    path, arguments = one.serialize()
    assert path == "airflow_provider_klingvideo.triggers.klingvideo.KlingVideoTaskTrigger"
    assert KlingVideoTaskTrigger(**arguments).serialize() == (path, arguments)
    assert all(isinstance(value, str | int | float | list | None) for value in arguments.values())


@pytest.mark.scenario(47)
def test_a_trigger_of_the_first_version_is_revived():
    arguments = dict.fromkeys(("klingai_conn_id", "vendor_task_id", "kind", "submitted_at", "deadline"), "x")
    assert KlingVideoTaskTrigger(**arguments).poll_max_seconds == 30


def test_no_argument_lies_where_the_triggerer_writes_something_of_its_own():
    from airflow.triggers.base import BaseTrigger

    class Bare(BaseTrigger):
        """A trigger without anything of its own."""

        def serialize(self):
            return "", {}

        async def run(self):
            yield

    _, arguments = trigger("1").serialize()
    assert not arguments.keys() & {*vars(Bare()), *dir(Bare)}


def test_it_asks_about_the_vendors_task_in_a_triggerer_too(sandbox):
    task_id = ordered(sandbox)
    one = trigger(task_id)
    # What the triggerer does to it before it runs.
    one.task_instance = SimpleNamespace(task_id="video.generation")
    payload = event(one)
    assert (payload["outcome"], payload["vendor_task_id"]) == ("succeeded", task_id)
    assert all("generation" not in request["path"] for request in sandbox.requests())


def test_success_carries_no_signed_address(sandbox):
    payload = event(trigger(ordered(sandbox)))
    assert payload["outcome"] == "succeeded"
    assert (payload["bill"]["units"], "?" in payload["video_url"]) == ("4", False)


def test_failure_carries_the_vendors_words(sandbox):
    payload = event(trigger(ordered(sandbox, "x [sandbox:fail=Image pixel is invalid]")))
    assert (payload["outcome"], payload["message"]) == ("failed", "Image pixel is invalid")


@pytest.mark.scenario(23)
def test_the_deadline_is_the_original_one_after_a_restart(sandbox):
    task_id = ordered(sandbox, "x [sandbox:stuck]")
    _, arguments = trigger(task_id, seconds=0.3).serialize()
    assert event(KlingVideoTaskTrigger(**arguments))["outcome"] == "timed_out"


def test_the_event_does_not_come_sooner_than_airflow_can_take_it(sandbox):
    task_id = ordered(sandbox)

    async def run():
        loop = asyncio.get_running_loop()
        start = loop.time()
        await anext(trigger(task_id, minimum_seconds=1).run())
        return loop.time() - start

    assert asyncio.run(run()) >= 1


@pytest.mark.scenario(25)
def test_a_key_that_is_rotated_in_mid_wait_is_read_anew(sandbox, monkeypatch):
    task_id = ordered(sandbox)
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(sandbox.url, password="old-key"))

    async def run():
        waiting = asyncio.ensure_future(anext(trigger(task_id).run()))
        await asyncio.sleep(0.02)
        monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(sandbox.url))
        return (await waiting).payload

    assert asyncio.run(run())["outcome"] == "succeeded"


@pytest.mark.parametrize("fields", [{"password": "wrong"}, {"password": ""}])
def test_a_key_that_stays_wrong_ends_the_wait(sandbox, monkeypatch, fields):
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(sandbox.url, **fields))
    payload = event(trigger("1"))
    assert payload["outcome"] == "lost"
    assert "wrong" not in payload["message"].replace("The key is wrong", "")


def test_an_error_of_our_own_is_an_event_not_a_dead_trigger(sandbox, monkeypatch):
    payload = event(trigger("1", poll_min_seconds="soon"))
    assert payload["outcome"] == "lost"
    assert "TypeError" in payload["message"]


def test_a_kill_asks_nothing_of_the_vendor(sandbox):
    asyncio.run(trigger("867").on_kill())
    assert sandbox.ledger()["requests"] == {}


class TestARunThatAPersonHasEnded:
    """What the triggerer cannot leave to a task, since none follows; a running Airflow shows the rest (tests/live)."""

    def waiting(self, tmp_path, state="GENERATING"):
        job = WorkflowJob(id="job-1", klingai_job_id="867", params={"model": "kling-2.5-turbo"})
        engine = WorkflowEngine()
        for step in ("VALIDATED", "QUEUED", "GENERATING", "POST_PROCESSING")[: STEPS[state]]:
            engine.transition(job, step)
        JobStore(tmp_path).save(job)
        return trigger("867", job_id="job-1", records_path=f"file://{tmp_path}")

    def test_leaves_the_job_abandoned_with_its_handle(self, tmp_path):
        self.waiting(tmp_path)._abandon("the DAG run was ended as failed")
        job = JobStore(tmp_path).load("job-1")
        assert (str(job.state), job.failure["kind"], job.klingai_job_id) == ("FAILED", "abandoned", "867")
        assert "the DAG run was ended as failed; the task 867 at Kling cannot be cancelled" in job.error
        assert job.failure["money"] == "maybe"

    def test_changes_nothing_about_a_job_that_has_gone_on(self, tmp_path):
        self.waiting(tmp_path, "POST_PROCESSING")._abandon("the DAG run was ended as failed")
        assert str(JobStore(tmp_path).load("job-1").state) == "POST_PROCESSING"

    def test_changes_nothing_about_a_job_that_follows_another_task(self, tmp_path):
        self.waiting(tmp_path)
        trigger("868", job_id="job-1", records_path=f"file://{tmp_path}")._abandon("the DAG run was ended as failed")
        assert str(JobStore(tmp_path).load("job-1").state) == "GENERATING"

    def test_a_trigger_that_has_fired_says_nothing(self, sandbox, caplog):
        one = trigger(ordered(sandbox))
        event(one)
        asyncio.run(one.on_kill())
        assert "runs on" not in caplog.text


STEPS = {"GENERATING": 3, "POST_PROCESSING": 4}
