"""Data for people and for programs: ``--output table|json|yaml``, as Airflow's own command line has it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

TABLE = "table"
NUMBERS = frozenset({"units", "money"})


def _as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, default=str)


def _as_yaml(data: Any) -> str:
    import yaml

    # By way of JSON: what YAML has no word for becomes text.
    text: str = yaml.safe_dump(json.loads(_as_json(data)), sort_keys=False, allow_unicode=True)
    return text.rstrip("\n")


FORMATS: Mapping[str, Callable[[Any], str]] = {"json": _as_json, "yaml": _as_yaml}


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        "--output", choices=(TABLE, *FORMATS), default=TABLE, help="how data are printed (default: %(default)s)"
    )


def print_data(data: Any, output: str) -> None:
    """Print data for a program, on the standard output.

    :param output: a key of :data:`FORMATS`.
    """
    sys.stdout.write(FORMATS[output](data) + "\n")


def table_of(rows: list[dict[str, Any]]) -> RenderableType:
    """Lay out rows of the same columns for a person; columns without a value are left out."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    names = [name for name in rows[0] if any(row[name] for row in rows)] if rows else []
    for name in names:
        table.add_column(name, overflow="fold", justify="right" if name in NUMBERS else "left")
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in names))
    return table


def print_event(event: str, **facts: Any) -> None:
    """Print an event as a line of JSON, at once: whoever reads is told while it happens."""
    sys.stdout.write(json.dumps({"event": event, **facts}, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
