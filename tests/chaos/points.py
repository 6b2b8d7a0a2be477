"""Named places in the product's code at which the very process that gets there kills itself.

The DAG files of these tests call :func:`install`, so that every process that runs a task wraps the product's functions.
At a point, a process that finds a token for the point and its job takes the token, writes that down, and sends itself
SIGKILL: nothing is cleaned up, nothing is flushed.

.. code-block:: python

    points = Points(folder)
    points.arm("after_post", "017")                   # the job whose prompt says #017, once
    points.arm("after_post", "017", victim="worker")  # with the process that supervises the task
    points.strikes()                                  # [Strike(point="after_post", job="017", ...)]

The points are the rows of :data:`POINTS`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

FOLDER_VARIABLE = "KLINGVIDEO_CHAOS_POINTS"
LOG_NAME = "strikes.jsonl"
PACKAGE = "airflow_provider_klingvideo"
SOURCE = "source.mp4"
FOREIGN = {"pathlib"}

Victim = Literal["task", "worker", "frozen"]
Condition = Callable[..., bool]


def always(*_arguments: Any, **_named: Any) -> bool:
    """The point is reached on every call."""
    return True


def completed(_store: Any, job: Any) -> bool:
    """A record of a job that is COMPLETED is kept."""
    return str(job.state) == "COMPLETED"


def part_of_record(path: Any, _target: Any) -> bool:
    """The part file of a job's record is about to get its name."""
    return str(path.name).startswith(".job.json.")


def part_of_source(path: Any, _target: Any) -> bool:
    """The part file of the source is about to get its name."""
    return str(path.name).startswith(f".{SOURCE}.")


def to_source(_local: Any, destination: Any) -> bool:
    """The source was published."""
    return str(destination.name) == SOURCE


@dataclass(frozen=True)
class Point:
    """Where a process dies.

    :param module: module of the function; see :data:`FOREIGN` for those that do not lie in the product.
    :param function: its name, with that of its class.
    :param when: before the call or after it.
    :param condition: whether a call counts, told its arguments.
    """

    module: str
    function: str
    when: Literal["before", "after"]
    condition: Condition = always


SENSOR = ("sensors.klingvideo", "KlingVideoGenerationSensor")
POINTS: Mapping[str, Point] = {
    "before_created": Point("workflow.inputs.creation", "created_job", "before"),
    "after_created": Point("workflow.inputs.creation", "created_job", "after"),
    # A record lies whole under its temporary name.
    "mid_record": Point("pathlib", "Path.replace", "before", part_of_record),
    # Nothing of the order is on record.
    "before_intent": Point("workflow.ordering.submission", "ensure_task", "before"),
    # The intent is on record, nothing was sent.
    "after_intent": Point("kling.client.client", "AsyncKlingClient.create", "before"),
    # Kling has accepted, its answer is known to this process alone.
    "after_post": Point("kling.client.client", "AsyncKlingClient.create", "after"),
    # Kling's id is on record, Airflow knows nothing of it.
    "after_record": Point("workflow.ordering.submission", "ensure_task", "after"),
    "before_defer": Point(SENSOR[0], f"{SENSOR[1]}.defer", "before"),
    "on_resume": Point(SENSOR[0], f"{SENSOR[1]}.execute_complete", "before"),
    # The first bytes have come.
    "during_download": Point("media.fetch.transfer", "_Transfer._sniff", "before"),
    # The source lies whole under its temporary name.
    "mid_publish": Point("pathlib", "Path.replace", "before", part_of_source),
    # Loaded, not on record.
    "after_source_published": Point("media.delivery", "publish", "after", to_source),
    "during_render": Point("media.ffmpeg.runner", "_report", "before"),
    "before_completed_record": Point("workflow.job.store", "JobStore.save", "before", completed),
    "after_completed_record": Point("workflow.job.store", "JobStore.save", "after", completed),
}


@dataclass(frozen=True)
class Strike:
    """A process that has killed itself.

    :param point: where.
    :param job: the number in the prompt of its job.
    :param victim: ``task``: the process that runs the task; ``worker``: also the one that supervises it; ``frozen``:
        both stand still until :meth:`Points.thaw`, as on a machine that hangs and comes back.
    :param pid: the task's process.
    :param worker: the process that supervises it.
    :param time: seconds since the epoch.
    """

    point: str
    job: str
    victim: Victim
    pid: int
    worker: int
    time: float


class Points:
    """The tokens, as files of one folder that all processes see.

    :param folder: made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str, job: str, *, victim: Victim = "task", times: int = 1) -> None:
        """Let the processes of a job die at a point.

        :param point: a row of :data:`POINTS`, or a name that is given to :func:`strike`.
        :param job: the number in the job's prompt, as it is written there behind the #.
        :param victim: who dies, see :class:`Strike`.
        :param times: so many processes, one after the other.
        """
        for number in range(times):
            (self.folder / f"{point}@{job}@{number}").write_text(victim)

    def clear(self) -> None:
        """Forget the tokens that nobody has taken, and who died."""
        for path in self.folder.iterdir():
            path.unlink()

    def strikes(self) -> list[Strike]:
        """Return who died since the last :meth:`clear`, in order."""
        log = self.folder / LOG_NAME
        lines = log.read_text().splitlines() if log.exists() else []
        return [Strike(**json.loads(line)) for line in lines]

    def thaw(self) -> None:
        """Let the frozen processes go on, and wait until their tasks have ended."""
        frozen = [one for one in self.strikes() if one.victim == "frozen"]
        for one in frozen:
            for pid in (one.pid, one.worker):
                os.kill(pid, signal.SIGCONT)
        while any(psutil.pid_exists(one.pid) for one in frozen):
            time.sleep(0.1)

    def claim(self, point: str, job: str) -> Victim | None:
        """Take a token; None when there is none."""
        for token in sorted(self.folder.glob(f"{point}@{job}@*")):
            taken = token.with_name(f"taken-{os.getpid()}")
            try:
                token.rename(taken)
            except FileNotFoundError:
                continue
            victim: Any = taken.read_text()
            taken.unlink()
            return victim
        return None

    def log(self, strike: Strike) -> None:
        """Write down who dies."""
        line = json.dumps(asdict(strike)).encode() + b"\n"
        log = os.open(self.folder / LOG_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(log, line)
        os.close(log)


def job_number(prompt: str) -> str | None:
    """Return the number that a prompt carries: "017" of "A fox #017"."""
    found = re.search(r"#(\d+)", prompt)
    return found and found[1]


def strike(point: str, job: str) -> None:
    """Die, when a token says so."""
    points = Points(Path(os.environ[FOLDER_VARIABLE]))
    victim = points.claim(point, job)
    if victim is None:
        return
    task, worker = os.getpid(), os.getppid()
    points.log(Strike(point, job, victim, task, worker, time.time()))
    struck = (task,) if victim == "task" else (worker, task)
    for pid in struck:
        os.kill(pid, signal.SIGSTOP if victim == "frozen" else signal.SIGKILL)


_present_job: ContextVar[str | None] = ContextVar("present_job", default=None)
"""The number of the job that is worked on: of many in one process each has a context of its own."""


def install() -> None:
    """Wrap the product's functions in this process, once; without the environment's folder do nothing."""
    if FOLDER_VARIABLE not in os.environ or getattr(install, "done", False):
        return
    install.done = True  # type: ignore[attr-defined]
    _wrap(f"{PACKAGE}.runtime.job_run", "JobRun.start", _remember_job)
    _wrap(f"{PACKAGE}.runtime.job_run", "JobRun.create", _remember_job)
    _wrap(f"{PACKAGE}.workflow.job.engine", "WorkflowEngine.process", _remember_processed)
    for name, point in POINTS.items():
        module = point.module if point.module in FOREIGN else f"{PACKAGE}.{point.module}"
        _wrap(module, point.function, functools.partial(_pointed, name, point))


def _wrap(module: str, function: str, wrapper: Callable[[Any], Any]) -> None:
    owner: Any = importlib.import_module(module)
    *path, name = function.split(".")
    for step in path:
        owner = getattr(owner, step)
    original = getattr(owner, name)
    wrapped = wrapper(original)
    setattr(owner, name, wrapped)
    # Modules that were loaded before have the function under their own names.
    for known in [one for key, one in sys.modules.items() if key.startswith(PACKAGE)] if not path else ():
        if vars(known).get(name) is original:
            setattr(known, name, wrapped)


def _remember_job(start: Any) -> Any:
    def remembering(_cls: Any, *arguments: Any) -> Any:
        run = start(*arguments)
        _note_job([run])
        return run

    return classmethod(remembering)


def _remember_processed(process: Any) -> Any:
    async def remembering(engine: Any, job: Any) -> Any:
        _note_job([job])
        return await process(engine, job)

    return remembering


def _note_job(arguments: Iterable[Any]) -> None:
    """Remember which job this process works on, when an argument tells: a task, a job, a request."""
    for argument in arguments:
        job = getattr(argument, "job", argument)
        prompt = job.get("prompt") if isinstance(job, Mapping) else getattr(job, "prompt", None)
        if isinstance(prompt, str):
            _present_job.set(job_number(prompt))


def _pointed(name: str, point: Point, function: Any) -> Any:
    def reached(when: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        _note_job(arguments)
        job = _present_job.get()
        if job is not None and point.when == when and point.condition(*arguments, **named):
            strike(name, job)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def pointed_coroutine(*arguments: Any, **named: Any) -> Any:
            reached("before", arguments, named)
            answer = await function(*arguments, **named)
            reached("after", arguments, named)
            return answer

        return pointed_coroutine

    @functools.wraps(function)
    def pointed(*arguments: Any, **named: Any) -> Any:
        reached("before", arguments, named)
        answer = function(*arguments, **named)
        reached("after", arguments, named)
        return answer

    return pointed
