"""The table of faults, and the tests that prove its rows."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
MARKER = "pytest.mark.scenario"


class Row(NamedTuple):
    """One fault; ``instead`` names, for a row without a test, the row that covers it (``row 12: why``)."""

    number: int
    where: str
    fault: str
    outcome: str
    instead: str = ""


class Proof(NamedTuple):
    """A test that says which rows it proves."""

    test: str
    rows: tuple[int, ...]


def rows() -> list[Row]:
    """The rows in order."""
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return [Row(**one) for one in data["row"]]


def proofs(root: Path = ROOT) -> list[Proof]:
    """Every test below ``root / "tests"`` with the marker on itself, its class or its module."""
    files = sorted((root / "tests").rglob("test_*.py"))
    return [
        Proof(f"{file.relative_to(root)}::{name}", numbers)
        for file in files
        for name, numbers in _marked(ast.parse(file.read_text()), ())
        if numbers
    ]


def problems(table: list[Row], proved: list[Proof]) -> list[str]:
    """Rows that nothing proves, reasons that name no proved row, and marks of rows that there are not."""
    known = {row.number for row in table}
    done = {number for proof in proved for number in proof.rows}
    covering = {row.number: re.match(r"row (\d+): .", row.instead) for row in table}
    return [
        *(f"{proof.test} names row {number}" for proof in proved for number in proof.rows if number not in known),
        *(
            f"row {number} has no test and no row that covers it"
            for number, named in covering.items()
            if number not in done and not (named and int(named[1]) in done)
        ),
    ]


def _marked(scope: ast.Module | ast.ClassDef, outer: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    own = outer
    for node in scope.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["pytestmark"]:
            own += _numbers(node.value)
    for node in scope.body:
        if isinstance(node, ast.ClassDef):
            inner = own + _numbers(*node.decorator_list)
            yield from ((f"{node.name}::{name}", numbers) for name, numbers in _marked(node, inner))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, own + _numbers(*node.decorator_list)


def _numbers(*marks: ast.expr) -> tuple[int, ...]:
    calls = (node for mark in marks for node in ast.walk(mark) if isinstance(node, ast.Call))
    return tuple(
        ast.literal_eval(argument) for call in calls if ast.unparse(call.func) == MARKER for argument in call.args
    )
