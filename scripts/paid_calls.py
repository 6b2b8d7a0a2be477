"""Every call of Kling's API that costs, and the test that cuts its answer; all of it found in the code itself."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from airflow_provider_klingvideo.kling import PRODUCTS
from airflow_provider_klingvideo.kling.client.calls import Call
from airflow_provider_klingvideo.kling.client.methods import VendorMethods

TESTS = Path(__file__).parents[1] / "tests"
FILE = "workflow/test_paid_calls_cut.py"
WHAT = re.compile(r"\bwhat=\"(\w+)\"")

JOB = "`job.json` and `calls/` of the job"
TASK = "`calls/` of the task"
EXTERNAL_ID = "yes, by the external id"


class PaidCallRow(NamedTuple):
    """A call that costs.

    :param call: what is called.
    :param is_known: whether Kling can be asked afterwards what became of it.
    :param record: where intent and answer are kept.
    :param repeated_by: what a user has to set so that it is paid again.
    :param test: cuts its answer; a test of :data:`FILE` with its parameters.
    """

    call: str
    is_known: str
    record: str
    repeated_by: str
    test: str


def rows() -> list[PaidCallRow]:
    """All of them: the creates, what comes before some, and what is answered at once."""
    return [*_creates(), *_preparations(), *_services()]


def answered_at_once() -> dict[str, str]:
    """The methods of clients and hook whose calls cost and make no task, by the name of the call."""
    calls = {name: one for name, one in vars(VendorMethods).items() if isinstance(one, Call)}
    found = {name: WHAT.search(inspect.getsource(one.operation)) for name, one in calls.items()}
    return {match[1]: name for name, match in found.items() if match}


def missing_tests() -> list[str]:
    """Tests that rows name and that do not exist."""
    known = set(_tests(ast.parse((TESTS / FILE).read_text())))
    return [row.test for row in rows() if row.test.partition("[")[0] not in known]


def _creates() -> Iterator[PaidCallRow]:
    test = "test_a_create_whose_answer_is_cut_is_found_again_and_paid_once"
    for kind in PRODUCTS:
        yield PaidCallRow(f"create of `{kind}`", EXTERNAL_ID, JOB, "`take`, `regenerate_failed`", f"{test}[{kind}]")


def _preparations() -> Iterator[PaidCallRow]:
    test = "TestTheLookBeforeLips::test_a_lost_one_is_never_made_again_by_clearing"
    for kind, product in PRODUCTS.items():
        if product.preparation:
            yield PaidCallRow(f"the look before a create of `{kind}`", "no", JOB, "`repeat_unanswered`", test)


def _services() -> Iterator[PaidCallRow]:
    test = "TestTheHook::test_an_answer_that_is_cut_is_paid_once_unless_the_user_says_so"
    for what, name in answered_at_once().items():
        yield PaidCallRow(
            f"`{what}`: `{name}` of the hook", "no", TASK, "`repeat_unanswered`", f"{test}[{what}-in a task]"
        )
    operator = "test_the_operator_that_speaks_pays_once_too"
    yield PaidCallRow("`tts`: `KlingVideoSpeakOperator`", "no", TASK, "`repeat_unanswered`", operator)


def _tests(scope: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in scope.body:
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}::{name}" for name in _tests(node))
        elif isinstance(node, ast.FunctionDef):
            yield node.name
