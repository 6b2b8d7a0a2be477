"""``klingvideo demo``: watch Airflow make four videos against the sandbox."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

SUMMARY = "make four videos on this machine, with Airflow and the sandbox"
DESCRIPTION = """Start the sandbox and Airflow on this machine, make four videos, say where they lie.
At a terminal both keep serving until Ctrl+C.

Example: klingvideo demo --folder /tmp/klingvideo-demo"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".demo"),
        help="where everything is written; emptied at the start (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration; 0 when four videos lie in the folder, an error when anything failed."""
    from airflow_provider_klingvideo.cli.console import PlainConsole
    from airflow_provider_klingvideo.demo.run import demonstrate

    demonstrate(arguments.folder.resolve(), PlainConsole(), keep_serving=sys.stdin.isatty())
    return 0
