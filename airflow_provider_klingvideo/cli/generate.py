"""``klingvideo generate``: the videos of a file, without a scheduler."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.runtime.options import ON_INVALID_ROWS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState

SUMMARY = "make the videos of a CSV, JSONL, JSON or Parquet file, in this process"
DESCRIPTION = """Make the videos that a file asks for, one row each, in this process: the same states, records and
guarantees as in Airflow, without a scheduler. Interrupted and run again, it goes on where it was; nothing is paid
twice. Run again with an edited file, it makes only what is new, changed or had failed.

The connection is Airflow's: AIRFLOW_CONN_KLINGAI_DEFAULT in the environment, or the database.
All rows are checked before the first is ordered. When one cannot be ordered, none is; with --on-invalid-rows skip such
rows are left out.
Exit code: 0 when every video that was ordered is COMPLETED, 3 when the connection cannot be used, 1 otherwise.

Example: klingvideo generate prompts.csv --output-path videos"""

INTERVAL = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("source", help="path or URI of the file; a column 'key' names each row")
    parser.add_argument("--output-path", help="folder for records and videos; default: [klingvideo] output_path")
    parser.add_argument("--batch", help="names the batch (default: the file's name)")
    parser.add_argument(
        "--render-plan",
        metavar="FILE",
        help="JSON of what is made of each video; default: [klingvideo] render_plan",
    )
    parser.add_argument(
        "--on-invalid-rows",
        choices=ON_INVALID_ROWS,
        default="refuse",
        help="when rows cannot be ordered: refuse the file, or skip these rows (default: %(default)s)",
    )
    parser.add_argument("--conn-id", default="klingai_default", help="the connection (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Make the videos, show how far they are, and say what became of them."""
    import asyncio

    from airflow_provider_klingvideo.cli.console import PlainConsole
    from airflow_provider_klingvideo.runtime.batches.local import LocalBatch
    from airflow_provider_klingvideo.runtime.configuration import log_to_standard_error, table_limits
    from airflow_provider_klingvideo.runtime.connections.finding import look_in_the_database
    from airflow_provider_klingvideo.runtime.paths import open_path
    from airflow_provider_klingvideo.workflow.batch.judge import REFUSED
    from airflow_provider_klingvideo.workflow.batch.tables.content import content_of

    log_to_standard_error()
    look_in_the_database()
    console = PlainConsole()
    source = open_path(arguments.source)
    name = arguments.batch or PurePosixPath(source.name).stem
    plan = arguments.render_plan and content_of(open_path(arguments.render_plan), table_limits())
    text = plan and plan.decode("utf-8-sig", "replace")
    batch = LocalBatch(arguments.conn_id, arguments.output_path, name, text, arguments.on_invalid_rows)
    jobs = batch.load(arguments.source)
    with _Screen(console, jobs) as screen:
        summary = asyncio.run(batch.make(screen.show, screen.show_rendering))
    for job in jobs:
        if job.error:
            console.print(f"{job.state}  {job.id}  {job.error}")
    for index, reason in batch.refused.items():
        console.print(f"{REFUSED}  {batch.rows[index].place}  {batch.rows[index].key}  {reason}")
    counts = ", ".join(f"{count} {state}" for state, count in sorted(summary["states"].items()))
    console.print(f"{counts or 'No rows: there is nothing to do'}. Manifest: {summary['manifest']}", soft_wrap=True)
    return 0 if set(summary["states"]) <= {"COMPLETED", REFUSED} else 1


class _Screen:
    """Shows how many jobs are in which state, and how far renderings are: as bars, or on a log line by line."""

    def __init__(self, console: Console, jobs: list[WorkflowJob]) -> None:
        self._console = console
        self._states = {job.id: str(job.state) for job in jobs}
        self._ended = sum(job.is_terminal for job in jobs)
        self._told = 0.0
        self._progress = _bars(console)
        self._jobs = self._progress.add_task(
            self._words(), total=len(jobs), completed=self._ended, figure=self._figure()
        )
        self._renderings: dict[str, TaskID] = {}

    def __enter__(self) -> _Screen:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def show(self, job: WorkflowJob, _old: WorkflowState, new: WorkflowState) -> None:
        self._states[job.id] = str(new)
        self._ended += job.is_terminal
        self._progress.update(self._jobs, completed=self._ended, description=self._words(), figure=self._figure())
        if rendering := self._renderings.pop(job.id, None):
            self._progress.remove_task(rendering)
        if not self._console.is_terminal and time.monotonic() - self._told > INTERVAL:
            self._told = time.monotonic()
            self._console.print(f"{self._ended} of {len(self._states)} ended: {self._words()}")

    def show_rendering(self, job: WorkflowJob, share: float) -> None:
        if job.id not in self._renderings:
            self._renderings[job.id] = self._progress.add_task(f"rendering {job.id}", total=1, figure="0%")
        self._progress.update(self._renderings[job.id], completed=share, figure=f"{share:.0%}")

    def _figure(self) -> str:
        return f"{self._ended}/{len(self._states)}"

    def _words(self) -> str:
        counts: dict[str, Any] = Counter(self._states.values())
        return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _bars(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TextColumn("{task.fields[figure]:>7}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    return Progress(*columns, console=console)
