"""Shared polling: one loop asks for all, with few requests; nobody suffers from another's leaving or failing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_klingvideo.kling import ApiKeyAuth, AsyncKlingClient, KlingClient, parse_request
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import GenerationWatch, PollPolicy
from airflow_provider_klingvideo.workflow.waiting.broker import Broker
from airflow_provider_klingvideo.workflow.waiting.shared_client import SharedClient
from airflow_provider_klingvideo.workflow.waiting.timings import Timings
from airflow_provider_klingvideo.workflow.waiting.watch import Outcome

KEY = "sandbox-key"
KIND = "text_to_video"
TALK = {"avatar_id": "avatar_mia_female", "script": "Hello"}
POLICY = PollPolicy(min_seconds=0.1, max_seconds=0.3, max_errors=5)


@pytest.fixture(scope="module")
def server():
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0.5, slots=5000)) as server:
        yield server


@pytest.fixture
def sandbox(server):
    server.reset()
    return server


def ordered(sandbox, count, prompt="A fox", **request):
    with KlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
        asked = parse_request({**({"prompt": prompt} if prompt else {}), **request})
        return [client.create(asked, external_task_id=f"{prompt}-{one}").id for one in range(count)]


def watch(task_id, *, seconds=20.0, typical=0.1, policy=POLICY):
    now = datetime.now(UTC)
    return GenerationWatch(
        task_id, submitted_at=now, deadline=now + timedelta(seconds=seconds), typical_seconds=typical, policy=policy
    )


class Opened(SharedClient):
    """Counts how often a client was opened and closed."""

    def __init__(self, url, keys=(KEY,)):
        super().__init__(self._open_counted)
        self.url = url
        self.keys = list(keys)
        self.opened = self.closed = 0

    @asynccontextmanager
    async def _open_counted(self):
        self.opened += 1
        key = self.keys[min(self.opened, len(self.keys)) - 1]
        async with AsyncKlingClient(ApiKeyAuth(key), base_url=self.url, read_attempts=1) as client:
            yield client
        self.closed += 1


def questions(sandbox):
    """What was asked about tasks: the queries by id, and the listings."""
    asked = [one for one in sandbox.requests() if one["path"].startswith("/tasks")]
    return [one["method"] for one in asked]


async def all_followed(broker, task_ids, **how):
    return await asyncio.gather(*(broker.follow(watch(one, **how), KIND) for one in task_ids))


def test_hundreds_are_asked_for_together_and_by_one_client(sandbox):
    task_ids = ordered(sandbox, 200)
    client = Opened(sandbox.url)
    ended = asyncio.run(all_followed(Broker(client), task_ids))
    assert {one.outcome for one in ended} == {Outcome.SUCCEEDED}
    assert (client.opened, client.closed) == (1, 1)
    assert len(questions(sandbox)) < 20


def test_a_few_are_asked_for_by_their_ids(sandbox):
    task_ids = ordered(sandbox, 3)
    asyncio.run(all_followed(Broker(Opened(sandbox.url)), task_ids))
    assert set(questions(sandbox)) == {"GET"}


def test_what_a_long_listing_does_not_name_is_asked_for_by_ids(sandbox, monkeypatch):
    task_ids = ordered(sandbox, 45)
    monkeypatch.setattr(AsyncKlingClient, "pages", _no_pages)
    ended = asyncio.run(all_followed(Broker(Opened(sandbox.url)), task_ids))
    assert {one.outcome for one in ended} == {Outcome.SUCCEEDED}


async def _no_pages(self, shelf, since):
    yield []


def test_a_waiter_that_leaves_does_not_disturb_the_others(sandbox):
    first, second = ordered(sandbox, 2)

    async def run():
        broker = Broker(Opened(sandbox.url))
        leaving = asyncio.create_task(broker.follow(watch(first), KIND))
        staying = asyncio.create_task(broker.follow(watch(second), KIND))
        await asyncio.sleep(0.05)
        leaving.cancel()
        return await staying

    assert asyncio.run(run()).outcome is Outcome.SUCCEEDED


def test_after_the_last_one_has_left_the_next_one_is_served(sandbox):
    first, second = ordered(sandbox, 2)

    async def run():
        client = Opened(sandbox.url)
        broker = Broker(client)
        leaving = asyncio.create_task(broker.follow(watch(first), KIND))
        await asyncio.sleep(0.2)
        leaving.cancel()
        await asyncio.sleep(0)
        ended = await broker.follow(watch(second), KIND)
        await asyncio.sleep(0.1)
        return ended.outcome, client.opened - client.closed

    assert asyncio.run(run()) == (Outcome.SUCCEEDED, 0)


def test_two_that_wait_for_the_same_task_both_hear_of_its_end(sandbox):
    task_ids = ordered(sandbox, 30)
    ended = asyncio.run(all_followed(Broker(Opened(sandbox.url)), [*task_ids, *task_ids]))
    assert {one.outcome for one in ended} == {Outcome.SUCCEEDED}


def test_an_error_of_one_batch_is_the_trouble_of_that_batch_alone(sandbox):
    good = ordered(sandbox, 1)
    solution = ordered(sandbox, 1, "", kind="talking_agent", **TALK)
    sandbox.add_rule({"match": {"method": "GET", "path": "/solutions"}, "action": {"type": "refuse", "code": 5000}})

    async def run():
        broker = Broker(Opened(sandbox.url))
        quick = PollPolicy(min_seconds=0.05, max_seconds=0.05, max_errors=3)
        waiting = broker.follow(watch(solution[0], policy=quick), "talking_agent")
        return [one.outcome for one in await asyncio.gather(broker.follow(watch(good[0]), KIND), waiting)]

    assert asyncio.run(run()) == [Outcome.SUCCEEDED, Outcome.LOST]


def test_a_refused_key_is_read_anew_and_the_wait_goes_on(sandbox):
    (task_id,) = ordered(sandbox, 1)
    client = Opened(sandbox.url, keys=["old-key", KEY])
    (ended,) = asyncio.run(all_followed(Broker(client), [task_id]))
    assert (ended.outcome, client.opened) == (Outcome.SUCCEEDED, 2)


def test_a_deadline_ends_the_wait_of_its_own_task_only(sandbox):
    (stuck,) = ordered(sandbox, 1, "x [sandbox:stuck]")
    (good,) = ordered(sandbox, 1)

    async def run():
        broker = Broker(Opened(sandbox.url))
        both = await asyncio.gather(broker.follow(watch(stuck, seconds=0.4), KIND), broker.follow(watch(good), KIND))
        return [one.outcome for one in both]

    assert asyncio.run(run()) == [Outcome.TIMED_OUT, Outcome.SUCCEEDED]


def test_an_unknown_product_is_told(sandbox):
    ended = asyncio.run(Broker(Opened(sandbox.url)).follow(watch("1"), "hologram"))
    assert (ended.outcome, "hologram" in ended.message) == (Outcome.LOST, True)


def test_who_looked_for_slots_tells_what_has_ended(sandbox):
    (task_id,) = ordered(sandbox, 1)
    patient = PollPolicy(min_seconds=0.1, max_seconds=60)

    async def run():
        client = Opened(sandbox.url)
        broker = Broker(client)
        waiting = asyncio.create_task(broker.follow(watch(task_id, typical=600, policy=patient), KIND))
        async with client.held():
            while not waiting.done():
                broker.hear_of_running("video", await (await client.get()).in_flight("video"))
                await asyncio.sleep(0.1)
        return await waiting

    assert asyncio.run(asyncio.wait_for(run(), 10)).outcome is Outcome.SUCCEEDED


def test_a_look_for_slots_of_another_pack_tells_nothing(sandbox):
    (task_id,) = ordered(sandbox, 1)
    patient = PollPolicy(min_seconds=0.1, max_seconds=60)

    async def run():
        client = Opened(sandbox.url)
        broker = Broker(client)
        waiting = asyncio.create_task(broker.follow(watch(task_id, typical=600, policy=patient), KIND))
        async with client.held():
            broker.hear_of_running("video", await (await client.get()).in_flight("video"))
        broker.hear_of_running("image", [])
        asked = questions(sandbox)
        await asyncio.sleep(0.5)
        assert questions(sandbox) == asked
        while not waiting.done():
            broker.hear_of_running("video", [])
            await asyncio.sleep(0.1)
        return await waiting

    assert asyncio.run(asyncio.wait_for(run(), 10)).outcome is Outcome.SUCCEEDED


def test_a_fault_that_nobody_foresaw_is_survived(sandbox, monkeypatch):
    task_ids, faults, get_tasks = (
        ordered(sandbox, 2),
        [ValueError("odd"), ValueError("odder")],
        AsyncKlingClient.get_tasks,
    )

    async def get_tasks_at_last(self, *arguments, **options):
        if faults:
            raise faults.pop()
        return await get_tasks(self, *arguments, **options)

    monkeypatch.setattr(AsyncKlingClient, "get_tasks", get_tasks_at_last)
    ended = asyncio.run(all_followed(Broker(Opened(sandbox.url)), task_ids))
    assert ([one.outcome for one in ended], faults) == ([Outcome.SUCCEEDED] * 2, [])


def test_an_answer_that_makes_no_sense_ends_the_wait_of_its_own_task_only(sandbox):
    odd, good = ordered(sandbox, 2)

    class OddTimings(Timings):
        def window(self, timing):
            raise ValueError("no such timing")

    async def run():
        broker = Broker(Opened(sandbox.url), OddTimings())
        return await asyncio.gather(broker.follow(watch(odd), KIND, "fox"), broker.follow(watch(good), KIND))

    lost, succeeded = asyncio.run(run())
    assert (lost.outcome, lost.message) == (Outcome.LOST, "ValueError: no such timing")
    assert succeeded.outcome is Outcome.SUCCEEDED


def test_what_has_ended_tells_when_the_others_are_due(sandbox):
    timings = Timings()
    task_ids = ordered(sandbox, 4)

    async def run():
        broker = Broker(Opened(sandbox.url), timings)
        await asyncio.gather(*(broker.follow(watch(one), KIND, "fox") for one in task_ids))

    asyncio.run(run())
    earliest, latest = timings.window("fox")
    assert 0.3 < earliest <= latest < 2


class TestTimings:
    def test_they_are_kept_for_other_processes(self, tmp_path):
        for seconds in (20, 22, 30):
            Timings(tmp_path).keep("fox", seconds)
        assert Timings(tmp_path).load("fox") == pytest.approx((18, 33))

    def test_too_few_tell_nothing(self, tmp_path):
        Timings(tmp_path).keep("fox", 20)
        assert Timings(tmp_path).load("fox") is None

    def test_one_that_hung_does_not_widen_the_window(self):
        timings = Timings()
        for seconds in [*range(20, 40), 3600]:
            timings.add("fox", seconds)
        assert timings.window("fox")[1] < 100

    def test_only_the_last_ones_count(self):
        timings = Timings()
        for seconds in [100.0] * 50 + [10.0] * 40:
            timings.add("fox", seconds)
        assert timings.window("fox") == pytest.approx((9, 11))

    def test_a_file_that_cannot_be_read_counts_as_none(self, tmp_path):
        (tmp_path / "fox.json").write_text("no JSON")
        assert Timings(tmp_path).load("fox") is None
