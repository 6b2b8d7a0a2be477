"""Workers that act at the same time: real processes, and threads whose every look at a store waits for its turn."""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_klingvideo.storage.listing import entries
from airflow_provider_klingvideo.storage.protocols import remove
from airflow_provider_klingvideo.storage.writing import read_whole
from airflow_provider_klingvideo.workflow.gates.ledger import ledger

LONGEST_SECONDS = 60.0
DIED = 9
# What a ledger does with its store.
STEPS = {"entries": entries, "read_whole": read_whole, "create": ledger.create, "remove": remove}

_fork = multiprocessing.get_context("fork")


def run_processes(works: Iterable[Callable[[], Any]]) -> list[int]:
    """Run each work in a process of its own, all begun together; return their exit codes."""
    works = list(works)
    gate = _fork.Barrier(len(works))

    def begin(work: Callable[[], Any]) -> None:
        gate.wait()
        work()

    processes = [_fork.Process(target=begin, args=(work,), daemon=True) for work in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LONGEST_SECONDS)
    codes = [process.exitcode for process in processes]
    assert None not in codes, "a worker hangs"
    return codes


def run_threads(works: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run each work in a thread of its own, all begun together; return what they returned."""
    works = list(works)
    gate, results = threading.Barrier(len(works)), [None] * len(works)

    def begin(index: int, work: Callable[[], Any]) -> None:
        gate.wait()
        results[index] = work()

    threads = [threading.Thread(target=begin, args=pair, daemon=True) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "a worker hangs"
    return results


def say(file: Path, word: str) -> None:
    """Note something where other processes and later tests find it, whatever becomes of this process."""
    with file.open("a") as stream:
        stream.write(f"{word}\n")


def said(file: Path) -> list[str]:
    """What was noted."""
    return file.read_text().splitlines() if file.exists() else []


def die_now_and_then(seed: int, share: float) -> None:
    """Make this process die without a word, before or after some of its steps."""
    dice = random.Random(seed)

    def mortal(step: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any) -> Any:
            for take in (lambda: None, lambda: step(*args)):
                if dice.random() < share:
                    os._exit(DIED)
                result = take()
            return result

        return stepped

    for name, step in STEPS.items():
        setattr(ledger, name, mortal(step))


class Turns:
    """Threads that go on step by step, as a schedule says."""

    def __init__(self) -> None:
        self._runners: dict[int, Runner] = {}

    def stepped(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Make a function wait for its turn when one of the threads calls it."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            runner = self._runners.get(threading.get_ident())
            if runner:
                runner.pause()
            return step(*args, **kwargs)

        return wrapped

    def run(self, works: Sequence[Callable[[], Any]], schedule: Sequence[tuple[int, int]]) -> list[Any]:
        """Run works by a schedule, and in turns after its end; return what they returned.

        :param schedule: indexes of works, and how many steps each one takes then; after none it stops for ever, like a
            killed process.
        """
        runners = [Runner(work, self._runners) for work in works]
        for runner in runners:
            runner.start()
        for index, steps in schedule:
            runner = runners[index % len(runners)]
            runner.is_killed |= not steps
            for _ in range(steps):
                runner.step()
        for _ in range(3000):
            for runner in runners:
                runner.step()
        assert all(runner.is_done or runner.is_killed for runner in runners), "a worker never ends"
        return [runner.result for runner in runners]


class Runner(threading.Thread):
    """A work that stops before every step."""

    def __init__(self, work: Callable[[], Any], runners: dict[int, Runner]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._runners = runners
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.result: Any = None
        self.is_done = self.is_killed = self._is_begun = False

    def run(self) -> None:
        self._runners[threading.get_ident()] = self
        self._go.acquire()
        self.result = self._work()
        self.is_done = True
        self._stopped.release()

    def pause(self) -> None:
        """Wait for the next turn."""
        self._stopped.release()
        self._go.acquire()

    def step(self) -> None:
        """Go on to the next step."""
        if not self.is_done and not self.is_killed:
            self._go.release()
            self._stopped.acquire()
