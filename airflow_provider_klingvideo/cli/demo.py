"""``klingvideo demo``: watch Airflow make four videos against the sandbox."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

SUMMARY = "make four videos on this machine, with Airflow and the sandbox"
DESCRIPTION = """Start the sandbox and Airflow on this machine, make four videos, say where they lie.
At a terminal both keep serving until Ctrl+C. When the command ends, however it ends, both end with it.

Example: klingvideo demo --folder /tmp/klingvideo-demo"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".demo"),
        help="where everything is written: a new or empty folder, or an earlier demo's, whose files are "
        "replaced; a folder with other files in it is refused (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, help="Airflow's port (default: 8080, or any free one if that is taken)")


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration; 0 when four videos lie in the folder, an error when anything failed."""
    from airflow_provider_klingvideo.cli.console import PlainConsole
    from airflow_provider_klingvideo.demo.run import demonstrate

    demonstrate(arguments.folder.resolve(), PlainConsole(), keep_serving=sys.stdin.isatty(), port=arguments.port)
    return 0
