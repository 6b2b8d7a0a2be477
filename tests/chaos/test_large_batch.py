"""A thousand mapped videos: Airflow stays usable, and stops when it is told to."""

from __future__ import annotations

import time

import httpx
import pytest
from live_airflow import ENDED, until

from .evidence import request
from .responsiveness import Responsiveness

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

# A scheduler looks at a run as a whole: a hundred mapped jobs cost it seconds, a thousand of one run a minute and more.
RUNS, JOBS = 10, 100
WATCHED_SECONDS = 75
QUIET_SECONDS = 15
RUN_IDS = [f"large-{number}" for number in range(RUNS)]
IN_HAND = "state=running&state=queued&state=scheduled&state=deferred"


@pytest.mark.scenario(43)
def test_a_thousand_jobs(parts, sandbox):
    airflow = parts.airflow

    def trigger(run_number: int) -> None:
        numbers = range(run_number * JOBS, (run_number + 1) * JOBS)
        airflow.trigger("batch", RUN_IDS[run_number], requests=[request(number) for number in numbers])

    def instances(query: str, run_id: str = "~") -> int:
        return int(airflow.call("GET", f"/dags/batch/dagRuns/{run_id}/taskInstances?limit=1&{query}")["total_entries"])

    trigger(0)
    until(lambda: sandbox.ledger()["tasks"], "the first video is ordered")
    for number in range(1, RUNS):
        trigger(number)
    watched = Responsiveness(airflow.url, "batch", RUN_IDS[0])
    end = time.monotonic() + WATCHED_SECONDS
    while time.monotonic() < end:
        watched.look()
        time.sleep(1)
    total, done = instances(""), instances("state=success")
    print(f"\n{RUNS * JOBS} jobs, {total} task instances, {done} done, {len(sandbox.ledger()['tasks'])} videos ordered")
    print(f"{watched.heartbeats} heartbeats of the scheduler in {WATCHED_SECONDS} s; seconds, median and most:")
    for name, median, most in watched.rows():
        print(f"{median:>6} {most:>6}  {name}")

    def is_marked(run_id: str) -> bool:
        # The scheduler may hold the rows: then a person presses the button once more.
        answer = httpx.patch(f"{airflow.url}/api/v2/dags/batch/dagRuns/{run_id}", json={"state": "failed"}, timeout=60)
        return answer.is_success

    def is_over(run_id: str) -> bool:
        return airflow.run_state("batch", run_id) in ENDED and not instances(IN_HAND, run_id)

    def are_over() -> bool:
        # After a deadlock the scheduler repeats its work, and writes a run that was marked meanwhile as running again.
        left = [run_id for run_id in RUN_IDS if not is_over(run_id)]
        return not [is_marked(run_id) for run_id in left]

    for run_id in RUN_IDS:
        until(lambda run_id=run_id: is_marked(run_id), f"{run_id} is marked as failed")
    until(are_over, "nothing runs any more")
    paid = {task["external_id"] for task in sandbox.ledger()["tasks"]}
    time.sleep(QUIET_SECONDS)
    assert {task["external_id"] for task in sandbox.ledger()["tasks"]} == paid
    assert done
    assert set(watched.answers) == {httpx.codes.OK}
    assert watched.heartbeats > 2, "the scheduler stood still"
