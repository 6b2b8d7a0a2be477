"""Reads the command line and hands over to a command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from rich_argparse import RawDescriptionRichHelpFormatter

from airflow_provider_klingvideo import __version__
from airflow_provider_klingvideo._words import printable
from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.storage.stores import is_store_fault

# Name of a subcommand -> its module, which has the interface of Command. Modules are light; what is heavy is imported
# when the command runs.
COMMANDS: dict[str, str] = {
    "demo": "airflow_provider_klingvideo.cli.demo",
    "generate": "airflow_provider_klingvideo.cli.generate",
    "models": "airflow_provider_klingvideo.cli.models",
    "reconcile": "airflow_provider_klingvideo.cli.reconcile",
    "sandbox": "airflow_provider_klingvideo.cli.sandbox",
}

OK = 0
FAILED = 1
BAD_CONNECTION = 3
INTERRUPTED = 130
STORE_FAULT = (
    "A file or a store could not be used: {error}. Look at the paths and addresses of the command, and run it again; "
    "what was ordered before is on record, and is not paid again."
)


class Command(Protocol):
    """What the module of a subcommand has."""

    SUMMARY: str
    DESCRIPTION: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit code."""


def build_parser() -> argparse.ArgumentParser:
    """The parser with all subcommands."""
    parser = argparse.ArgumentParser(
        prog="klingvideo",
        description="Kling AI video generation for Apache Airflow.\n\nExample: klingvideo sandbox --slots 2",
        formatter_class=RawDescriptionRichHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, home in COMMANDS.items():
        command = cast("Command", import_module(home))
        child = commands.add_parser(
            name, help=command.SUMMARY, description=command.DESCRIPTION, formatter_class=parser.formatter_class
        )
        command.configure(child)
        child.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: the arguments without the program's name; those of the process when not given.
    :return: 0 when all went well, 1 after an error that was told, 3 where the error lies in the connection, 130 after
        an interruption; a command line that cannot be understood ends the process with 2.
    """
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except KlingVideoError as error:
        sys.stderr.write(f"klingvideo: {printable(str(error))}\n")
        return BAD_CONNECTION if error.kind == "connection" else FAILED
    except Exception as error:
        if not is_store_fault(error):
            raise
        sys.stderr.write(f"klingvideo: {printable(STORE_FAULT.format(error=error))}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
