"""The rooms of the house: imports go downwards only, in no circle, and DAG files load nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "airflow_provider_klingvideo"
ROOT = Path(__file__).parents[2] / PACKAGE
MOST_MODULES = 15

# From the top of the house to its ground: a module imports from its own folder, and from what stands below it.
FLOORS = [
    "cli",
    "demo",
    "plugins",
    "task_groups",
    "decorators",
    "sensors",
    "operators",
    "triggers",
    "links",
    "params",
    "hooks",
    "runtime",
    "get_provider_info",
    "_compat",
    "workflow",
    "workflow.batch",
    "workflow.reconcile",
    "workflow.board",
    "workflow.handlers",
    "workflow.driver",
    "workflow.steps",
    "workflow.delivering",
    "workflow.films",
    "workflow.gates",
    "workflow.inputs",
    "workflow.results",
    "workflow.waiting",
    "workflow.ordering",
    "workflow.story",
    "workflow.job",
    "kling",
    "kling.client",
    "kling.products",
    "kling.services",
    "kling.catalogue",
    "kling.wire",
    "kling.errors",
    "media",
    "media.delivery",
    "media.collection",
    "media.fetch",
    "media.film",
    "media.outputs",
    "media.decor",
    "media.inspect",
    "media.ffmpeg",
    "media.errors",
    "media.settings",
    "storage",
    "sandbox",
    "sandbox.server",
    "sandbox.app",
    "sandbox.control",
    "sandbox.openapi",
    "sandbox.vendor",
    "sandbox.products",
    "sandbox.serving",
    "sandbox.rules",
    "sandbox.drawing",
    "sandbox.account",
    "sandbox.files",
    "sandbox.settings",
    "validation",
    "errors",
    "_urls",
    "_json",
    "_text",
    "_words",
    "__init__",
]
ALONE = {"kling", "media", "sandbox", "storage"}
# Of these a module each: an argument for every one of them would say nothing.
COLLECTIONS = {"kling/products"}
WITHOUT_AIRFLOW = ("kling", "media", "sandbox", "storage", "workflow", "cli")


def modules() -> dict[str, Path]:
    """Every module by its name within the package; a package's own file has the package's name."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(path: Path) -> Iterator[str]:
    """Every import of a file, wherever it stands: at the top, for type checkers only, in a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> Iterator[str]:
    """The modules of this package that a file imports."""
    for name in imports(path):
        if name.startswith(f"{PACKAGE}."):
            parts = name.removeprefix(f"{PACKAGE}.").split(".")
            known = [module for end in range(len(parts), 0, -1) if (module := ".".join(parts[:end])) in MODULES]
            yield known[0] if known else "__init__"


def floor_of(module: str) -> str:
    inside = [floor for floor in FLOORS if module == floor or module.startswith(f"{floor}.")]
    assert inside, f"{module} has no floor"
    return max(inside, key=len)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_downwards(module: str) -> None:
    here = floor_of(module)
    for imported in own_imports(MODULES[module]):
        there = floor_of(imported)
        assert there == here or FLOORS.index(there) > FLOORS.index(here), f"{module} imports {imported}"


def test_no_circles() -> None:
    graph = {module: set(own_imports(path)) - {module} for module, path in MODULES.items()}
    while free := {module for module, targets in graph.items() if not targets & graph.keys()}:
        graph = {module: targets for module, targets in graph.items() if module not in free}
    # What is left lies on a circle or leads to one.
    on_circles = {module for module in graph if any(module in graph[one] for one in graph)}
    assert on_circles == set()


@pytest.mark.parametrize("room", sorted(ALONE))
def test_the_lower_rooms_do_not_know_one_another(room: str) -> None:
    below = {"validation", "errors", "_urls", "_json", "_text", "_words", "__init__"}
    below |= {"storage"} if room == "media" else set()
    for module, path in MODULES.items():
        if module.split(".")[0] == room:
            foreign = {one for one in own_imports(path) if one.split(".")[0] not in {room, *below}}
            assert foreign == set(), module


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}), ids=lambda path: path.name)
def test_a_folder_can_be_overlooked(folder: Path) -> None:
    if folder.relative_to(ROOT).as_posix() not in COLLECTIONS:
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES


@pytest.mark.parametrize("room", WITHOUT_AIRFLOW)
def test_these_rooms_know_no_airflow(room: str) -> None:
    found = [
        (module, name)
        for module, path in MODULES.items()
        if module.split(".")[0] == room
        for name in imports(path)
        if name.split(".")[0] == "airflow"
    ]
    assert found == []


def test_operators_load_neither_http_client_nor_models_nor_ffmpeg() -> None:
    code = f"""
import sys
import airflow.sdk
from airflow.sdk import BaseOperator, BaseSensorOperator, ObjectStoragePath, TaskGroup, task_group, Param, TriggerRule
before = set(sys.modules)
import {PACKAGE}.task_groups.klingvideo, {PACKAGE}.task_groups.chaining, {PACKAGE}.params
import {PACKAGE}.operators.outcome, {PACKAGE}.operators.speech, {PACKAGE}.operators.assembly
heavy = ("httpx", "pydantic", "ffmpeg", "imageio_ffmpeg", "jwt", "tenacity", "fastapi")
print([name for name in set(sys.modules) - before if name.split(".")[0] in heavy])
print(sorted(name for name in sys.modules if name.startswith("{PACKAGE}.media.") or name.endswith("client.client")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tables = [f"{PACKAGE}.media.outputs", f"{PACKAGE}.media.outputs.geometry", f"{PACKAGE}.media.outputs.presets"]
    assert done.stdout.splitlines()[-2:] == ["[]", str(tables)]


def test_the_plugin_loads_nothing_before_it_is_asked() -> None:
    code = f"""
import sys
import airflow.plugins_manager
before = set(sys.modules)
import {PACKAGE}.plugins.klingvideo
print(sorted(set(sys.modules) - before - {{'{PACKAGE}'}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str([f"{PACKAGE}.plugins", f"{PACKAGE}.plugins.klingvideo"])


PARTS = ("WorkflowEngine", "VideoSteps", "SlotBoard", "JobStore")


@pytest.mark.parametrize("part", PARTS)
def test_the_parts_are_put_together_at_one_place(part: str) -> None:
    makers = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == part
    }
    assert makers == {"runtime.session"}
