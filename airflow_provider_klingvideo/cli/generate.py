"""``klingvideo generate``: one video, or those of a file, without a scheduler."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.cli.output import TABLE, add_output, print_data, print_event, table_of
from airflow_provider_klingvideo.runtime.options import ON_INVALID_ROWS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from airflow_provider_klingvideo.runtime.batches.local import LocalBatch, PlannedRow
    from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState

SUMMARY = "make one video, or those of a CSV, JSONL, JSON or Parquet file, in this process"
DESCRIPTION = """Make the videos that a file asks for, one row each, in this process: the same states, records and
guarantees as in Airflow, without a scheduler. Interrupted and run again, it goes on where it was; nothing is paid
twice. Run again with an edited file, it makes only what is new, changed or had failed.

The connection is Airflow's: AIRFLOW_CONN_KLINGAI_DEFAULT in the environment, or the database.
All rows are checked before the first is ordered. When one cannot be ordered, none is; with --on-invalid-rows skip such
rows are left out.
Ctrl+C ends the command and not what Kling is making: run the same command again to take it.
With --output json every event is a line of JSON, and the last line is the result.
Exit code: 0 when every video that was ordered is COMPLETED, 3 when the connection cannot be used, 1 otherwise.

Example: klingvideo generate prompts.csv --dry-run
         klingvideo generate --prompt "A red fox in the snow" --set duration=5 --output-path videos"""

INTERVAL = 10.0
SHOWN_ROWS = 50
ONE_VIDEO = "prompt"
GO_ON = "Run the same command again to go on: nothing that was ordered is paid again."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("source", nargs="?", help="path or URI of the file; a column 'key' names each row")
    parser.add_argument("--prompt", metavar="TEXT", help="make one video of this text, in place of a file")
    parser.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        type=_field,
        help="with --prompt: another field of the request, such as model=kling-3.0 or duration=10; may be repeated",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check all rows and print what each costs in units; nothing is sent"
    )
    parser.add_argument(
        "--regenerate-failed",
        action="store_true",
        help="order, and pay, another video where Kling has confirmed that the last one failed",
    )
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
    add_output(parser)


def _field(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE, such as duration=10")
    return name.strip(), value


def run(arguments: argparse.Namespace) -> int:
    """Make the videos, show how far they are, and say what became of them."""
    from airflow_provider_klingvideo.cli.console import wide_console
    from airflow_provider_klingvideo.runtime.batches.local import LocalBatch
    from airflow_provider_klingvideo.runtime.configuration import log_to_standard_error, table_limits
    from airflow_provider_klingvideo.runtime.connections.finding import look_in_the_database
    from airflow_provider_klingvideo.runtime.paths import open_path
    from airflow_provider_klingvideo.workflow.batch.tables.content import content_of

    log_to_standard_error()
    look_in_the_database()
    rows, name = _wanted(arguments)
    plan = arguments.render_plan and content_of(open_path(arguments.render_plan), table_limits())
    text = plan and plan.decode("utf-8-sig", "replace")
    batch = LocalBatch(
        arguments.conn_id,
        arguments.output_path,
        arguments.batch or name,
        text,
        arguments.on_invalid_rows,
        arguments.regenerate_failed,
    )
    if arguments.dry_run:
        _print_plan(batch.plan(rows), arguments.output)
        return 0
    jobs = batch.load(rows)
    try:
        summary = _made(batch, jobs, arguments.output)
    except KeyboardInterrupt:
        _say_what_runs_on(jobs)
        raise
    if arguments.output == TABLE:
        _print_result(wide_console(), batch, summary)
    else:
        result = {"rows": _result_rows(batch), **summary}
        _RESULTS[arguments.output](result)
    return 0 if set(summary["states"]) <= {"COMPLETED", "REFUSED"} else 1


_RESULTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "json": lambda result: print_event("result", **result),
    "yaml": lambda result: print_data(result, "yaml"),
}


def _wanted(arguments: argparse.Namespace) -> tuple[Any, str]:
    """The rows, and the name of their batch."""
    from airflow_provider_klingvideo.errors import Fault
    from airflow_provider_klingvideo.kling.errors import InvalidRequestError
    from airflow_provider_klingvideo.runtime.paths import open_path

    if (arguments.source is None) == (arguments.prompt is None):
        fault = Fault("what to make", "a file or --prompt is needed, and not both", "prompts.csv, or --prompt TEXT")
        raise InvalidRequestError(fault, advice="See klingvideo generate --help")
    if arguments.prompt is not None:
        return [{"prompt": arguments.prompt, **dict(arguments.set)}], ONE_VIDEO
    if arguments.set:
        fault = Fault("--set", "it goes with --prompt; the fields of a file are its columns", "--prompt TEXT --set ...")
        raise InvalidRequestError(fault, advice="Add a column to the file")
    return arguments.source, PurePosixPath(open_path(arguments.source).name).stem


def _made(batch: LocalBatch, jobs: list[WorkflowJob], output: str) -> dict[str, Any]:
    """Make the videos, and tell meanwhile how far they are."""
    import asyncio

    from airflow_provider_klingvideo.cli.console import PlainConsole

    if output != TABLE:
        tell = _tell_transition if output == "json" else None
        return asyncio.run(batch.make(tell))
    with _Screen(PlainConsole(), jobs) as screen:
        return asyncio.run(batch.make(screen.show, screen.show_rendering))


def _tell_transition(job: WorkflowJob, old: WorkflowState, new: WorkflowState) -> None:
    print_event("transition", job_id=job.id, old=str(old), new=str(new), klingai_job_id=job.klingai_job_id)


def _say_what_runs_on(jobs: list[WorkflowJob]) -> None:
    """Say on standard error what Kling goes on with, and how its videos are taken."""
    going = [job for job in jobs if not job.is_terminal]
    running = [str(job.klingai_job_id) for job in going if job.klingai_job_id]
    # An order whose answer has not come may have been taken.
    unknown = [job.id for job in going if not job.klingai_job_id and any(call.is_open for call in job.calls)]
    told = [
        f"{len(found)} {what}: {', '.join(found[:SHOWN_ROWS])}."
        for found, what in (
            (running, "tasks run on at Kling, and are billed"),
            (unknown, "jobs have sent what costs and have no answer yet: it may be billed"),
        )
        if found
    ]
    sys.stderr.write(f"\n{' '.join(told or ['Nothing runs at Kling.'])} {GO_ON}\n")


def _print_plan(plan: list[PlannedRow], output: str) -> None:
    from airflow_provider_klingvideo.cli.console import wide_console

    rows = [_planned(one) for one in plan]
    known = [Decimal(row["units"]) for row in rows if row["units"] is not None]
    unknown = sum(one.is_ordered and (one.price is None or one.price.units is None) for one in plan)
    units = f"{sum(known, Decimal(0)):f}"
    if output != TABLE:
        return print_data({"rows": rows, "units": units, "rows_without_price": unknown}, output)
    console = wide_console()
    console.print(table_of(rows))
    more = f", and {unknown} whose price only Kling can tell" if unknown else ""
    return console.print(f"{units} units in sum for {len(known)} videos{more}. Nothing was sent.")


def _planned(one: PlannedRow) -> dict[str, Any]:
    price = one.price
    return {
        "row": one.row.place,
        "key": one.row.key,
        "on record": one.state,
        "units": price.units if price else None,
        "money": price.money if price else None,
        "currency": price.currency if price else None,
        "note": one.row.refused or ("" if one.is_ordered else "is not ordered again"),
    }


def _result_rows(batch: LocalBatch) -> list[dict[str, Any]]:
    made = iter(batch.jobs)
    return [
        {"key": row.key, "state": "REFUSED", "units": None, "file": None, "reason": row.refused}
        if row.refused is not None
        else _result(row.key, next(made))
        for row in batch.rows
    ]


def _result(key: str, job: WorkflowJob) -> dict[str, Any]:
    return {
        "key": key,
        "state": str(job.state),
        "units": job.bill_columns["billed_units"],
        "file": job.processed_url,
        "reason": job.error,
    }


def _print_result(console: Console, batch: LocalBatch, summary: dict[str, Any]) -> None:
    from airflow_provider_klingvideo.workflow.batch.judge import REFUSED

    rows = _result_rows(batch)
    if rows:
        console.print(table_of([{**row, "reason": None} for row in rows[:SHOWN_ROWS]]))
    if len(rows) > SHOWN_ROWS:
        console.print(f"... and {len(rows) - SHOWN_ROWS} more rows, in the manifest")
    for job in batch.jobs:
        if job.error:
            console.print(f"{job.state}  {job.id}  {job.error}")
    for index, reason in batch.refused.items():
        console.print(f"{REFUSED}  {batch.rows[index].place}  {batch.rows[index].key}  {reason}")
    counts = ", ".join(f"{count} {state}" for state, count in sorted(summary["states"].items()))
    console.print(f"{counts or 'No rows: there is nothing to do'}. Manifest: {summary['manifest']}", soft_wrap=True)


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
