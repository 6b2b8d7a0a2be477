"""The documentation says what is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
CHAIN = {"created", "validated", "queued", "generating", "generation", "post_processing", "completed"}
TASKS = CHAIN | {"failed", "cancelled", "verdict"}


def python_blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


ONE_VIDEO, BATCH, SHOTS, FILE = python_blocks(ROOT / "README.md")


def test_the_generated_parts_are_up_to_date():
    script = ROOT / "scripts" / "draw_docs.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_example_can_be_compiled(page):
    for number, block in enumerate(python_blocks(page)):
        compile(block, f"{page.name}[{number}]", "exec")


@pytest.mark.parametrize(
    ("block", "tasks"),
    [
        (ONE_VIDEO, {f"video.{task}" for task in TASKS}),
        (BATCH, {*(f"videos.jobs.{task}" for task in TASKS), "videos.verdict"}),
        (SHOTS, {"shot"}),
        (FILE, {f"batch.{task}" for task in ("rows", "videos", "verdict")}),
    ],
    ids=["one", "batch", "decorated", "file"],
)
def test_the_dags_of_the_readme_build_their_task_groups(block, tasks):
    names: dict = {}
    exec(block, names)
    assert set(names["dag"].task_ids) == tasks


def test_another_table_as_the_page_on_operators_shows_it_has_no_task_for_cancelled():
    from airflow.sdk import DAG

    from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

    block, *_ = python_blocks(ROOT / "docs" / "operators.md")
    with DAG("another_table", schedule=None) as dag:
        exec(block, {"kling_video_workflow": kling_video_workflow})
    assert set(dag.task_ids) == {f"video.{task}" for task in TASKS - {"cancelled"}}
    assert dag.get_task("video.queued").downstream_task_ids == {"video.generating", "video.failed"}


def test_the_requests_that_the_page_on_requests_shows_are_legal():
    import ast

    from airflow_provider_klingvideo.kling import ApiFamily, check_request, parse_request

    (block,) = python_blocks(ROOT / "docs" / "requests.md")
    for statement in ast.parse(block).body:
        request = parse_request(ast.literal_eval(statement.value))
        assert check_request(request, ApiFamily.NEW) == []


def test_the_page_on_operators_names_every_operator_and_argument():
    from airflow_provider_klingvideo.operators import (
        assembly,
        batch,
        klingvideo,
        outcome,
        reconciliation,
        speech,
        video,
    )
    from airflow_provider_klingvideo.runtime.options import OPTIONS
    from airflow_provider_klingvideo.task_groups.klingvideo import GROUP_ARGUMENTS

    text = (ROOT / "docs" / "operators.md").read_text()
    homes = (assembly, batch, klingvideo, outcome, reconciliation, speech, video)
    classes = [name for home in homes for name in home.__all__]
    for name in [*classes, *GROUP_ARGUMENTS, *(one.name for one in OPTIONS)]:
        assert f"`{name}`" in text, name


def test_a_row_without_a_proof_and_a_mark_of_no_row_are_found():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import scenarios as s\n"
            "assert [row.number for row in s.rows()] == list(range(1, 48))\n"
            "rows = [*s.rows()[:2], s.Row(3, '', '', '', 'row 1: same'), s.Row(4, '', '', '', 'row 2: x')]\n"
            "print(*s.problems(rows, [s.Proof('a', (1, 99))]), sep='\\n')",
        ],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        "a names row 99",
        "row 2 has no test and no row that covers it",
        "row 4 has no test and no row that covers it",
    ], done.stderr
