"""Waiting for a slot goes on through the trouble of others: Kling's, and that of the board."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_klingvideo.kling import ApiKeyAuth, AsyncKlingClient
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow.gates import waiting_room
from airflow_provider_klingvideo.workflow.gates.slots.queue import SlotQueue
from airflow_provider_klingvideo.workflow.gates.slots.slots import Place, SlotBoard, SlotRules, Slots, Standing
from airflow_provider_klingvideo.workflow.waiting.shared_client import SharedClient

PLACE = Place("fox", "video", "kling-3.0", since=1)


@pytest.fixture(scope="module")
def server():
    with SandboxServer(SandboxSettings()) as server:
        yield server


@pytest.fixture
def sandbox(server):
    server.reset()
    return server


def granted(sandbox, slots):
    """Whether the place has its slot after a wait of up to 20 seconds."""

    async def run():
        async with AsyncKlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url, read_attempts=1) as client:
            queue = SlotQueue(SharedClient.of(client), slots, pause=0.05, on_look=lambda pack, in_flight: None)
            await queue.wait(PLACE, 20)

    asyncio.run(run())
    return slots().standing(PLACE) is Standing.CLAIMED


def test_the_vendors_trouble_is_waited_out(sandbox, tmp_path):
    refused = {"type": "refuse", "http_status": 500, "code": 5000}
    sandbox.add_rule({"match": {"path": "/tasks"}, "action": refused, "times": 2})
    slots = Slots(SlotBoard(tmp_path), SlotRules(1))
    assert granted(sandbox, lambda: slots)
    assert [rule["struck"] for rule in sandbox.rules()] == [2]


def test_a_board_that_cannot_be_read_is_waited_out(sandbox, tmp_path):
    slots, faults = Slots(SlotBoard(tmp_path), SlotRules(1)), [OSError("the store is away")] * 2

    def slots_once_the_store_is_back():
        if faults:
            raise faults.pop()
        return slots

    assert granted(sandbox, slots_once_the_store_is_back)
    assert not faults


ENDLESS_PAUSE = {"type": "rate_limit", "headers": {"Retry-After": "99999999999"}}
ENDLESS_DRIP = {"type": "drip", "seconds": 0.2}
LOOKS = {"method": "POST", "path": "/tasks"}


def test_a_pause_that_kling_asks_for_holds_nobody_up_for_long(sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr(waiting_room, "LONGEST_PAUSE", 0.1)
    sandbox.add_rule({"match": LOOKS, "action": ENDLESS_PAUSE, "times": 2})
    slots = Slots(SlotBoard(tmp_path), SlotRules(1))
    assert granted(sandbox, lambda: slots)


@pytest.mark.parametrize("fault", [ENDLESS_PAUSE, ENDLESS_DRIP], ids=["pause", "drip"])
def test_a_look_that_is_held_up_holds_nobody_longer_than_he_would_wait(sandbox, tmp_path, fault):
    sandbox.add_rule({"match": LOOKS, "action": fault})
    slots = Slots(SlotBoard(tmp_path), SlotRules(1))

    async def run():
        async with AsyncKlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url, read_attempts=1) as client:
            queue = SlotQueue(SharedClient.of(client), lambda: slots, pause=0.05, on_look=lambda pack, in_flight: None)
            first = asyncio.create_task(queue.wait(PLACE, 0.4))
            await asyncio.sleep(0.2)
            # Somebody comes while the look is held up, and somebody leaves.
            leaving = asyncio.create_task(queue.wait(PLACE, 600))
            await asyncio.sleep(0)
            leaving.cancel()
            await queue.wait(PLACE, 0.4)
            await asyncio.gather(first, leaving, return_exceptions=True)
        return leaving.cancelled()

    assert asyncio.run(asyncio.wait_for(run(), 15))
