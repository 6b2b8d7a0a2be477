"""Ends what the demonstration has started, however the demonstration itself ends: by Ctrl+C, a crash, a SIGKILL.

It is a process of its own that waits for the end of its standard input, which the demonstration holds open. Then it
ends every process that carries the demonstration's mark in its environment: a child inherits it, also one that begins
a session of its own or has lost its parent.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Self

import psutil

VARIABLE = "KLINGVIDEO_DEMO"
GRACE_SECONDS = 10.0
LONGEST_SECONDS = 30.0


class Keeper:
    """Keeps the processes of one demonstration together: all of them end when it is closed, or lost.

    ``environment`` goes to every process that is to end with the demonstration.
    """

    def __init__(self) -> None:
        mark = uuid.uuid4().hex
        # Airflow gives its processes titles; without SPT_NOENV their environment could not be read any more.
        self.environment: Mapping[str, str] = {VARIABLE: mark, "SPT_NOENV": "1"}
        self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own command
            # -P: the modules beside this one must not be taken for others of their names.
            [sys.executable, "-P", __file__, mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl+C and the end of a terminal are not meant for it.
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End everything, and wait for it."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(LONGEST_SECONDS)


def end_all(mark: str, *, grace: float = GRACE_SECONDS) -> None:
    """End all processes that carry a mark: first they are asked to, then they have to.

    :param mark: the value of the variable in their environment.
    :param grace: seconds for those that are asked.
    """
    _until_none(mark, psutil.Process.terminate, grace)
    _until_none(mark, psutil.Process.kill, grace)


def _until_none(mark: str, end: Callable[[Any], None], seconds: float) -> None:
    last = time.monotonic() + seconds
    asked: set[int] = set()
    while (found := marked(mark)) and time.monotonic() < last:
        for process in found:
            if process.pid not in asked:
                asked.add(process.pid)
                try:
                    end(process)
                except psutil.Error:
                    continue
        time.sleep(0.2)


def marked(mark: str) -> list[Any]:
    """Return the running processes that carry a mark."""
    return [process for process in psutil.process_iter() if _mark_of(process) == mark]


def _mark_of(process: Any) -> str | None:
    try:
        mark: str | None = process.environ().get(VARIABLE)
    except (psutil.Error, OSError):
        # It has ended, or belongs to somebody else.
        return None
    return mark


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end_all(sys.argv[1])
