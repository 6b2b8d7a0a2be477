"""Answers that drip and pauses without an end: no wait outlasts its job's deadline, and nothing is paid twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from workshop import KEY

from airflow_provider_klingvideo.kling import ApiFamily, ApiKeyAuth, AsyncKlingClient, KlingClient, parse_request
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import GenerationWatch, JobStore, PollPolicy, WorkflowEngine, WorkflowJob
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.ordering.paid_once import PaidOnce
from airflow_provider_klingvideo.workflow.ordering.submission import TakeRules, WantedVideo, call_for, ensure_task
from airflow_provider_klingvideo.workflow.waiting import broker, following
from airflow_provider_klingvideo.workflow.waiting.broker import Broker
from airflow_provider_klingvideo.workflow.waiting.following import poll_once
from airflow_provider_klingvideo.workflow.waiting.shared_client import SharedClient
from airflow_provider_klingvideo.workflow.waiting.watch import Outcome, Wait

KIND = "text_to_video"
QUERIES = {"method": "GET", "path": "/tasks"}
DRIP = {"type": "drip", "seconds": 0.2}
"""A byte five times a second: an answer takes more than a minute."""
PAUSE = {"type": "rate_limit", "headers": {"Retry-After": "99999999999"}}
HANGS = 20
POLICY = PollPolicy(min_seconds=0.1, max_seconds=0.3)


@pytest.fixture(scope="module")
def server():
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0.3, slots=100)) as server:
        yield server


@pytest.fixture
def sandbox(server):
    server.reset()
    return server


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """A deadline and what comes after it are a matter of seconds."""
    monkeypatch.setattr(broker, "GRACE", 0.3)
    monkeypatch.setattr(broker, "LAST_QUESTION_SECONDS", 1)
    monkeypatch.setattr(following, "LAST_QUESTION_SECONDS", 1)


def ordered(sandbox, *prompts):
    with KlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
        return [client.create(parse_request({"prompt": one}), external_task_id=one).id for one in prompts]


def watch(task_id, seconds):
    now = datetime.now(UTC)
    deadline = now + timedelta(seconds=seconds)
    return GenerationWatch(task_id, submitted_at=now, deadline=deadline, typical_seconds=0.1, policy=POLICY)


def shared_broker(sandbox):
    @asynccontextmanager
    async def opened():
        async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=sandbox.url, read_attempts=1) as client:
            yield client

    return Broker(SharedClient(opened))


def outcomes(sandbox, followed):
    """How the waits for tasks end; each comes a little later than the one before.

    :param followed: ids of tasks, and the seconds until their deadlines.
    """

    async def run():
        shared = shared_broker(sandbox)
        waits = []
        for task_id, seconds in followed:
            waits.append(asyncio.create_task(shared.follow(watch(task_id, seconds), KIND)))
            await asyncio.sleep(0.3 / len(followed))
        return [one.outcome for one in await asyncio.wait_for(asyncio.gather(*waits), HANGS)]

    return asyncio.run(run())


def struck(sandbox):
    return [rule["struck"] for rule in sandbox.rules()]


def test_a_query_that_drips_holds_nobody_past_his_deadline(sandbox):
    task_ids = ordered(sandbox, "a", "b", "c")
    sandbox.add_rule({"match": QUERIES, "action": DRIP})
    assert outcomes(sandbox, [(one, 0.4) for one in task_ids]) == [Outcome.TIMED_OUT] * 3
    # The shared question, and one that asks about all three for the last time.
    assert 2 <= struck(sandbox)[0] <= 4


def test_a_success_on_the_last_question_wins_though_the_shared_one_is_stuck(sandbox):
    (task_id,) = ordered(sandbox, "a")
    sandbox.add_rule({"match": QUERIES, "action": DRIP, "times": 1})
    assert outcomes(sandbox, [(task_id, 0.6)]) == [Outcome.SUCCEEDED]


def test_who_asks_for_the_last_time_asks_for_all_that_are_late(sandbox):
    task_ids = ordered(sandbox, *"abcdefghijklmnopqrst")
    sandbox.add_rule({"match": QUERIES, "action": DRIP, "times": 1})
    sandbox.add_rule({"match": QUERIES, "action": {"type": "slow", "seconds": 0.1}})
    deadline = datetime.now(UTC) + timedelta(seconds=0.9)
    left = [(one, (deadline - datetime.now(UTC)).total_seconds()) for one in task_ids]
    assert outcomes(sandbox, left) == [Outcome.SUCCEEDED] * len(task_ids)
    assert sum(one["path"].startswith("/tasks") for one in sandbox.requests()) < len(task_ids) / 2


def test_a_stuck_task_among_those_of_the_last_question_times_out_alone(sandbox):
    stuck, good = ordered(sandbox, "x [sandbox:stuck]", "b")
    sandbox.add_rule({"match": QUERIES, "action": DRIP, "times": 1})
    assert outcomes(sandbox, [(stuck, 0.6), (good, 0.6)]) == [Outcome.TIMED_OUT, Outcome.SUCCEEDED]


def test_who_comes_while_a_question_is_stuck_keeps_his_own_deadline(sandbox):
    patient, late = ordered(sandbox, "a", "b")
    sandbox.add_rule({"match": QUERIES, "action": DRIP, "times": 1})

    async def run():
        shared = shared_broker(sandbox)
        waiting = asyncio.create_task(shared.follow(watch(patient, 600), KIND))
        await asyncio.sleep(0.3)
        ended = await asyncio.wait_for(shared.follow(watch(late, 0.5), KIND), HANGS)
        still_waits = not waiting.done()
        waiting.cancel()
        return ended.outcome, still_waits

    assert asyncio.run(run()) == (Outcome.SUCCEEDED, True)


@pytest.mark.parametrize(("times", "outcome"), [(None, Outcome.TIMED_OUT), (1, Outcome.SUCCEEDED)])
def test_a_pause_without_an_end_ends_at_the_deadline(sandbox, times, outcome):
    (task_id,) = ordered(sandbox, "a")
    sandbox.add_rule({"match": QUERIES, "action": PAUSE, "times": times})
    assert outcomes(sandbox, [(task_id, 0.8)]) == [outcome]


def test_a_refused_key_at_the_last_question_is_a_wait_that_has_ended(sandbox):
    (task_id,) = ordered(sandbox, "a")
    sandbox.add_rule({"match": QUERIES, "action": DRIP, "times": 1})
    sandbox.add_rule({"match": QUERIES, "action": {"type": "refuse", "code": 1002}})
    assert outcomes(sandbox, [(task_id, 0.4)]) == [Outcome.TIMED_OUT]


@pytest.mark.parametrize(("seconds", "kind"), [(0.2, Outcome.TIMED_OUT), (30, Wait)])
def test_a_single_question_ends_with_its_deadline(sandbox, seconds, kind):
    (task_id,) = ordered(sandbox, "a [sandbox:stuck]")
    sandbox.add_rule({"match": QUERIES, "action": DRIP if kind is not Wait else PAUSE})

    async def ask():
        async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
            return await asyncio.wait_for(poll_once(client, watch(task_id, seconds), KIND), HANGS)

    decision = asyncio.run(ask())
    assert isinstance(decision, Wait) if kind is Wait else decision.outcome is kind


def test_a_create_whose_answer_drips_is_found_again_and_paid_once(sandbox, tmp_path):
    store = JobStore(tmp_path)
    job = WorkflowJob(id="job-1", prompt="a fox")
    for state in (S.VALIDATED, S.QUEUED, S.GENERATING):
        WorkflowEngine().transition(job, state)
    sandbox.add_rule({"match": {"method": "POST", "path": "/text-to-video/*"}, "action": DRIP})
    request = parse_request({"prompt": job.prompt})

    async def keep(call, token, *, first):
        await asyncio.to_thread(store.save, job)

    async def as_it_is(wanted):
        return wanted.request

    async def submit():
        async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=sandbox.url, timeout=0.5) as client:
            wanted = WantedVideo(request, request, ApiFamily.NEW)
            call = call_for(job, wanted, TakeRules())
            await asyncio.wait_for(ensure_task(client, job, call, wanted, as_it_is, PaidOnce(keep)), HANGS)
            return call

    submission = asyncio.run(submit())
    (task,) = sandbox.ledger()["tasks"]
    assert (submission.task_id, struck(sandbox)) == (task["id"], [1])
    assert store.load("job-1").klingai_job_id == task["id"]
