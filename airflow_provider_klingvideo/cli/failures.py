"""What a command's failure becomes: a sentence that names the next step, and an exit code."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from airflow_provider_klingvideo._words import printable
from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.storage.stores import is_store_fault

OK = 0
FAILED = 1
BAD_COMMAND_LINE = 2
BAD_CONNECTION = 3
UNEXPECTED = 70

EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {
        OK: "all went well",
        FAILED: "something was refused or failed, or waits for a person; the message says what to do",
        BAD_COMMAND_LINE: "the command line cannot be understood",
        BAD_CONNECTION: "the connection cannot be used",
        UNEXPECTED: "an error that nobody expected; `--debug` shows where it happened",
        129: "ended by SIGHUP: the terminal was closed",
        130: "ended by Ctrl+C",
        141: "the program that read the output has ended, as in `klingvideo models | head -1`",
        143: "ended by SIGTERM",
    }
)
"""Every exit code of every command; the table in docs/command-line.md is this one."""

AGAIN = "Then run the command again; what was ordered before is on record and is not paid again."


@dataclass(frozen=True)
class Failure:
    """What is told about an error.

    :param code: the exit code.
    :param words: what went wrong, and the next step.
    """

    code: int
    words: str


def failure_of(error: Exception) -> Failure:
    """Return what is told about an error."""
    for concerns, code, words in _ROWS:
        if concerns(error):
            return Failure(code, printable(words.format(error=_words_of(error), step=_step_of(error))))
    raise AssertionError("the last row concerns every error")


def _from(*libraries: str) -> Callable[[Exception], bool]:
    return lambda error: any(one.__module__.partition(".")[0] in libraries for one in type(error).__mro__)


_ROWS: Sequence[tuple[Callable[[Exception], bool], int, str]] = (
    (lambda error: isinstance(error, KlingVideoError) and error.kind == "connection", BAD_CONNECTION, "{error}"),
    (lambda error: isinstance(error, KlingVideoError), FAILED, "{error}"),
    (
        lambda error: isinstance(error, UnicodeError),
        FAILED,
        f"A text is not encoded as expected: {{error}}. Save the file as UTF-8. {AGAIN}",
    ),
    (
        _from("sqlalchemy"),
        FAILED,
        "Airflow's database cannot be used: {error}. Check it with `airflow db check`, make it with "
        "`airflow db migrate`, or give the connection in the environment: AIRFLOW_CONN_KLINGAI_DEFAULT.",
    ),
    (
        _from("airflow"),
        FAILED,
        "Airflow says: {error}. Look at its configuration with `airflow config list --section klingvideo` and at the "
        f"environment variables AIRFLOW__*, and correct the value. {AGAIN}",
    ),
    (_from("sqlite3"), FAILED, "A database file cannot be used: {error}. Give another file, or delete it."),
    (_from("httpx", "httpcore"), FAILED, f"The network failed: {{error}}. Check host and proxy. {AGAIN}"),
    (is_store_fault, FAILED, f"A file or a store could not be used: {{error}}. {{step}} {AGAIN}"),
    (
        lambda error: True,
        UNEXPECTED,
        "This error was not expected: {error}. Run the command again with --debug and report what it prints; what was "
        "ordered before is on record and is not paid again.",
    ),
)

_STEPS: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: "The disk is full: free some space, or choose another folder.",
        errno.EDQUOT: "Your share of the disk is full: free some space, or choose another folder.",
        errno.EACCES: "Give yourself the right to use it, or choose another folder.",
        errno.EPERM: "Give yourself the right to use it, or choose another folder.",
        errno.EROFS: "It cannot be written to: choose another folder.",
        errno.EMFILE: "Too many files are open: raise the limit with `ulimit -n 4096`.",
    }
)
PLACES = "Check the paths and addresses of the command."


def _step_of(error: Exception) -> str:
    return _STEPS.get(getattr(error, "errno", None) or 0, PLACES)


def _words_of(error: Exception) -> str:
    """What an error says, on one line: of libraries the first line tells, the others repeat a statement or a link."""
    said = str(error).strip()
    if isinstance(error, KlingVideoError):
        return said
    first = said.partition("\n")[0].rstrip(". ")
    return first or type(error).__name__
