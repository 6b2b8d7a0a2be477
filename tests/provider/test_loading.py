"""Triggers share one event loop: what takes long to load is loaded beside it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = "airflow_provider_klingvideo.kling.client.client"
LATER = "2100-01-01T00:00:00+00:00"
TRIGGERS = {
    "klingvideo.KlingVideoTaskTrigger": {
        "vendor_task_id": "1",
        "kind": "text_to_video",
        "submitted_at": LATER,
        "deadline": LATER,
    },
    "batch.KlingVideoBatchTrigger": {"followed": [], "queued": [], "board_path": "memory://slots", "until": LATER},
    "slots.KlingVideoSlotTrigger": {
        "job_id": "fox",
        "pack": "video",
        "model": "kling-2.5-turbo",
        "priority": 0,
        "since": 1,
        "until": LATER,
        "board_path": "memory://slots",
        "records_path": "memory://records",
        "revision": 0,
    },
}
PROGRAM = """
import asyncio, importlib, json, sys, threading

_, class_path, arguments, heavy = sys.argv
in_the_loop = []

class Witness:
    def find_spec(self, name, *_):
        if threading.current_thread() is threading.main_thread():
            in_the_loop.append(name)

async def consume(trigger):
    async for _ in trigger.run():
        pass

async def main():
    module, name = class_path.split(".")
    make = getattr(importlib.import_module(f"airflow_provider_klingvideo.triggers.{module}"), name)
    sys.meta_path.insert(0, Witness())
    waiting = asyncio.create_task(consume(make(klingai_conn_id="klingai_default", **json.loads(arguments))))
    while heavy not in sys.modules:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    waiting.cancel()

asyncio.run(main())
print(json.dumps(in_the_loop))
"""


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_what_triggers_need_is_loaded_beside_the_event_loop(trigger, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", "")
    command = [sys.executable, "-c", PROGRAM, trigger, json.dumps(TRIGGERS[trigger]), HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert HEAVY not in json.loads(done.stdout.splitlines()[-1])
