"""Waiting for a slot goes on through the trouble of others: the vendor's, and that of the board."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_klingvideo.kling import ApiKeyAuth, AsyncKlingClient
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow.gates.slot_queue import SlotQueue
from airflow_provider_klingvideo.workflow.gates.slots import Place, SlotBoard, SlotRules, Slots, Standing
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
