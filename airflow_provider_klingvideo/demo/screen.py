"""What the demonstration shows: every job in its state while it runs, and the files at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_provider_klingvideo.workflow import TERMINAL_STATES, WorkflowJob, WorkflowState

S = WorkflowState
STEPS = (S.CREATED, S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING, S.COMPLETED)
STYLES = {S.COMPLETED: "bold green", S.FAILED: "bold red", S.CANCELLED: "yellow"}
PROMPT_WIDTH = 44
MEGABYTE = 1_000_000


def progress_table(requests: Sequence[dict[str, Any]], jobs: Sequence[WorkflowJob | None], seconds: float) -> Table:
    """Draw the jobs as they are now."""
    table = Table(box=box.SIMPLE_HEAD, title=f"Jobs after {seconds:.0f} s", title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("Prompt", no_wrap=True, max_width=PROMPT_WIDTH)
    table.add_column("Way", no_wrap=True)
    table.add_column("State", no_wrap=True)
    for index, (request, job) in enumerate(zip(requests, jobs, strict=True), start=1):
        state = job.state if job else None
        table.add_row(
            str(index),
            _shortened(str(request["prompt"])),
            _way(state),
            Text(state or "waiting", STYLES.get(state, "") if state else ""),
        )
    return table


def progress_line(jobs: Sequence[WorkflowJob | None]) -> str:
    """Say in one line where the jobs are, for a log."""
    return "  ".join(f"{number} {job.state if job else 'waiting'}" for number, job in enumerate(jobs, start=1))


def print_summary(console: Console, jobs: Sequence[WorkflowJob], folder: Path) -> None:
    """Print of every job what was asked for, what it has cost, and its files."""
    videos = Table(box=box.SIMPLE_HEAD, title="Videos", title_justify="left")
    for name, justify in (("Job", "left"), ("Prompt", "left"), ("State", "left"), ("Units", "right")):
        videos.add_column(name, justify=justify)  # type: ignore[arg-type]
    for number, job in enumerate(jobs, start=1):
        state = Text(str(job.state), STYLES.get(job.state, ""))
        videos.add_row(str(number), job.prompt, state, _units(job))
    console.print(videos)
    table = Table(box=box.SIMPLE_HEAD, title="Files", title_justify="left")
    for name, justify in (
        ("Job", "left"),
        ("File", "left"),
        ("MB", "right"),
        ("Seconds", "right"),
        ("SHA-256", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=name != "File")  # type: ignore[arg-type]
    for number, job in enumerate(jobs, start=1):
        for name, artifact in job.files.artifacts.items():
            seconds = artifact.get("duration")
            table.add_row(
                str(number),
                name,
                f"{artifact['size'] / MEGABYTE:.2f}",
                f"{seconds:.2f}" if seconds else "",
                artifact["sha256"][:16],
            )
        table.add_section()
    console.print(table)
    for number, job in enumerate(jobs, start=1):
        console.print(f"  {number}  {job.state:<10} {folder / job.id}", highlight=False, soft_wrap=True)
        if job.error:
            console.print(f"     {job.error}", style="red", highlight=False)


def _units(job: WorkflowJob) -> str:
    """What Kling has billed; before it has, nothing is known for certain."""
    return "" if job.billed_units is None else f"{job.billed_units:f}"


def _way(state: WorkflowState | None) -> Text:
    """Six dots, one per state on the way to COMPLETED."""
    if state in TERMINAL_STATES and state is not S.COMPLETED:
        return Text("x", "red")
    done = STEPS.index(state) + 1 if state else 0
    return Text("● " * done, "green") + Text("○ " * (len(STEPS) - done), "dim")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= PROMPT_WIDTH else f"{line[: PROMPT_WIDTH - 1]}…"
