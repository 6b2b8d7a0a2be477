"""``klingvideo reconcile``: whether every video that was paid is on record, and stored."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

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
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


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
    if arguments.json:
        sys.stdout.write(json.dumps(report.as_json(), indent=2) + "\n")
    else:
        _print(report)
    return 1 if report.open_rows else 0


def _print(report: Report) -> None:
    from rich.table import Table

    from airflow_provider_klingvideo.cli.console import wide_console
    from airflow_provider_klingvideo.workflow.reconcile.reconciler import FINE

    console = wide_console()
    shown = [row for row in report.rows if row.finding not in FINE]
    if shown:
        table = Table("finding", "job", "task at Kling", "billed", "next step, or what was done")
        for row in shown:
            told = row.done or row.next_step
            table.add_row(str(row.finding), _job(row), _task(row), row.bill or "", told)
        console.print(table)
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(report.counts.items()))
    console.print(f"{counts or 'no tasks and no records'}; {len(report.open_rows)} to look after")


def _job(row: Any) -> str:
    return "\n".join(part for part in (row.job_id, row.job_state) if part)


def _task(row: Any) -> str:
    return "\n".join(part for part in (row.task_id, row.vendor_status or "not listed") if part)
