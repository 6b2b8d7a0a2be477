"""The table of calls that cost is whole: whatever may cost is in it, and what is not in it is known to be free."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_klingvideo.kling import PRODUCTS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_klingvideo"
sys.path.insert(0, str(ROOT / "scripts"))

import paid_calls  # noqa: E402

CREATE = ("kling.client.operations", "create")
# What is sent by POST and costs nothing: queries, choosing in a session, deleting (kling-api sections 6 and 7).
FREE = {
    ("kling.client.operations", "_listing"),
    *(("kling.services.selection", f"{verb}_selection") for verb in ("add", "delete", "clear", "preview")),
    ("kling.services.library", "_deletion"),
    ("kling.services.billing", "_ledger"),
    # It makes one operation of another.
    ("kling.wire.bills", "with_bill"),
}


def operations() -> Iterator[tuple[tuple[str, str], list[ast.expr], dict[str, ast.expr]]]:
    """Every operation that is made anywhere but in the sandbox: where, its arguments by place and by name."""
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if module.startswith("sandbox."):
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and ast.unparse(node.func) == "Operation":
                        names = {word.arg or "": word.value for word in node.keywords}
                        yield (module, function.name), node.args, names


def is_set(names: dict[str, ast.expr]) -> bool:
    return "is_create" in names and ast.unparse(names["is_create"]) == "True"


def test_whatever_may_cost_is_a_create_or_has_a_name():
    unnamed = {where for where, _, names in operations() if is_set(names) and "what" not in names}
    assert unnamed == {CREATE}


def test_whatever_has_a_name_is_in_the_table():
    named = {
        ast.literal_eval(names["what"]) for _, _, names in operations() if isinstance(names.get("what"), ast.Constant)
    }
    assert named == set(paid_calls.answered_at_once())
    told = " ".join(row.call for row in paid_calls.rows())
    assert all(f"`{name}`" in told for name in named)


def test_what_is_posted_and_not_in_the_table_is_known_to_be_free():
    unmarked = {
        where
        for where, arguments, names in operations()
        if not is_set(names) and not (arguments and ast.unparse(arguments[0]) == "'GET'")
    }
    assert unmarked == FREE


def test_every_product_is_in_the_table():
    created = [row.call for row in paid_calls.rows() if row.call.startswith("create of ")]
    assert created == [f"create of `{kind}`" for kind in PRODUCTS]


def test_every_row_names_a_test_that_there_is():
    assert paid_calls.missing_tests() == []
