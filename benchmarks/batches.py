"""How long a batch takes on a running Airflow (LocalExecutor, PostgreSQL), beside the time that the slots allow.

.. code-block:: console

    $ make bench-batches                         # 200 videos, 20 slots, 20 seconds each, in every granularity
    $ make bench-storm                           # 50 videos for 5 slots that somebody else holds for a minute
    $ make bench-mapped                          # 1000 videos, mapped, in ten DAG runs
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import figures
import httpx
from chaos.parts import AirflowParts, Sandbox
from chaos.postgres import Postgres
from chaos.responsiveness import Responsiveness
from chaos.run import preload
from live_airflow import ENDED

DAGS = Path(__file__).parent / "dags"
MODES = ("compact", "single", "mapped")
LONGEST_SECONDS = 3 * 3600.0
PAGE = 100
# Between two looks at the pages.
PAUSE = 15.0
LOOK_SECONDS = 2.0
# Where the parts of the fault tests have others.
DEFAULTS = {
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "300",
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "5",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "10",
    "KLINGVIDEO__POLL_MIN_SECONDS": "2",
    "KLINGVIDEO__POLL_MAX_SECONDS": "30",
    "KLINGVIDEO__SLOT_PAUSE_SECONDS": "3",
}


def main() -> None:
    """Run each mode in a fresh DAG run, or in several at once, and print the tables."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="klingvideo-bench-"))
    print(f"All is written to {folder}")
    ideal = options.held + options.jobs / options.slots * options.seconds
    vendor = ["--slots", str(options.slots), "--generation-seconds", str(options.seconds)]
    preload(folder)
    found, watched = {}, {}
    with Postgres() as database, Sandbox(folder, vendor) as sandbox:
        settings = {"CORE__PARALLELISM": str(options.parallelism), **DEFAULTS}
        with AirflowParts(folder, database.url, sandbox.url, dags=DAGS, settings=settings, dag_ids=()) as parts:
            for mode in options.only or MODES:
                sandbox.reset()
                hold(sandbox, options.slots if options.held else 0, options.held)
                watched[mode] = Responsiveness(parts.airflow.url, f"bench_{mode}", "bench-0")
                found[mode] = measured(parts, sandbox, mode, list(_rows(folder, options)), ideal, watched[mode])
    title = f"{options.jobs} videos, {options.slots} slots, {options.seconds:.0f} s each: {ideal:.0f} s at best"
    lines = [[name, *(str(one[name]) for one in found.values())] for name in next(iter(found.values()))]
    pages = [
        figures.Figures(f"Meanwhile, {mode}: seconds", ["", "median", "most"], one.rows())
        for mode, one in watched.items()
    ]
    figures.publish([figures.Figures(title, ["", *found], lines), *pages], options.keep)


def hold(sandbox: Sandbox, slots: int, seconds: float) -> None:
    """Take slots in somebody else's name."""
    headers = {"Authorization": "Bearer sandbox-key"}
    for number in range(slots):
        body = {"prompt": f"Somebody else's {number} [sandbox:slow={seconds}]"}
        url = f"{sandbox.url}/text-to-video/kling-2.5-turbo"
        httpx.post(url, headers=headers, json=body, timeout=30, trust_env=False).raise_for_status()


def measured(
    parts: AirflowParts, sandbox: Sandbox, mode: str, files: list[Path], ideal: float, watched: Responsiveness
) -> dict[str, Any]:
    """Run a batch, a DAG run for each file, and return its figures."""
    dag_id = f"bench_{mode}"
    parts.wait_for_dag(dag_id)
    run_ids = [f"bench-{number}" for number in range(len(files))]
    used, start = parts.processor_seconds(), time.monotonic()
    for run_id, path in zip(run_ids, files, strict=True):
        parts.airflow.trigger(dag_id, run_id, rows=f"file://{path}")
    while not _ended(parts, dag_id) and time.monotonic() - start < LONGEST_SECONDS:
        if time.monotonic() - start > PAUSE * (watched.looks + 1):
            watched.look()
        time.sleep(LOOK_SECONDS)
    seconds, used = time.monotonic() - start, parts.processor_seconds() - used
    ledger = sandbox.ledger()
    instances = [one for run_id in run_ids for one in _instances(parts, dag_id, run_id)]
    creates = Counter({what: count for what, count in ledger["requests"].items() if what.startswith("POST /text")})
    ordered = [task["external_id"] for task in ledger["tasks"] if task["external_id"]]
    return {
        "DAG runs": ", ".join(sorted({parts.airflow.run_state(dag_id, run_id) for run_id in run_ids})),
        "makespan s": round(seconds),
        "makespan / ideal": round(seconds / ideal, 2),
        "processor s": round(used),
        "task instances": len(instances),
        "retries": sum(max(0, one["try_number"] - 1) for one in instances),
        "videos ordered": len(ordered),
        "ordered twice": len(ordered) - len(set(ordered)),
        "most in flight": ledger["max_in_flight_seen"],
        "refused creates": sum(count for what, count in creates.items() if "1303" in what),
        "requests": sum(ledger["requests"].values()),
    }


def _ended(parts: AirflowParts, dag_id: str) -> bool:
    """Whether all runs have ended; when Airflow is too busy to tell, they have not."""
    try:
        runs = parts.airflow.call("GET", f"/dags/{dag_id}/dagRuns?limit={PAGE}")["dag_runs"]
    except (AssertionError, httpx.HTTPError) as error:
        print(f"Airflow did not answer: {error}")
        return False
    return all(run["state"] in ENDED for run in runs)


def _instances(parts: AirflowParts, dag_id: str, run_id: str) -> Iterator[dict[str, Any]]:
    first = 0
    while True:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit={PAGE}&offset={first}"
        page = parts.airflow.call("GET", path)["task_instances"]
        yield from page
        if len(page) < PAGE:
            return
        first += PAGE


def _rows(folder: Path, options: argparse.Namespace) -> Iterator[Path]:
    """Write the rows of each DAG run into a file."""
    lines = [
        json.dumps({"key": f"{number:04}", "prompt": f"Shot {number}", "model": "kling-2.5-turbo"})
        for number in range(options.jobs)
    ]
    for run in range(options.runs):
        path = folder / f"rows-{run}.jsonl"
        path.write_text("\n".join(lines[run :: options.runs]))
        yield path


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200, help="videos (default: %(default)s)")
    parser.add_argument("--slots", type=int, default=20, help="at Kling (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="that a video takes there (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=1, help="DAG runs among which they are shared out")
    parser.add_argument("--held", type=float, default=0, help="seconds for which others hold all slots at first")
    parser.add_argument("--parallelism", type=int, default=16, help="task processes at once (default: %(default)s)")
    parser.add_argument("--only", choices=MODES, action="append", help="this mode; may be given again")
    figures.add_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
