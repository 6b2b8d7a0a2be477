"""``klingvideo demo``: watch Airflow make four videos against the sandbox."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "make four videos on this machine, with Airflow and the sandbox"
EXAMPLE = "klingvideo demo --folder /tmp/klingvideo-demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".demo"),
        help="where everything is written; emptied at the start (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration; 0 when four videos lie in the folder, 1 when anything failed."""
    from rich.console import Console

    from airflow_provider_klingvideo.demo.processes import DemoError
    from airflow_provider_klingvideo.demo.run import demonstrate

    console = Console()
    try:
        demonstrate(arguments.folder.resolve(), console, keep_serving=sys.stdin.isatty())
    except DemoError as error:
        console.print(f"[bold red]The demonstration failed:[/bold red] {error}", highlight=False)
        return 1
    return 0
