"""What a benchmark has found: tables, printed, and kept for the docs where that is asked for.

``scripts/draw_docs.py`` draws docs/performance.md from what is kept in ``benchmarks/figures``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).with_name("figures")


@dataclass(frozen=True)
class Figures:
    """A table.

    :param head: the names of its columns, the first of which names the rows.
    :param notes: lines below it.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let the user keep the figures."""
    parser.add_argument("--keep", metavar="NAME", help="keep the figures for the docs, by this name")


def machine() -> str:
    """Say where this is measured, and when."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("apache-airflow", "httpx"))
    where = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {where}, {versions}"


def publish(tables: Sequence[Figures], keep: str | None) -> None:
    """Print tables, and keep them.

    :param keep: the name by which the docs know them; None keeps nothing.
    """
    console = Console(width=140)
    for one in tables:
        table = Table(title=one.title, title_justify="left")
        for number, name in enumerate(one.head):
            table.add_column(name, justify="right" if number else "left")
        for row in one.rows:
            table.add_row(*row)
        console.print(table)
        for note in one.notes:
            console.print(note, highlight=False)
    if keep:
        FOLDER.mkdir(exist_ok=True)
        kept = {"machine": machine(), "tables": [asdict(one) for one in tables]}
        (FOLDER / f"{keep}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
