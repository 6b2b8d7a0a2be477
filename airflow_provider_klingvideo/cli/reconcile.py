"""``klingvideo reconcile``: whether every video that was paid is on record, and stored."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.cli.output import TABLE, add_output, print_data

if TYPE_CHECKING:
    from airflow_provider_klingvideo.workflow.reconcile.reconciler import Report

SUMMARY = "compare Kling's tasks with the job records; report or adopt what nobody follows"
DESCRIPTION = """Compare Kling's tasks of the last 30 days with the job records, and tell what does not match:
videos that were paid and not taken, tasks whose record is lost, records that nobody works on any more. Nothing is
ordered.

The connection is Airflow's: AIRFLOW_CONN_KLINGAI_DEFAULT in the environment, or the database.
Exit code: 0 when all is well, 1 when something waits for a person, 3 when the connection cannot be used.

Example: klingvideo reconcile s3://videos/klingvideo --adopt"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("output_path", nargs="?", help="folder of the records; default: [klingvideo] output_path")
    parser.add_argument("--conn-id", default="klingai_default", help="the connection (default: %(default)s)")
    parser.add_argument("--adopt", action="store_true", help="load and store the videos that were paid and not taken")
    parser.add_argument("--close-stale", action="store_true", help="end the records that nobody works on any more")
    parser.add_argument(
        "--stale-hours",
        type=float,
        default=24.0,
        help="a record that nobody has touched for so long counts as left behind (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="the same as --output json")
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare, print, and say by the exit code whether something is left to do."""
    import asyncio

    from airflow_provider_klingvideo.runtime.configuration import log_to_standard_error
    from airflow_provider_klingvideo.runtime.connections.finding import look_in_the_database
    from airflow_provider_klingvideo.runtime.session import Session, compared

    log_to_standard_error()
    look_in_the_database()
    session = Session(arguments.conn_id, arguments.output_path)
    report = asyncio.run(
        compared(
            session,
            adopt=arguments.adopt,
            close_stale=arguments.close_stale,
            stale_after=arguments.stale_hours * 3600,
        )
    )
    output = "json" if arguments.json else arguments.output
    if output == TABLE:
        _print(report, arguments)
    else:
        print_data(report.as_json(), output)
    return 1 if report.open_rows else 0


def _print(report: Report, arguments: argparse.Namespace) -> None:
    from rich.table import Table

    from airflow_provider_klingvideo.cli.console import wide_console
    from airflow_provider_klingvideo.workflow.reconcile.reconciler import ADOPTABLE, FINE, Finding

    console = wide_console()
    shown = [row for row in report.rows if row.finding not in FINE]
    if shown:
        table = Table("finding", "job", "Kling's task", "billed", "next step, or what was done")
        for row in shown:
            told = row.done or row.next_step
            table.add_row(str(row.finding), _job(row), _task(row), row.bill or "", told)
        console.print(table)
    found = _RECORDS.get(report.records, f"{report.records} records")
    console.print(f"Looked below {report.folder}: {found}")
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(report.counts.items()))
    console.print(f"{counts or 'no tasks and no records'}; {len(report.open_rows)} to look after")
    findings = {row.finding for row in report.open_rows}
    steps = {"--adopt": findings & ADOPTABLE, "--close-stale": findings & {Finding.STALE}}
    if options := [option for option, concerned in steps.items() if concerned]:
        words = ["klingvideo", "reconcile", report.folder, "--conn-id", arguments.conn_id, *options]
        console.print(f"To do what can be done here: {shlex.join(words)}")


_RECORDS = {0: "no records: is it the right folder?", 1: "1 record"}


def _job(row: Any) -> str:
    return "\n".join(part for part in (row.job_id, row.job_state) if part)


def _task(row: Any) -> str:
    return "\n".join(part for part in (row.task_id, row.vendor_status or "not listed") if part)
