"""The terminal: what is printed is shown as it is, whoever has written it."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from airflow_provider_klingvideo._words import printable

WIDE = 5000
"""Where no screen limits a line: a pipe, a file."""


class PlainConsole(Console):
    """A console that takes no text for a command: neither markup, nor emoji codes, nor escape sequences.

    What is to be bold or coloured is told by ``style=``, or is a :class:`~rich.text.Text`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a text of what is printed, in cells of tables, too."""
        return super().render_str(printable(text), **options)

    def on_broken_pipe(self) -> None:
        """Leave the exit code to the command."""
        raise BrokenPipeError


def wide_console() -> PlainConsole:
    """A console that breaks lines on a screen only."""
    return PlainConsole(width=None if sys.stdout.isatty() else WIDE)
