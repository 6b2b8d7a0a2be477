"""What a finished wait costs on a running Airflow: from the trigger's event to the end of the task that goes on.

Our sensor, the same with the provider loaded before tasks are forked (``airflow_local_settings.py``), and an operator
of the usual kind, which only returns the event: ``make bench-resume``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import figures
from chaos.parts import AirflowParts, Sandbox
from chaos.postgres import Postgres
from chaos.run import preload

DAGS = Path(__file__).parent / "dags"
TASKS = {"ours": "videos.jobs.generation", "usual": "generation"}
# Long enough that every job defers.
VENDOR = ["--slots", "100", "--generation-seconds", "60"]
PARSED = "Worker startup parse complete"
ROWS = ("event to the task's process, s", "DAG file read, s", "the task itself, s", "event to the end, s")


def main() -> None:
    """Run each variant, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    figures.add_option(parser)
    keep = parser.parse_args().keep
    found = {**_measured(("ours", "usual")), "ours, loaded before": _measured(("ours",), preloaded=True)["ours"]}
    columns = {name: list(zip(*times, strict=True)) for name, times in found.items()}
    rows = [
        [words, *(f"{statistics.median(of_row[number]):.2f}" for of_row in columns.values())]
        for number, words in enumerate(ROWS)
    ]
    figures.publish([figures.Figures("A finished wait, medians", ["", *found], rows)], keep)


def _measured(variants: tuple[str, ...], *, preloaded: bool = False) -> dict[str, list[tuple[float, ...]]]:
    folder = Path(tempfile.mkdtemp(prefix="klingvideo-bench-"))
    if preloaded:
        preload(folder)
    dag_ids = [f"resume_{name}" for name in variants]
    found = {}
    with (
        Postgres() as database,
        Sandbox(folder, VENDOR) as sandbox,
        AirflowParts(folder, database.url, sandbox.url, dags=DAGS, dag_ids=dag_ids) as parts,
    ):
        for name, dag_id in zip(variants, dag_ids, strict=True):
            parts.airflow.trigger(dag_id, "bench")
            if parts.airflow.ended(dag_id, "bench") != "success":
                raise SystemExit(f"{dag_id} failed, see {folder}")
            logs = folder / "airflow" / "logs" / f"dag_id={dag_id}" / "run_id=bench" / f"task_id={TASKS[name]}"
            found[name] = list(_resumed(logs))
    return found


def _resumed(logs: Path) -> Iterator[tuple[float, ...]]:
    """The times of each mapped task that has gone on after its wait, see :data:`ROWS`."""
    for path in logs.glob("*/attempt=1.log"):
        fired = [
            _at(line)
            for trigger in path.parent.glob(f"{path.name}.trigger.*.log")
            for line in _lines(trigger)
            if line["event"] == "Trigger fired event"
        ]
        if not fired:
            continue
        resumed = [line for line in _lines(path) if _at(line) > fired[0]]
        parsed = next(line for line in resumed if line["event"] == PARSED)
        begin, end = _at(resumed[0]), _at(resumed[-1])
        yield begin - fired[0], parsed["dag_file_parse_ms"] / 1000, end - _at(parsed), end - fired[0]


def _lines(path: Path) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _at(line: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()


if __name__ == "__main__":
    main()
