"""The triggers that wait for slots and for batches: one event, nothing secret, nothing ordered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from airflow_home import connection

from airflow_provider_klingvideo.kling import ApiKeyAuth, KlingClient, parse_request
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.triggers.batch import KlingVideoBatchTrigger
from airflow_provider_klingvideo.triggers.slots import KlingVideoSlotTrigger
from airflow_provider_klingvideo.workflow import JobStore
from airflow_provider_klingvideo.workflow.gates.slots.board import SlotBoard
from airflow_provider_klingvideo.workflow.gates.slots.notices import Notice

MODEL = "kling-2.5-turbo"
CONN = "klingai_default"


@pytest.fixture(scope="module")
def server():
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0.5)) as server:
        yield server


@pytest.fixture
def sandbox(server, monkeypatch):
    server.reset()
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN.upper()}", connection(server.url, extra={"concurrency_limit": 1}))
    return server


def later(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def ordered(sandbox, name="others"):
    with KlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url) as client:
        return client.create(parse_request({"prompt": "A fox", "model": MODEL}), external_task_id=name).id


def slot_trigger(folder, job_id="fox", *, store="file://", seconds=20.0, since=1.0, **arguments):
    return KlingVideoSlotTrigger(
        klingai_conn_id=CONN,
        job_id=job_id,
        pack="video",
        model=MODEL,
        since=since,
        until=later(seconds),
        board_path=f"{store}{folder}/slots",
        records_path=f"{store}{folder}/records",
        **{"pause_seconds": 0.1, "minimum_seconds": 0, **arguments},
    )


def batch_trigger(folder, *task_ids, queued=(), seconds=20.0, **arguments):
    return KlingVideoBatchTrigger(
        klingai_conn_id=CONN,
        followed=[
            {
                "task_id": task_id,
                "kind": "text_to_video",
                "submitted_at": later(0),
                "deadline": later(20),
                "window": [0.1, 0.2],
                "timing": "fox",
            }
            for task_id in task_ids
        ],
        queued=list(queued),
        board_path=f"file://{folder}/slots",
        until=later(seconds),
        **{
            "linger_seconds": 5,
            "pause_seconds": 0.1,
            "poll_min_seconds": 0.05,
            "poll_max_seconds": 0.2,
            "minimum_seconds": 0,
            **arguments,
        },
    )


async def payload(trigger):
    return [event.payload async for event in trigger.run()]


def seconds_until(trigger, limit=10):
    async def run():
        start = asyncio.get_running_loop().time()
        async with asyncio.timeout(limit):
            assert len(await payload(trigger)) == 1
        return asyncio.get_running_loop().time() - start

    return asyncio.run(run())


@pytest.mark.parametrize("make", [slot_trigger, batch_trigger])
def test_it_comes_back_from_the_database_as_it_was(make, tmp_path):
    one = make(tmp_path)
    path, arguments = one.serialize()
    assert path == f"{type(one).__module__}.{type(one).__qualname__}"
    assert type(one)(**arguments).serialize() == (path, arguments)


@pytest.mark.parametrize("make", [slot_trigger, batch_trigger])
def test_no_argument_lies_where_the_triggerer_writes_something_of_its_own(make, tmp_path):
    from airflow.triggers.base import BaseTrigger

    class Bare(BaseTrigger):
        """A trigger without anything of its own."""

        def serialize(self):
            return "", {}

        async def run(self):
            yield

    _, arguments = make(tmp_path).serialize()
    assert not arguments.keys() & {*vars(Bare()), *dir(Bare)}


class TestSlots:
    def test_it_waits_until_others_have_left(self, sandbox, tmp_path):
        sandbox.settings(generation_seconds=1)
        ordered(sandbox)
        assert seconds_until(slot_trigger(tmp_path)) >= 0.8
        assert [one.subject for one in SlotBoard(tmp_path / "slots").read() if one.what == "claim"] == ["fox"]
        assert len(sandbox.ledger()["tasks"]) == 1

    def test_its_board_may_lie_behind_a_connection(self, sandbox, bucket):
        assert seconds_until(slot_trigger(f"{bucket.uri}/videos", store="")) < 8
        assert [Notice.of(key).subject for key in bucket.keys("videos/slots/") if key.startswith("claim")] == ["fox"]

    def test_of_several_one_goes_at_a_time_by_priority_then_age(self, sandbox, tmp_path):
        # Until all have come, somebody else holds the slot.
        sandbox.settings(generation_seconds=2)
        ordered(sandbox)
        waiting = {
            "young": slot_trigger(tmp_path, "young", since=3),
            "old": slot_trigger(tmp_path, "old", since=1),
            "urgent": slot_trigger(tmp_path, "urgent", since=9, priority=5),
        }
        board = SlotBoard(tmp_path / "slots")

        async def run():
            left = {asyncio.create_task(payload(one)): name for name, one in waiting.items()}
            order = []
            while left:
                done, _ = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED, timeout=10)
                assert len(done) == 1
                order.append(left.pop(done.pop()))
                board.take_down(one for one in board.read() if one.subject == order[-1])
            return order

        assert asyncio.run(run()) == ["urgent", "old", "young"]

    @pytest.mark.scenario(8)
    def test_a_person_cancels(self, sandbox, tmp_path):
        sandbox.settings(generation_seconds=60)
        ordered(sandbox)
        JobStore(tmp_path / "records").request_cancel("fox", "Ann: too expensive")
        assert seconds_until(slot_trigger(tmp_path)) < 5

    def test_the_time_is_over(self, sandbox, tmp_path):
        sandbox.settings(generation_seconds=60)
        ordered(sandbox)
        assert 0.3 <= seconds_until(slot_trigger(tmp_path, seconds=0.4)) < 5

    def test_a_refused_key_lets_the_task_look_for_itself(self, sandbox, tmp_path, monkeypatch):
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN.upper()}", connection(sandbox.url, password="wrong"))
        assert seconds_until(slot_trigger(tmp_path)) < 5

    def test_the_event_does_not_come_sooner_than_airflow_can_take_it(self, sandbox, tmp_path):
        assert seconds_until(slot_trigger(tmp_path, minimum_seconds=1)) >= 1


class TestBatches:
    def test_the_first_end_wakes_it_and_others_that_end_soon_are_waited_for(self, sandbox, tmp_path):
        first = ordered(sandbox, "first")
        sandbox.settings(generation_seconds=1.5, slots=9)
        second = ordered(sandbox, "second")
        assert 1.2 <= seconds_until(batch_trigger(tmp_path, first, second)) < 5

    def test_it_does_not_linger_while_jobs_wait_for_its_slot(self, sandbox, tmp_path):
        first = ordered(sandbox, "first")
        sandbox.settings(generation_seconds=60, slots=9)
        second = ordered(sandbox, "second")
        place = {"job_id": "fox", "pack": "video", "model": MODEL, "priority": 0, "since": 1.0}
        assert seconds_until(batch_trigger(tmp_path, first, second, queued=[place])) < 4

    def test_a_free_slot_wakes_it(self, sandbox, tmp_path):
        place = {"job_id": "fox", "pack": "video", "model": MODEL, "priority": 0, "since": 1.0}
        assert seconds_until(batch_trigger(tmp_path, queued=[place])) < 4

    def test_its_time_wakes_it(self, sandbox, tmp_path):
        sandbox.settings(generation_seconds=60)
        assert seconds_until(batch_trigger(tmp_path, ordered(sandbox), seconds=0.5, linger_seconds=0)) < 4
