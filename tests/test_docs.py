"""The documentation says what is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_generated_parts_are_up_to_date():
    script = ROOT / "scripts" / "draw_docs.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=["one", "batch"])
def test_the_dags_of_the_readme_build_their_task_groups(block):
    from airflow.sdk import DAG

    names: dict = {}
    exec(block, names)
    assert DAG is names["DAG"]


def test_the_page_on_operators_names_every_operator_and_argument():
    from dataclasses import fields

    from airflow_provider_klingvideo.operators import klingvideo, outcome
    from airflow_provider_klingvideo.task_groups.klingvideo import KlingVideoWorkflow

    text = (ROOT / "docs" / "operators.md").read_text()
    for name in [*klingvideo.__all__, *outcome.__all__, *(one.name for one in fields(KlingVideoWorkflow))]:
        assert name in text, name
