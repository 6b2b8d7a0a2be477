"""Signals that end a command: each is raised where the command stands, so that it can say and tidy what is left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asks the command to end.

    :param number: the signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def exit_code_of(interruption: KeyboardInterrupt) -> int:
    """Return what a shell expects of a command that a signal has ended: 128 and the signal's number."""
    return 128 + getattr(interruption, "number", signal.SIGINT)


@contextmanager
def raised_signals() -> Iterator[None]:
    """Raise :class:`Interrupted` on SIGTERM and SIGHUP, as Python does on Ctrl+C; what is ignored stays ignored."""
    before: dict[int, Any] = {}
    # Another thread than the main one cannot set handlers.
    if threading.current_thread() is threading.main_thread():
        before = {one: signal.getsignal(one) for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted(number)
