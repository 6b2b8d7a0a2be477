"""Reads the command line and hands over to a command."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import Protocol, cast

from airflow_provider_klingvideo import __version__
from airflow_provider_klingvideo.cli.failures import failure_of
from airflow_provider_klingvideo.cli.interruption import exit_code_of, raised_signals
from airflow_provider_klingvideo.cli.parsing import CommandParser

# Name of a subcommand -> its module, which has the interface of Command. Modules are light; what is heavy is imported
# when the command runs.
COMMANDS: dict[str, str] = {
    "demo": "airflow_provider_klingvideo.cli.demo",
    "generate": "airflow_provider_klingvideo.cli.generate",
    "models": "airflow_provider_klingvideo.cli.models",
    "reconcile": "airflow_provider_klingvideo.cli.reconcile",
    "sandbox": "airflow_provider_klingvideo.cli.sandbox",
}

BROKEN_PIPE = 141


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
    parser = CommandParser(
        prog="klingvideo",
        description="Kling AI video generation for Apache Airflow.\n\nExample: klingvideo sandbox --slots 2",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, home in COMMANDS.items():
        command = cast("Command", import_module(home))
        child = commands.add_parser(name, help=command.SUMMARY, description=command.DESCRIPTION)
        command.configure(child)
        child.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: the arguments without the program's name; those of the process when not given.
    :return: the exit code, see :data:`~airflow_provider_klingvideo.cli.failures.EXIT_CODES`; a command line that
        cannot be understood ends the process with 2.
    """
    words = sys.argv[1:] if argv is None else argv
    _show_every_letter()
    try:
        with raised_signals():
            arguments = build_parser().parse_args(words)
            code = int(arguments.run(arguments))
            # What cannot be written is told here, and not by Python when it ends.
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough.
        _discard_output()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - here every error ends, and is told
        if "--debug" in words:
            traceback.print_exc()
        failure = failure_of(error)
        sys.stderr.write(f"klingvideo: {failure.words}\n")
        _discard_output()
        return failure.code
    except KeyboardInterrupt as interruption:
        sys.stderr.write("klingvideo: Interrupted.\n")
        return exit_code_of(interruption)
    return code


def _show_every_letter() -> None:
    """Write a letter that the terminal's encoding does not have as its number: it must not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A stream that was exchanged for a terminal cannot be changed any more.
            with suppress(OSError):
                stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Keep Python from trying again, when it ends, to write what could not be written."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
