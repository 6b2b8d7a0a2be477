"""The rooms of the house: imports go downwards only, and DAG files load nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "airflow_provider_klingvideo"
ROOT = Path(__file__).parents[2] / PACKAGE

# What a room may import of this package besides itself.
BELOW = {
    "kling": set(),
    "media": set(),
    "sandbox": set(),
    "workflow": {"kling", "media"},
    "links": set(),
    "hooks": {"kling", "get_provider_info"},
    "triggers": {"workflow", "kling", "hooks"},
    "operators": {"workflow", "kling", "media", "hooks", "links", "triggers", "configuration", "_compat"},
    "sensors": {"workflow", "operators", "links", "triggers", "configuration", "_compat"},
    "task_groups": {"workflow", "operators", "sensors"},
    "demo": {"workflow", "task_groups"},
    "cli": {"sandbox", "demo", "kling", "workflow", "operators", "configuration"},
}
# These lie below every room.
BOTTOM = {"errors", "_lazy", "_urls", "__version__"}
WITHOUT_AIRFLOW = ("kling", "media", "sandbox", "workflow", "cli")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(room):
    return list((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_what_lies_below_it(room):
    allowed = BELOW[room] | {room, *BOTTOM}
    for path in modules(room):
        for name in imports(path):
            if name.startswith(f"{PACKAGE}."):
                assert name.split(".")[1] in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_every_room_is_known():
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert rooms == set(BELOW)


@pytest.mark.parametrize("room", WITHOUT_AIRFLOW)
def test_these_rooms_know_no_airflow(room):
    found = [(path.name, name) for path in modules(room) for name in imports(path) if name.split(".")[0] == "airflow"]
    assert found == []


def test_operators_load_neither_http_client_nor_models_nor_ffmpeg():
    code = f"""
import sys
import airflow.sdk
from airflow.sdk import BaseOperator, BaseSensorOperator, ObjectStoragePath, TaskGroup, task_group, Param, TriggerRule
before = set(sys.modules)
import {PACKAGE}.task_groups.klingvideo, {PACKAGE}.task_groups.chaining, {PACKAGE}.params
import {PACKAGE}.operators.outcome, {PACKAGE}.operators.speech, {PACKAGE}.operators.assembly
heavy = ("httpx", "pydantic", "ffmpeg", "imageio_ffmpeg", "jwt", "tenacity", "fastapi")
print([name for name in set(sys.modules) - before if name.split(".")[0] in heavy])
print(sorted(name for name in sys.modules if name.startswith("{PACKAGE}.media.") or name.endswith("kling.client")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tables = [f"{PACKAGE}.media.geometry", f"{PACKAGE}.media.presets"]
    assert done.stdout.splitlines()[-2:] == ["[]", str(tables)]
