"""What strikes a whole run: parts die and come back, Kling runs short of slots."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from .parts import AirflowParts, Sandbox
from .plan import CREATE, Plan
from .postgres import Postgres

OUTAGE_SECONDS = 8
SHORTAGE_SECONDS = 20
FOREIGN_TASKS = 4
MODEL = "kling-2.5-turbo"


@dataclass
class Stage:
    """Where the events take place.

    :param lot: draws the victims.
    :param slots: how many tasks the sandbox may run at once when a run begins.
    :param struck: how often each rule of the sandbox has struck, over its restarts.
    """

    parts: AirflowParts
    sandbox: Sandbox
    database: Postgres
    lot: random.Random
    slots: int
    struck: Counter[str] = field(default_factory=Counter)

    def set_up(self, plan: Plan, point_names: Mapping[str, str] | None = None) -> None:
        """Forget what was and lay out the faults of a plan.

        :param point_names: other names of the kill points.
        """
        self.struck.clear()
        self.sandbox.reset()
        # One that was restarted has started without any.
        self.sandbox.settings(slots=self.slots)
        self.parts.points.clear()
        for video in plan.videos:
            for rule in video.rules:
                self.sandbox.rule(**rule)
            for kill in video.kills:
                name = (point_names or {}).get(kill.point, kill.point)
                self.parts.points.arm(name, video.number, victim=kill.victim)

    def strikes(self, plan: Plan) -> Counter[str]:
        """How often each of Kling's faults has really struck, by its name."""
        struck = self.struck + self._struck_now()
        names = {
            _key(rule): name for video in plan.videos for name, rule in zip(video.faults, video.rules, strict=True)
        }
        return sum((Counter({names[key]: times}) for key, times in struck.items() if key in names), Counter())

    def restart_sandbox(self) -> None:
        """Kill the sandbox, and start it later with its tasks and with what its rules had not spent yet."""
        rules, slots = self._rules(), self.sandbox.ledger()["slots"]
        self.struck += self._struck_now()
        self.sandbox.kill()
        time.sleep(OUTAGE_SECONDS)
        # Nobody may order before the rules are back, and escape them.
        self.sandbox.start(full=True)
        for rule in rules:
            left = None if rule["times"] is None else rule["times"] - rule["struck"]
            if left != 0:
                self.sandbox.rule(match=rule["match"], action=rule["action"], times=left)
        self.sandbox.settings(slots=slots)

    def _rules(self) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.sandbox.url}/sandbox/rules", timeout=30, trust_env=False)
        answer.raise_for_status()
        return list(answer.json())

    def _struck_now(self) -> Counter[str]:
        return Counter({_key(rule): rule["struck"] for rule in self._rules() if rule["struck"]})


def _key(rule: Mapping[str, Any]) -> str:
    """What tells one fault of one video from the others; the sandbox lists defaults, too."""
    given = {name: value for name, value in rule["action"].items() if name in _TELLING and value not in (None, "")}
    # Codes and statuses tell apart what one action does on creates, questions and downloads.
    return json.dumps([rule["match"]["prompt_contains"], rule["match"]["path"], given], sort_keys=True)


_TELLING = {"type", "code", "http_status"}


def kill_a_task(stage: Stage) -> None:
    """SIGKILL the process of some running task, as soon as there is one."""
    end = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < end:
        with suppress(psutil.Error):
            workers = [child for scheduler in _schedulers() for child in scheduler.children()]
            tasks = [task for worker in workers for task in worker.children()]
            if tasks:
                stage.lot.choice(tasks).kill()
                return
        time.sleep(0.1)


def _schedulers() -> list[psutil.Process]:
    children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in children if "scheduler" in child.cmdline()]


def kill_the_triggerer(stage: Stage) -> None:
    """SIGKILL the triggerer and start another one."""
    stage.parts.kill("triggerer")
    time.sleep(OUTAGE_SECONDS / 2)
    stage.parts.start("triggerer")


def kill_the_scheduler(stage: Stage) -> None:
    """SIGKILL the scheduler with the tasks that it runs, as when a machine is lost."""
    stage.parts.kill("scheduler")
    time.sleep(OUTAGE_SECONDS / 2)
    stage.parts.start("scheduler")


def orphan_the_tasks(stage: Stage) -> None:
    """SIGKILL the scheduler alone; its tasks run on while the next one starts others in their place.

    Its workers hold its connections to the database open, and with them what it had locked: when they have nothing to
    do any more, they go as well.
    """
    workers = [worker for scheduler in _schedulers() for worker in scheduler.children()]
    stage.parts.kill("scheduler", orphan=True)
    stage.parts.start("scheduler")
    end = time.monotonic() + SHORTAGE_SECONDS
    while workers and time.monotonic() < end:
        workers = [worker for worker in workers if not _ended_when_idle(worker)]
        time.sleep(0.2)
    for worker in workers:
        worker.kill()


def _ended_when_idle(worker: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        if worker.children():
            return False
        worker.kill()
    return True


def crash_the_database(stage: Stage) -> None:
    """Break every connection, and start the database a moment later."""
    stage.database.crash()
    time.sleep(OUTAGE_SECONDS / 2)
    stage.database.start()


def leave_one_slot(stage: Stage) -> None:
    """Leave one slot for a while: whoever orders is refused."""
    slots = stage.sandbox.ledger()["slots"]
    stage.sandbox.settings(slots=1)
    time.sleep(SHORTAGE_SECONDS)
    stage.sandbox.settings(slots=slots)


def take_slots(stage: Stage) -> None:
    """Order videos in somebody else's name."""
    headers = {"Authorization": "Bearer sandbox-key"}
    body = {"prompt": f"Somebody else's video [sandbox:slow={SHORTAGE_SECONDS}]"}
    path = CREATE["path"].replace("*", MODEL)
    for _ in range(FOREIGN_TASKS):
        httpx.post(f"{stage.sandbox.url}{path}", headers=headers, json=body, timeout=30, trust_env=False)


ACTS: Mapping[str, Callable[[Stage], None]] = {
    "SIGKILL of a task's process": kill_a_task,
    "SIGKILL of the triggerer": kill_the_triggerer,
    "SIGKILL of the scheduler with its tasks": kill_the_scheduler,
    "SIGKILL of the scheduler alone": orphan_the_tasks,
    "SIGKILL of the sandbox": Stage.restart_sandbox,
    "crash of the database": crash_the_database,
    "1303 storm: one slot left": leave_one_slot,
    "somebody else's tasks take slots": take_slots,
}
"""How each of :data:`~chaos.plan.EVENTS` is done."""
