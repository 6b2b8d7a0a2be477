"""``klingvideo models``: what can be ordered, and what is legal."""

from __future__ import annotations

import argparse
import sys

SUMMARY = "print what every model and product can do, and what it costs"
DESCRIPTION = """Print the capability matrix: every product (the kind of a request), its models, and what is legal.
It is read from the registry of this release; nothing is asked of the vendor.

Example: klingvideo models --kind omni_video --prices"""

LONGEST_WHOLE_WORD = 15
# Where no screen limits it: a pipe, a file.
WIDE = 200


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--kind", metavar="KIND", help="only this product, for example text_to_video")
    parser.add_argument("--prices", action="store_true", help="print the price list, too")
    parser.add_argument("--retired", action="store_true", help="print the retired models and their successors, too")


def run(arguments: argparse.Namespace) -> int:
    """Print the tables."""
    from itertools import groupby
    from operator import itemgetter

    from rich.console import Console

    from airflow_provider_klingvideo.kling.capabilities import registry
    from airflow_provider_klingvideo.kling.errors import InvalidRequestError
    from airflow_provider_klingvideo.kling.matrix import HEAD, matrix, retired

    known, kind = registry(), arguments.kind
    rows = matrix(kind)
    if not rows:
        kinds = ", ".join(sorted({one.kind for one in known.capabilities}))
        raise InvalidRequestError(f"There is no kind {kind!r}", advice=f"Use one of: {kinds}")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(f"Kling AI models and products, as of {known.as_of}\n")
    for name, some in groupby(rows, key=itemgetter(0)):
        console.print(f"[bold]{name}[/bold]", _table(HEAD[1:], [row[1:] for row in some]), "", sep="\n")
    if arguments.prices:
        names = {one.model for one in known.capabilities if kind in (None, one.kind)}
        prices = [
            [one.model, one.feature, one.per, ", ".join(f"{name}: {units}" for name, units in one.units.items())]
            for one in known.prices
            if kind is None or one.model in names
        ]
        console.print("[bold]prices in units[/bold]", _table(("of", "feature", "per", "units"), prices), "", sep="\n")
    for line in retired(kind) if arguments.retired else ():
        console.print(f"retired: {line}")
    return 0


def _table(head: tuple[str, ...], rows: list[list[str]]) -> object:
    """Lay out a table without its empty columns; words are broken only where they are long and the screen is narrow."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    shown = [index for index in range(len(head)) if any(row[index] for row in rows)]
    for index in shown:
        words = [word for cells in (head, *rows) for word in cells[index].split()]
        table.add_column(head[index], min_width=min(LONGEST_WHOLE_WORD, max(map(len, words))), overflow="fold")
    for row in rows:
        table.add_row(*(row[index] for index in shown))
    return table
