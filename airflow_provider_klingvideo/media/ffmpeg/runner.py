"""The one way to run ffmpeg: it cannot hang, cannot fill a pipe, cannot outlive this process, can be ended."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from airflow_provider_klingvideo._words import harmless
from airflow_provider_klingvideo.media.errors import FFmpegError
from airflow_provider_klingvideo.media.ffmpeg.faults import not_started

STDERR_LINES = 2000
SHOWN_LINES = 20
# Airflow kills a task about five seconds after it asked it to end: ffmpeg must be gone before.
GRACE_SECONDS = 2.0

# ffmpeg survives the SIGKILL of its parent. prctl is called by a small wrapper, which then becomes ffmpeg, because
# code between fork and exec (preexec_fn) can deadlock in a process with threads. 1 is PR_SET_PDEATHSIG. A wrapper that
# fails says why in a line of its own, since its exit code could be one of ffmpeg's.
_DIE_WITH_PARENT = """\
import os, sys
try:
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    os.nice(int(sys.argv[2]))
    if os.getppid() == int(sys.argv[1]):
        os.execv(sys.argv[3], sys.argv[3:])
except BaseException as error:
    number = getattr(error, "errno", None) or 0
    os.write(2, f"klingvideo-not-started {number} {error!r}".encode(errors="backslashreplace"))
    os._exit(127)
"""
_NOT_STARTED = re.compile(r"klingvideo-not-started (\d+) ")
_WRAPPER_FAILED = 127

# Only single operations that are atomic: a signal handler may call terminate_all() while this thread changes the set.
_running: set[subprocess.Popen[str]] = set()


@dataclass(frozen=True)
class Finished:
    """A run that came to its end.

    :param returncode: exit code, negative for a signal.
    :param stderr: the last lines that were written to stderr.
    """

    returncode: int
    stderr: list[str]


def ffmpeg_command(ffmpeg: str, *, stop_at_errors: bool = True) -> list[str]:
    """The head of every ffmpeg command: never asks, reports progress on stdout.

    :param stop_at_errors: whether it ends at the first damaged picture or sound, instead of going on without it.
    """
    return [
        ffmpeg,
        *("-hide_banner", "-nostdin", "-y", *(("-xerror",) if stop_at_errors else ()), "-loglevel", "warning"),
        *("-progress", "pipe:1", "-nostats", "-stats_period", "0.5"),
    ]


def run_ffmpeg(
    argv: Sequence[str], *, timeout: float, on_seconds: Callable[[float], None] | None = None, nice: int = 0
) -> Finished:
    """Run a command that begins with :func:`ffmpeg_command`.

    :param timeout: wall-clock seconds after which it is ended.
    :param on_seconds: called in this thread with the seconds of video that are done.
    :param nice: how far it stands back behind other processes, 0 to 19; on Linux only.
    :returns: what it printed.
    :raises FFmpegError: it failed or was ended.
    """
    finished = run(argv, timeout=timeout, on_line=lambda line: _report(line, on_seconds), nice=nice)
    if finished.returncode:
        raise failure(argv, finished)
    return finished


def failure(argv: Sequence[str], finished: Finished) -> FFmpegError:
    """Make the error for a run that did not end well."""
    return FFmpegError(
        f"{_name(argv)} ended with {finished.returncode}",
        returncode=finished.returncode,
        argv=argv,
        stderr_tail=finished.stderr[-SHOWN_LINES:],
    )


def _name(argv: Sequence[str]) -> str:
    return os.path.basename(argv[0])  # noqa: PTH119


def run(
    argv: Sequence[str], *, timeout: float, on_line: Callable[[str], None] = lambda _line: None, nice: int = 0
) -> Finished:
    """Run ffmpeg or ffprobe to its end, whatever its exit code is.

    An exception in ``on_line`` or in this thread (a task timeout, for example) ends the program, too.

    :param argv: absolute path of the program and its arguments.
    :param timeout: wall-clock seconds after which it is ended.
    :param on_line: called in this thread with each line of stdout.
    :param nice: how far it stands back behind other processes, 0 to 19; on Linux only.
    :raises FFmpegError: it ran too long, or the machine could not start it now.
    :raises FFmpegMissingError: it is not there, or is not a program that runs here.
    """
    deadline = time.monotonic() + timeout
    with _process(argv, nice) as process:
        stderr: deque[str] = deque(maxlen=STDERR_LINES)
        reader = _read_on_thread(process.stderr or (), stderr.append)
        try:
            for line in _lines_until(process, deadline):
                on_line(line)
            process.wait(max(0.0, deadline - time.monotonic()))
        except (queue.Empty, subprocess.TimeoutExpired):
            _terminate([process])
            raise FFmpegError(
                f"{_name(argv)} did not end within {timeout:g} s",
                returncode=None,
                argv=argv,
                stderr_tail=list(stderr)[-SHOWN_LINES:],
            ) from None
        reader.join(GRACE_SECONDS)
        _require_started(argv, process.returncode, stderr)
        return Finished(process.returncode, list(stderr))


def _require_started(argv: Sequence[str], returncode: int, stderr: Sequence[str]) -> None:
    told = _NOT_STARTED.match(stderr[-1]) if returncode == _WRAPPER_FAILED and stderr else None
    if told:
        raise not_started(argv, int(told[1]))


def terminate_all() -> None:
    """End every ffmpeg that this process runs: SIGTERM, two seconds later SIGKILL. Safe in a signal handler."""
    _terminate(tuple(_running))


@contextmanager
def _process(argv: Sequence[str], nice: int) -> Iterator[subprocess.Popen[str]]:
    try:
        process = subprocess.Popen(  # noqa: S603
            [*_wrapper(nice), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise not_started(argv, error.errno) from error
    _running.add(process)
    try:
        with process:
            try:
                yield process
            finally:
                _terminate([process])
    finally:
        _running.discard(process)


def _wrapper(nice: int) -> list[str]:
    if sys.platform != "linux" or not sys.executable:
        return []
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), str(nice)]


def _read_on_thread(
    stream: Iterable[str], put: Callable[[str], object], at_end: Callable[[], object] = lambda: None
) -> threading.Thread:
    """Drain a pipe, so that the program never waits for a reader."""

    def drain() -> None:
        # The pipe is closed under the reader's feet when the program was killed.
        with suppress(ValueError, OSError):
            for line in stream:
                put(harmless(line.rstrip("\r\n")))
        at_end()

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    return thread


def _lines_until(process: subprocess.Popen[str], deadline: float) -> Iterator[str]:
    """Yield lines of stdout as they come; raises ``queue.Empty`` at the deadline."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    _read_on_thread(process.stdout or (), lines.put, at_end=lambda: lines.put(None))
    while (line := lines.get(timeout=max(0.0, deadline - time.monotonic()))) is not None:
        yield line


def _terminate(processes: Sequence[subprocess.Popen[str]]) -> None:
    alive = [process for process in processes if process.poll() is None]
    for process in alive:
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    for process in alive:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _report(line: str, on_seconds: Callable[[float], None] | None) -> None:
    """Pass on the position; ``out_time_us`` is N/A until the first frame is out."""
    key, _, value = line.partition("=")
    if on_seconds and key == "out_time_us":
        with suppress(ValueError):
            on_seconds(max(0.0, int(value) / 1_000_000))
