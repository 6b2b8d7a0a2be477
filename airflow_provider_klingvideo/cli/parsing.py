"""The parser of the command line: help texts are shown as they are written, mistakes name the way to the help."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

from rich_argparse import RawDescriptionRichHelpFormatter

from airflow_provider_klingvideo._words import printable
from airflow_provider_klingvideo.cli.failures import BAD_COMMAND_LINE


class PlainHelp(RawDescriptionRichHelpFormatter):
    """Help in colours whose texts are no markup: in ``[klingvideo] output_path`` the brackets stay."""

    text_markup = False
    help_markup = False


class CommandParser(argparse.ArgumentParser):
    """A parser of this command or of a subcommand."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": PlainHelp, **options})
        # On a subcommand without a default of its own, so that it does not undo what stands before the subcommand.
        self.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show where an error comes from"
        )

    def error(self, message: str) -> NoReturn:
        """End with 2, saying how the command is used and what is wrong."""
        self.print_usage(sys.stderr)
        self.exit(BAD_COMMAND_LINE, f"{self.prog}: {printable(message)}. See {self.prog} --help\n")
