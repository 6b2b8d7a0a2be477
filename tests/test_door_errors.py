"""Every error about something that came in says what, where, what is legal, and what to do."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_klingvideo
from airflow_provider_klingvideo.errors import KlingVideoError

PACKAGE = Path(airflow_provider_klingvideo.__file__).parent
CLASSES = {
    "InputError": "workflow.job.errors",
    "InvalidRequestError": "kling.errors",
    "ConnectionSettingsError": "runtime.connections.faults",
    "OptionError": "runtime.options",
    "PlanError": "media.errors",
    "FilmError": "media.errors",
    "UnknownStoreError": "runtime.paths",
    "AddressError": "storage.addresses",
    "NoRegularFileError": "storage.bounded",
    "TooLargeError": "storage.bounded",
}
# What Kling answers has Kling's words in the place of ours.
FROM_ANSWERS = {("workflow.ordering.answered", "InvalidRequestError")}


def raised() -> Iterator[tuple[str, str, ast.Call]]:
    """Every making of an error of a door: module, class, and the call."""
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if name in CLASSES and (module, name) not in FROM_ANSWERS and not module.startswith("sandbox"):
                yield module, name, node


MADE = [*raised()]


def test_there_are_errors_to_look_at():
    assert {name for _, name, _ in MADE} == CLASSES.keys()


@pytest.mark.parametrize(("module", "name", "call"), MADE, ids=[f"{one[0]}:{one[2].lineno}" for one in MADE])
def test_it_is_made_of_faults_and_says_what_to_do(module, name, call):
    assert call.args, "an error of a door is made of faults"
    assert not isinstance(call.args[0], ast.Constant | ast.JoinedStr), "a sentence has no place and tells nothing legal"
    keywords = {one.arg for one in call.keywords}
    error = getattr(importlib.import_module(f"{PACKAGE.name}.{CLASSES[name]}"), name)
    assert issubclass(error, KlingVideoError)
    assert error.default_advice or keywords & {"advice", None}


def faults() -> Iterator[tuple[str, ast.Call]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Fault":
                yield f"{path.name}:{node.lineno}", node


FAULTS = dict(faults())


@pytest.mark.parametrize("place", FAULTS)
def test_a_fault_leaves_nothing_empty(place):
    fault = FAULTS[place]
    assert len(fault.args) == 3 or any(isinstance(one, ast.Starred) for one in fault.args)
    empty = [one for one in fault.args[1:] if isinstance(one, ast.Constant) and not one.value]
    assert not empty
