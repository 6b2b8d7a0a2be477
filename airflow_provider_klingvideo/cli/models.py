"""``klingvideo models``: what can be ordered, what is legal, what it costs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.cli.output import TABLE, add_output, print_data

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
    for name, section in _SECTIONS.items():
        parser.add_argument(f"--{name}", action="store_true", help=f"print {section.what}, too")
    add_output(parser)


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
    data = {name: section.data(known, kind) for name, section in _SECTIONS.items() if getattr(arguments, name)}
    if arguments.output != TABLE:
        products = [dict(zip(HEAD, row, strict=True)) for row in rows]
        print_data({"as_of": known.as_of, "products": products, **data}, arguments.output)
        return 0
    console = wide_console()
    console.print(f"Kling AI models and products, as of {known.as_of}\n")
    for name, some in groupby(rows, key=itemgetter(0)):
        console.print(name, style="bold")
        console.print(_table(HEAD[1:], [row[1:] for row in some]), "", sep="\n")
    for name, found in data.items():
        for title, part in _SECTIONS[name].laid_out(found):
            console.print(title, style="bold")
            console.print(part, "", sep="\n")
    return 0


@dataclass(frozen=True)
class _Section:
    """A part that is printed where it is asked for.

    :param what: for the help text.
    :param data: reads it; called with the registry and a kind, None for all of them.
    :param laid_out: turns the data into headings and what stands below each.
    """

    what: str
    data: Callable[[Registry, str | None], Any]
    laid_out: Callable[[Any], Iterator[tuple[str, RenderableType]]]


def _prices(known: Registry, kind: str | None) -> list[dict[str, Any]]:
    names = {one.model for one in known.capabilities if kind in (None, one.kind)}
    return [
        {"of": one.model, "feature": one.feature, "per": one.per, "units": {k: str(v) for k, v in one.units.items()}}
        for one in known.book.prices
        if kind is None or one.model in names
    ]


def _price_table(prices: list[dict[str, Any]]) -> Iterator[tuple[str, RenderableType]]:
    rows = [
        [one["of"], one["feature"], one["per"], ", ".join(f"{name}: {units}" for name, units in one["units"].items())]
        for one in prices
    ]
    yield "prices in units", _table(("of", "feature", "per", "units"), rows)


def _scenes(known: Registry, _kind: str | None) -> dict[int, list[str]]:
    scenes = [one for one in known.effect_scenes.values() if not one.is_gone]
    counts = sorted({one.images for one in scenes})
    return {pictures: [one.name for one in scenes if one.images == pictures] for pictures in counts}


def _scene_lists(scenes: dict[int, list[str]]) -> Iterator[tuple[str, RenderableType]]:
    for pictures, names in scenes.items():
        yield f"effect scenes with {pictures} picture{'s' if pictures > 1 else ''}", ", ".join(names)


def _voice_lists(voices: dict[str, list[str]]) -> Iterator[tuple[str, RenderableType]]:
    for language, names in voices.items():
        yield f"voices that speak {language}", ", ".join(names)


def _retired(_known: Registry, kind: str | None) -> list[str]:
    from airflow_provider_klingvideo.kling.catalogue.matrix import retired

    return retired(kind)


_SECTIONS: dict[str, _Section] = {
    "prices": _Section("the price list", _prices, _price_table),
    "scenes": _Section("the scenes of the effects", _scenes, _scene_lists),
    "voices": _Section("the voices that speak texts", lambda known, _kind: dict(known.voices), _voice_lists),
    "retired": _Section(
        "the retired models and their successors",
        _retired,
        lambda lines: iter([("retired", "\n".join(lines) or "none")]),
    ),
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
