"""What waiting for tasks at Kling costs in a triggerer, beside the usual way of one client and one timer for each job.

Each measurement has a process and a sandbox of its own: ``python benchmarks/waiting.py [--quick]``. The sandbox is on
this machine and speaks HTTP without TLS, which flatters whoever opens many connections.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import figures
from waiting_vendor import Vendor, endless_tasks, vendor

PROCESS = Path(__file__).with_name("waiting_process.py")
# Airflow warns when a sleep of 0.1 s has taken longer than 0.2 s.
WARNING_LAG_SECONDS = 0.1

Found = dict[str, float]


@dataclass(frozen=True)
class Scenario:
    """What is measured.

    :param workload: ``finishing`` or ``waiting``.
    :param variants: who is measured.
    :param window: seconds in which CPU time is measured, and as many again for the lag.
    :param spread: seconds over which the tasks are ordered.
    :param generation_seconds: how long a task takes.
    """

    workload: str
    jobs: int
    variants: tuple[str, ...] = ("ours", "usual")
    window: float = 60
    spread: float = 20
    generation_seconds: str = "20-60"

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.jobs} {self.workload}"


FULL = (Scenario("finishing", 200), Scenario("waiting", 1000), Scenario("waiting", 5000, variants=("ours",)))
QUICK = (
    Scenario("finishing", 40, spread=5),
    Scenario("waiting", 100, window=40),
    Scenario("waiting", 500, variants=("ours",), window=40),
)
# Figure -> its words and its format.
ROWS = {
    "requests_per_job_minute": ("requests per job-minute", ".2f"),
    "requests_per_job": ("requests per job", ".2f"),
    "delay_median_s": ("event after the task's end, median s", ".2f"),
    "delay_p95_s": ("event after the task's end, p95 s", ".2f"),
    "delay_max_s": ("event after the task's end, max s", ".2f"),
    "start_s": ("start-up, s", ".2f"),
    "start_cpu_s": ("start-up, CPU s", ".2f"),
    "start_lag_max_s": ("start-up, longest block of the loop, s", ".3f"),
    "cpu_s_per_min": ("steady, CPU s per minute", ".2f"),
    "requests_per_min": ("steady, requests per minute", ".0f"),
    "lag_p99_s": ("steady, loop lag p99, s", ".4f"),
    "lag_max_s": ("steady, loop lag max, s", ".4f"),
    "lost": ("triggers that gave up", ".0f"),
    "rss_mb": ("memory of the triggers, MB", ".1f"),
}


def figures_of(scenario: Scenario, variant: str) -> Found:
    """Measure one variant in a fresh process against a fresh sandbox."""
    with tempfile.TemporaryDirectory(prefix="klingvideo-benchmark-") as folder:
        state = Path(folder, "sandbox.db")
        endless = scenario.workload == "waiting"
        orders = {**asdict(scenario), "variant": variant}
        orders["task_ids"] = endless_tasks(state, scenario.jobs) if endless else []
        with vendor(state, slots=scenario.jobs, generation_seconds=scenario.generation_seconds) as api:
            environment = {"AIRFLOW_HOME": folder, "AIRFLOW_CONN_KLINGAI_DEFAULT": api.connection}
            measured, questions = _measured(orders, environment, api)
            return SUMMARIES[scenario.workload](scenario, measured, questions, api)


def _measured(orders: dict[str, Any], environment: dict[str, str], api: Vendor) -> tuple[dict[str, Any], int]:
    """What the process says of itself, and how often Kling was asked meanwhile."""
    asked: dict[str, int] = {}
    with subprocess.Popen(
        [sys.executable, PROCESS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        process.stdin.write(json.dumps(orders))
        process.stdin.close()
        for line in process.stdout:
            said = json.loads(line)
            if said["what"] == "figures":
                return said["figures"], asked["end"] - asked["begin"]
            asked[said["what"]] = api.questions()
    raise SystemExit(f"The measurement of {orders['variant']} failed")


def _finishing(scenario: Scenario, measured: dict[str, Any], questions: int, api: Vendor) -> Found:
    tasks = {task["id"]: task for task in api.ledger()["tasks"]}
    delays = sorted(at - tasks[task_id]["updated_at"] / 1000 for task_id, at in measured["events"].items())
    minutes = sum(task["updated_at"] - task["created_at"] for task in tasks.values()) / 60_000
    return {
        "requests_per_job_minute": questions / minutes,
        "requests_per_job": questions / scenario.jobs,
        "delay_median_s": statistics.median(delays),
        "delay_p95_s": statistics.quantiles(delays, n=20, method="inclusive")[-1],
        "delay_max_s": delays[-1],
    }


def _waiting(scenario: Scenario, measured: dict[str, Any], questions: int, api: Vendor) -> Found:
    return {**measured, "requests_per_min": questions / scenario.window * 60}


SUMMARIES = {"finishing": _finishing, "waiting": _waiting}


def _ratio(ours: float = 0, usual: float = 0) -> list[str]:
    return [f"{ours / usual:.3f}"] if usual else []


def table(scenario: Scenario, found: dict[str, Found]) -> figures.Figures:
    """Put the figures of a scenario beside one another."""
    rows = []
    for name, (words, form) in ROWS.items():
        values = [one[name] for one in found.values() if name in one]
        if values:
            rows.append([words, *(f"{value:{form}}" for value in values), *_ratio(*values)])
    head = ["", *found, *(["ours/usual"] if len(found) > 1 else [])]
    width = len(head)
    lag = found["ours"].get("lag_p99_s")
    notes = []
    if lag is not None:
        side = "below" if lag < WARNING_LAG_SECONDS else "ABOVE"
        notes = [f"Ours: the lag's p99 is {side} the {WARNING_LAG_SECONDS} s from which Airflow warns."]
    return figures.Figures(scenario.name, head, [[*row, *[""] * (width - len(row))] for row in rows], notes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer jobs and shorter windows, to see that it works")
    parser.add_argument("--only", type=int, metavar="N", help="only the Nth scenario")
    figures.add_option(parser)
    arguments = parser.parse_args()
    # A client for each job has a connection for each job, at either end.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    scenarios = QUICK if arguments.quick else FULL
    tables = []
    for scenario in scenarios[arguments.only - 1 : arguments.only] if arguments.only else scenarios:
        found = {variant: figures_of(scenario, variant) for variant in scenario.variants}
        tables.append(table(scenario, found))
    figures.publish(tables, arguments.keep)


if __name__ == "__main__":
    main()
