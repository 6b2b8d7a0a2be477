"""A process that runs triggers in one event loop, as the triggerer does, and measures itself.

It reads its orders from stdin and writes JSON to stdout, a line each: ``begin`` and ``end`` of what is measured, and
the figures. ``waiting.py`` starts it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from airflow.triggers.base import BaseTrigger
from usual_trigger import UsualTrigger
from waiting_vendor import CREATE_PATH, KIND, TYPICAL_SECONDS

from airflow_provider_klingvideo.triggers.klingvideo import KlingVideoTaskTrigger

CONNECTION = "klingai_default"
DEADLINE_SECONDS = 7200
GIVE_UP_SECONDS = 300
TICK_SECONDS = 0.01
# The start is over when a second has passed in which less than this share of a core was busy.
CALM_SHARE = 0.25
LONGEST_START_SECONDS = 300

# Logs go to stderr, whoever writes them: they must not come between the lines of JSON.
_report = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

Orders = dict[str, Any]
Figures = dict[str, Any]


def ours(task_id: str, submitted_at: datetime) -> BaseTrigger:
    return KlingVideoTaskTrigger(
        klingai_conn_id=CONNECTION,
        vendor_task_id=task_id,
        kind=KIND,
        submitted_at=submitted_at.isoformat(),
        deadline=(submitted_at + timedelta(seconds=DEADLINE_SECONDS)).isoformat(),
        typical_seconds=TYPICAL_SECONDS,
    )


def usual(task_id: str, submitted_at: datetime) -> BaseTrigger:
    return UsualTrigger(CONNECTION, task_id)


TRIGGERS: dict[str, Callable[[str, datetime], BaseTrigger]] = {"ours": ours, "usual": usual}


def say(what: str, **more: Any) -> None:
    """Tell the process that waits for the figures."""
    print(json.dumps({"what": what, **more}), file=_report, flush=True)


async def event_of(trigger: BaseTrigger) -> tuple[str, float]:
    """The id of the task that a trigger followed, and when it said that the task had succeeded."""
    ((payload, at),) = [(event.payload, time.time()) async for event in trigger.run()]
    if payload["outcome"] != "succeeded":
        raise RuntimeError(f"A trigger reports {payload}")
    return payload["vendor_task_id"], at


async def finishing(orders: Orders) -> Figures:
    """Order tasks one after the other, each with a trigger, and note when the events come."""
    make, pause = TRIGGERS[orders["variant"]], orders["spread"] / orders["jobs"]
    connection = json.loads(os.environ["AIRFLOW_CONN_KLINGAI_DEFAULT"])
    headers = {"Authorization": f"Bearer {connection['password']}"}
    say("begin")
    async with asyncio.timeout(GIVE_UP_SECONDS), httpx.AsyncClient(base_url=connection["host"], headers=headers) as api:
        followers = []
        for number in range(orders["jobs"]):
            response = await api.post(CREATE_PATH, json={"prompt": f"Fox {number}"})
            task_id = response.raise_for_status().json()["data"]["id"]
            followers.append(asyncio.create_task(event_of(make(task_id, datetime.now(UTC)))))
            await asyncio.sleep(pause)
        events = dict(await asyncio.gather(*followers))
    say("end")
    return {"events": events}


@asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """Sleep again and again, and note how late each sleep ends, in seconds; the list is sorted afterwards."""
    lags: list[float] = []
    ticker = asyncio.create_task(_tick(lags))
    yield lags
    ticker.cancel()
    lags.sort()


async def _tick(lags: list[float]) -> None:
    while True:
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        lags.append(time.perf_counter() - due)


def resident_mb() -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else float("nan")


async def busy_seconds(seconds: float) -> float:
    """Let so much time pass; the CPU seconds that the process takes meanwhile, a minute."""
    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    return (time.process_time() - cpu) / (time.perf_counter() - began) * 60


async def calm() -> None:
    """Return when the start is over, or when it seems that it never will be."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_START_SECONDS):
            while await busy_seconds(1) > CALM_SHARE * 60:
                pass


async def waiting(orders: Orders) -> Figures:
    """Follow tasks that do not end, all from the same moment on, as after a restart of the triggerer.

    CPU time and lag have a window each: the ticker alone would take more CPU time than good waiting does.
    """
    make, window = TRIGGERS[orders["variant"]], orders["window"]
    resident, cpu, began = resident_mb(), time.process_time(), time.perf_counter()
    async with ticking() as start_lags:
        now = datetime.now(UTC)
        followers = []
        for task_id in orders["task_ids"]:
            followers.append(asyncio.create_task(event_of(make(task_id, now))))
            # The triggerer, too, lets others run after each.
            await asyncio.sleep(0)
        await calm()
    start = {"start_cpu_s": time.process_time() - cpu, "start_s": time.perf_counter() - began - 1}
    say("begin")
    busy = await busy_seconds(window)
    say("end")
    async with ticking() as lags:
        await asyncio.sleep(window)
    grown = resident_mb() - resident
    return start | {
        "lost": sum(follower.done() and follower.exception() is not None for follower in followers),
        "start_lag_max_s": start_lags[-1],
        "cpu_s_per_min": busy,
        "rss_mb": grown,
        "lag_p99_s": lags[int(len(lags) * 0.99)],
        "lag_max_s": lags[-1],
    }


WORKLOADS: dict[str, Callable[[Orders], Awaitable[Figures]]] = {"finishing": finishing, "waiting": waiting}


async def main() -> None:
    orders = json.load(sys.stdin)
    say("figures", figures=await WORKLOADS[orders["workload"]](orders))


if __name__ == "__main__":
    asyncio.run(main())
