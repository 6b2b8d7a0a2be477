"""``klingvideo models``: what can be ordered, what is legal, what it costs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from airflow_provider_klingvideo.kling.catalogue.capabilities import Registry

SUMMARY = "print what every model and product can do, and what it costs"
DESCRIPTION = """Print the capability matrix: every product (the kind of a request), its models, and what is legal.
It is read from the catalogue of this release, or the one that [klingvideo] catalogue names; Kling is not asked.

Example: klingvideo models --kind omni_video --prices"""

LONGEST_WHOLE_WORD = 15


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--kind", metavar="KIND", help="only this product, for example text_to_video")
    for name, (what, _) in _SECTIONS.items():
        parser.add_argument(f"--{name}", action="store_true", help=f"print {what}, too")


def run(arguments: argparse.Namespace) -> int:
    """Print the tables."""
    from itertools import groupby
    from operator import itemgetter

    from airflow_provider_klingvideo.cli.console import wide_console
    from airflow_provider_klingvideo.errors import Fault, quoted
    from airflow_provider_klingvideo.kling.catalogue.capabilities import registry
    from airflow_provider_klingvideo.kling.catalogue.matrix import HEAD, matrix
    from airflow_provider_klingvideo.kling.errors import InvalidRequestError
    from airflow_provider_klingvideo.runtime import catalogue

    catalogue.heed()
    known, kind = registry(), arguments.kind
    rows = matrix(kind)
    if not rows:
        kinds = ", ".join(sorted({one.kind for one in known.capabilities}))
        raise InvalidRequestError(Fault("kind", f"there is no kind {quoted(kind)}", kinds), advice="Correct the name")
    console = wide_console()
    console.print(f"Kling AI models and products, as of {known.as_of}\n")
    for name, some in groupby(rows, key=itemgetter(0)):
        console.print(name, style="bold")
        console.print(_table(HEAD[1:], [row[1:] for row in some]), "", sep="\n")
    for name, (_, parts) in _SECTIONS.items():
        for title, part in parts(known, kind) if getattr(arguments, name) else ():
            console.print(title, style="bold")
            console.print(part, "", sep="\n")
    return 0


_Parts = Callable[["Registry", "str | None"], "Iterator[tuple[str, RenderableType]]"]


def _prices(known: Registry, kind: str | None) -> Iterator[tuple[str, RenderableType]]:
    names = {one.model for one in known.capabilities if kind in (None, one.kind)}
    rows = [
        [one.model, one.feature, one.per, ", ".join(f"{name}: {units}" for name, units in one.units.items())]
        for one in known.book.prices
        if kind is None or one.model in names
    ]
    yield "prices in units", _table(("of", "feature", "per", "units"), rows)


def _scenes(known: Registry, _kind: str | None) -> Iterator[tuple[str, RenderableType]]:
    scenes = [one for one in known.effect_scenes.values() if not one.is_gone]
    for pictures in sorted({one.images for one in scenes}):
        names = ", ".join(one.name for one in scenes if one.images == pictures)
        yield f"effect scenes with {pictures} picture{'s' if pictures > 1 else ''}", names


def _voices(known: Registry, _kind: str | None) -> Iterator[tuple[str, RenderableType]]:
    for language, names in known.voices.items():
        yield f"voices that speak {language}", ", ".join(names)


def _retired(_known: Registry, kind: str | None) -> Iterator[tuple[str, RenderableType]]:
    from airflow_provider_klingvideo.kling.catalogue.matrix import retired

    yield "retired", "\n".join(retired(kind)) or "none"


_SECTIONS: dict[str, tuple[str, _Parts]] = {
    "prices": ("the price list", _prices),
    "scenes": ("the scenes of the effects", _scenes),
    "voices": ("the voices that speak texts", _voices),
    "retired": ("the retired models and their successors", _retired),
}


def _table(head: tuple[str, ...], rows: list[list[str]]) -> RenderableType:
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
