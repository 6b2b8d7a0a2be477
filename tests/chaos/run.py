"""The seeded run: hundreds of videos, faults at every point, the invariants afterwards; the baseline beside it.

.. code-block:: console

    $ make chaos                    # three fixed seeds and one at random
    $ make chaos SEED=17 JOBS=20    # one seed again, with fewer videos
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live_airflow import ENDED
from rich.console import Console
from rich.table import Table

from . import naive
from .events import ACTS, Stage
from .invariants import CANCELLED, FAILED, INVARIANTS, History, Video, violations
from .parts import AirflowParts, Sandbox
from .plan import Event, Plan, drawn
from .points import job_number
from .postgres import Postgres
from .recorder import Recorder

FIXED_SEEDS = (11, 22, 33)
JOBS = 76
SLOTS = 12
# So long that tasks defer, so short that hundreds of videos come through.
GENERATION_SECONDS = "8-20"
LONGEST_RUN_SECONDS = 2400.0
TAKE_UP_ROUNDS = 2
PAUSE_SECONDS = 1.0
SHOWN_VIOLATIONS = {"ours": 100, "compact": 100, "naive": 3}
LINE = 200
WIDTH = 160

# Tasks are forked from the scheduler: what it has loaded, hundreds of them need not load.
PRELOAD = """\
import airflow_provider_klingvideo.runtime.session
import airflow_provider_klingvideo.task_groups.klingvideo
"""

TASKS = (
    *("created", "validated", "queued", "generating", "generation"),
    *("post_processing", "completed", "failed", "cancelled", "verdict"),
)
GROUP = "videos.jobs"
# Nobody clears what cannot come to another end.
PERMANENT = {"generation_failed", "no_result", "content_policy"}
FOLLOWED = {"timeout", "polling", "abandoned"}


@dataclass(frozen=True)
class Outcome:
    """What came of one run.

    :param ends: the videos by their end.
    :param violations: by invariant; None where it does not apply.
    :param faults: kinds of faults, how often they really struck.
    :param taken_up: how many videos a person had to take up again.
    :param instances: task instances of the run.
    """

    ends: Counter[str]
    violations: Mapping[str, list[str] | None]
    faults: Counter[str]
    taken_up: int
    tasks: int
    instances: int
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 1 when an invariant of ours was violated."""
    options = parsed(arguments)
    outcomes = outcomes_of(options)
    Console(width=WIDTH).print(_summary(outcomes))
    if options.write:
        options.write.write_text(_markdown(outcomes))
    ours = [one for of_seed in outcomes.values() for name, one in of_seed.items() if name != "naive"]
    return int(any(found for one in ours for found in one.violations.values()))


def outcomes_of(options: argparse.Namespace) -> dict[int, dict[str, Outcome]]:
    """Run every seed in every way, and tell of each.

    :returns: by seed and way.
    """
    console = Console(width=WIDTH)
    seeds = options.seed or [*FIXED_SEEDS, random.SystemRandom().randrange(1_000_000)]
    outcomes: dict[int, dict[str, Outcome]] = {}
    with ExitStack() as stack:
        folder = Path(options.folder or tempfile.mkdtemp(prefix="klingvideo-chaos-"))
        folder.mkdir(parents=True, exist_ok=True)
        console.print(f"Seeds {', '.join(map(str, seeds))}, everything is written to {folder}")
        database = stack.enter_context(Postgres())
        vendor = ["--slots", str(options.slots), "--generation-seconds", GENERATION_SECONDS]
        sandbox = stack.enter_context(Sandbox(folder, vendor))
        preload(folder)
        settings = {
            # Arguments of triggers are stored as they are, so that they can be read.
            "CORE__FERNET_KEY": "",
            # A task that resumes while its worker's report is still on the way is taken for lost.
            "KLINGVIDEO__SLOT_PAUSE_SECONDS": "10",
        }
        parts = stack.enter_context(AirflowParts(folder, database.url, sandbox.url, settings=settings))
        for dag_id in ("seeded", "seeded_compact", "seeded_naive"):
            parts.wait_for_dag(dag_id)
        for seed in seeds:
            plan = drawn(seed, options.jobs)
            runner = Runner(Stage(parts, sandbox, database, random.Random(seed), options.slots), plan, console)
            outcomes[seed] = {name: RUNS[name](runner) for name in options.only or COMPARED}
            report(console, plan, outcomes[seed])
    return outcomes


def preload(folder: Path) -> None:
    """Let an Airflow to come load the product before it forks the processes of tasks, as docs/performance.md says."""
    local_settings = folder / "airflow" / "config" / "airflow_local_settings.py"
    local_settings.parent.mkdir(parents=True)
    local_settings.write_text(PRELOAD)


class Runner:
    """Runs one plan.

    :param stage: the running parts.
    """

    def __init__(self, stage: Stage, plan: Plan, console: Console) -> None:
        self._stage = stage
        self._plan = plan
        self._console = console
        self._happened: Counter[str] = Counter()

    def ours(self) -> Outcome:
        """Run our DAG, and take up what a person would take up."""
        return self._taken_to_the_end("seeded", Recorder.recorded, self._tasks_of)

    def compact(self) -> Outcome:
        """The same with many videos in each task."""
        return self._taken_to_the_end("seeded_compact", Recorder.listed, lambda *_: ["videos.videos"])

    def _taken_to_the_end(
        self,
        dag_id: str,
        videos: Callable[[Recorder], Iterator[Video]],
        tasks_of: Callable[[Recorder, Mapping[int, str]], list[Any]],
    ) -> Outcome:
        self._stage.set_up(self._plan)
        start = time.monotonic()
        recorder = self._started(dag_id, f"seed-{self._plan.seed}")
        self._watch(recorder, self._plan.events)
        taken_up = 0
        for _ in range(TAKE_UP_ROUNDS):
            cleared = dict(_to_be_cleared(recorder))
            if not cleared:
                break
            taken_up += len(cleared)
            self._clear(recorder, tasks_of(recorder, cleared))
            self._watch(recorder)
        return self._outcome(recorder, lambda: videos(recorder), start, regenerates=False, taken_up=taken_up)

    def naive(self) -> Outcome:
        """Run the baseline."""
        self._stage.set_up(self._plan, naive.POINTS)
        start = time.monotonic()
        recorder = self._started("seeded_naive", f"seed-{self._plan.seed}")
        self._watch(recorder, self._plan.events)
        return self._outcome(recorder, recorder.remembered, start, regenerates=True, taken_up=0)

    def _started(self, dag_id: str, run_id: str) -> Recorder:
        self._happened.clear()
        parts, requests = self._stage.parts, [video.request for video in self._plan.videos]
        recorder = Recorder(
            parts, self._stage.sandbox, self._stage.database.url, dag_id=dag_id, run_id=run_id, plan=self._plan
        )
        parts.airflow.trigger(dag_id, run_id, requests=requests, folder=str(recorder.folder))
        return recorder

    def _watch(self, recorder: Recorder, events: Iterable[Event] = ()) -> None:
        """Look, strike when it is time, and start what has died, until the run has ended."""
        coming = list(events)
        end = time.monotonic() + LONGEST_RUN_SECONDS
        with ThreadPoolExecutor(1) as pool:
            striking: Future[None] | None = None
            while recorder.run_state() not in ENDED:
                if time.monotonic() > end:
                    self._give_up(recorder)
                recorder.look()
                if striking is None or striking.done():
                    striking = self._next_strike(recorder, pool, striking, coming)
                time.sleep(PAUSE_SECONDS)
            if striking is not None:
                striking.result()

    def _next_strike(
        self, recorder: Recorder, pool: Executor, last: Future[None] | None, coming: list[Event]
    ) -> Future[None] | None:
        """Start what the last event has ended for good, and let the next one begin when it is due."""
        if last is not None:
            last.result()
        for part in self._stage.parts.revive():
            self._say(recorder, f"{part} had ended and was started again")
        if not coming or recorder.progress() < coming[0].at:
            return None
        event = coming.pop(0)
        self._say(recorder, f"{event.name} at {event.at:.0%}")
        self._happened[event.name] += 1
        return pool.submit(ACTS[event.name], self._stage)

    def _give_up(self, recorder: Recorder) -> None:
        self._say(recorder, f"not ended after {LONGEST_RUN_SECONDS:.0f} s; marked as failed")
        run = f"/dags/{recorder.dag_id}/dagRuns/{recorder.run_id}"
        self._stage.parts.airflow.call("PATCH", run, state="failed")

    def _tasks_of(self, recorder: Recorder, cleared: Mapping[int, str]) -> list[Any]:
        for index, task in cleared.items():
            self._say(recorder, f"cleared {task}[{index}]")
        return [[f"{GROUP}.{task}", index] for index, first in cleared.items() for task in TASKS[TASKS.index(first) :]]

    def _clear(self, recorder: Recorder, tasks: list[Any]) -> None:
        body = {
            "dag_run_id": recorder.run_id,
            "task_ids": [*tasks, "videos.verdict"],
            "dry_run": False,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self._stage.parts.airflow.call("POST", f"/dags/{recorder.dag_id}/clearTaskInstances", **body)

    def _outcome(
        self,
        recorder: Recorder,
        videos: Callable[[], Iterator[Video]],
        start: float,
        *,
        regenerates: bool,
        taken_up: int,
    ) -> Outcome:
        seconds = time.monotonic() - start
        history: History = recorder.history(videos(), regenerates=regenerates)
        strikes = Counter(f"killed at {strike.point}" for strike in self._stage.parts.points.strikes())
        if recorder.missed_requests:
            self._say(recorder, "more requests than could be noted: I9 saw only a part of them")
        outcome = Outcome(
            ends=Counter(video.state for video in history.videos),
            violations=violations(history),
            faults=self._stage.strikes(self._plan) + strikes + self._happened,
            taken_up=taken_up,
            tasks=len(history.tasks),
            instances=recorder.instances(),
            seconds=seconds,
        )
        counts = {name: len(found) for name, found in outcome.violations.items() if found}
        self._say(recorder, f"{dict(outcome.ends)}, violations: {counts or 'none'}")
        return outcome

    def _say(self, recorder: Recorder, words: str) -> None:
        self._console.print(f"{time.strftime('%H:%M:%S')} {recorder.dag_id} {recorder.run_id}: {words}", style="dim")


RUNS: Mapping[str, Callable[[Runner], Outcome]] = {
    "ours": Runner.ours,
    "compact": Runner.compact,
    "naive": Runner.naive,
}
COMPARED = ("ours", "naive")


def _to_be_cleared(recorder: Recorder) -> Iterator[tuple[int, str]]:
    """Name, by map index, the task from which an ended job is to be taken up, as docs/reliability.md says."""
    indices = {video.number: index for index, video in enumerate(recorder.plan.videos)}
    for record in recorder.records():
        failure = record["failure"] or {}
        if record["state"] not in {FAILED, CANCELLED} or failure.get("kind") in PERMANENT:
            continue
        yield indices[str(job_number(record["prompt"]))], first_task(failure, has_task=bool(record["klingai_job_id"]))


def first_task(failure: Mapping[str, Any], *, has_task: bool) -> str:
    """Name the task that docs/reliability.md tells a person to clear.

    :param failure: of the job's record.
    :param has_task: whether the record names a task at Kling.
    """
    state = failure.get("state")
    if state == "GENERATING":
        return "generation" if has_task and failure["kind"] in FOLLOWED else "generating"
    return {"QUEUED": "queued", "POST_PROCESSING": "post_processing"}.get(str(state), "created")


def report(console: Console, plan: Plan, outcomes: Mapping[str, Outcome]) -> None:
    """Print what came of one seed."""
    planned = plan.counts()
    faults = Table(title=f"Seed {plan.seed}: {len(plan.videos)} videos, what went wrong", title_justify="left")
    faults.add_column("fault")
    for name in ("planned", *outcomes):
        faults.add_column(name, justify="right")
    for name in sorted(planned | sum((one.faults for one in outcomes.values()), Counter())):
        faults.add_row(name, str(planned[name]), *(str(one.faults[name]) for one in outcomes.values()))
    console.print(faults)
    console.print(_verdict_table(f"Seed {plan.seed}: violations", [outcomes]))
    for name, one in outcomes.items():
        for invariant, found in one.violations.items():
            for line in (found or [])[: SHOWN_VIOLATIONS[name]]:
                console.print(f"  {name} {invariant} {line}"[:LINE], highlight=False, markup=False)


def _verdict_table(title: str, outcomes: Sequence[Mapping[str, Outcome]]) -> Table:
    table = Table(title=title, title_justify="left")
    columns = list(outcomes[0])
    for name, justify in (("", "left"), ("must hold", "left"), *((name, "right") for name in columns)):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in rows(outcomes):
        table.add_row(*row)
    return table


def rows(outcomes: Sequence[Mapping[str, Outcome]]) -> Iterator[list[str]]:
    """The table of what was violated, ended, ordered: by way, summed up over seeds."""
    columns = list(outcomes[0])
    for name, invariant in INVARIANTS.items():
        found = [[one[column].violations[name] for one in outcomes] for column in columns]
        counts = [
            "-" if all(one is None for one in of_column) else str(sum(len(one or []) for one in of_column))
            for of_column in found
        ]
        yield [name, invariant.words, *counts]
    ends = [sum((one[column].ends for one in outcomes), Counter()) for column in columns]
    for end in sorted(set().union(*ends)):
        yield ["", f"videos {end}", *(str(counted[end]) for counted in ends)]
    yield ["", "tasks ordered at Kling", *(str(sum(one[column].tasks for one in outcomes)) for column in columns)]
    yield ["", "taken up by a person", *(str(sum(one[column].taken_up for one in outcomes)) for column in columns)]
    yield ["", "task instances", *(str(sum(one[column].instances for one in outcomes)) for column in columns)]
    yield ["", "minutes", *(f"{sum(one[column].seconds for one in outcomes) / 60:.1f}" for column in columns)]


def _summary(outcomes: Mapping[int, Mapping[str, Outcome]]) -> Table:
    seeds = ", ".join(map(str, outcomes))
    return _verdict_table(f"Seeds {seeds}: violations", list(outcomes.values()))


def _markdown(outcomes: Mapping[int, Mapping[str, Outcome]]) -> str:
    columns = list(next(iter(outcomes.values())))
    heads = ["", "must hold", *columns]
    lines = [heads, ["---", "---", *("---:" for _ in columns)], *rows(list(outcomes.values()))]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    faults = sum((one["ours"].faults for one in outcomes.values()), Counter())
    listed = "\n".join(f"| {name} | {count} |" for name, count in sorted(faults.items()))
    return INTRODUCTION.format(
        seeds=", ".join(map(str, outcomes)),
        videos=sum(sum(one["ours"].ends.values()) for one in outcomes.values()),
        table=table,
        faults=f"| fault | times |\n| --- | ---: |\n{listed}",
    )


INTRODUCTION = """# Chaos

`make chaos` orders hundreds of videos from the [sandbox](sandbox.md) on a running Airflow with PostgreSQL, draws from a
seed what goes wrong with each of them and with the whole, and checks what must hold afterwards: over Kling's
books, Airflow's database and logs, the job records and the files. `make chaos SEED=n` runs one seed again.

The baseline (`naive`) does the same work by the pattern of the official OpenAI batch operator: it orders, keeps
Kling's id until it returns it, waits in a trigger, and what fails Airflow tries again, from the order on. It meets the
same faults.

Violations, for the seeds {seeds} with {videos} videos:

{table}

What struck ours:

{faults}
"""


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, action="append", help="this seed alone; may be given again")
    parser.add_argument("--jobs", type=int, default=JOBS, help="videos for each seed (default: %(default)s)")
    parser.add_argument("--slots", type=int, default=SLOTS, help="at Kling (default: %(default)s)")
    parser.add_argument(
        "--only", choices=RUNS, action="append", help="this way; may be given again (default: ours and naive)"
    )
    parser.add_argument("--folder", type=Path, help="an empty folder for all that is written")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the figures as Markdown")
    options = parser.parse_args(arguments)
    if options.write and options.only:
        parser.error("--write compares the two; leave out --only")
    return options
