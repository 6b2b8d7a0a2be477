"""A batch of a thousand videos: Airflow stays usable, and stops when it is told to."""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict

import httpx
import pytest
from live_airflow import until

from .evidence import KEY, request

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

JOBS = 1000
WATCHED_SECONDS = 90
RUN = "/api/v2/dags/batch/dagRuns/thousand"
PAGES = (
    "/ui/grid/structure/batch",
    "/ui/grid/runs/batch",
    "/ui/grid/ti_summaries/batch?run_ids=thousand",
    RUN,
    f"{RUN}/taskInstances?limit=100",
    f"{RUN}/taskInstances?limit=100&task_id={KEY}.generating",
)
IN_HAND = {"running", "queued", "scheduled", "deferred"}


@pytest.mark.scenario(43)
def test_a_thousand_jobs(parts, sandbox):
    airflow = parts.airflow
    airflow.trigger("batch", "thousand", requests=[request(number) for number in range(JOBS)])
    until(lambda: sandbox.ledger()["tasks"], "the first video is ordered")

    seconds: dict[str, list[float]] = defaultdict(list)
    health: Counter[str] = Counter()
    end = time.monotonic() + WATCHED_SECONDS
    with httpx.Client(base_url=airflow.url, timeout=60, trust_env=False) as browser:
        while time.monotonic() < end:
            for page in PAGES:
                asked = time.monotonic()
                assert browser.get(page).status_code == httpx.codes.OK, page
                seconds[page].append(time.monotonic() - asked)
            health[parts.heartbeats()["scheduler"]] += 1
            time.sleep(1)
    assert set(health) == {"healthy"}
    total = airflow.call("GET", "/dags/batch/dagRuns/thousand/taskInstances?limit=1")["total_entries"]
    assert total > JOBS
    print(f"\n{JOBS} jobs, {total} task instances, {len(sandbox.ledger()['tasks'])} videos ordered")
    for page, values in seconds.items():
        print(f"{statistics.median(values):6.2f} s, at most {max(values):5.2f} s  {page}")

    airflow.call("PATCH", "/dags/batch/dagRuns/thousand", state="failed")

    def in_hand() -> int:
        states = "&".join(f"state={state}" for state in IN_HAND)
        found = airflow.call("GET", f"/dags/batch/dagRuns/thousand/taskInstances?limit=1&{states}")
        return int(found["total_entries"])

    until(lambda: in_hand() == 0, "nothing runs any more")
    paid = {task["external_id"] for task in sandbox.ledger()["tasks"]}
    time.sleep(20)
    assert {task["external_id"] for task in sandbox.ledger()["tasks"]} == paid
