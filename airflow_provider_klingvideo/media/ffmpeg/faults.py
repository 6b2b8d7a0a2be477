"""Why ffmpeg did not run: the program cannot be used, or the machine could not run it just now."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Sequence

from airflow_provider_klingvideo.media.errors import FFmpegError, FFmpegMissingError

# What the program itself is to blame for; everything else passes: too many processes or open files, too little memory,
# a binary that is being replaced.
UNUSABLE = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ENOEXEC,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)
NOW_AND_THEN = (
    "Run the task again, which pays nothing; if it happens again, give the task more processes, memory or open files"
)
_SCARCE = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
# ffmpeg exits with the last byte of an errno, a shell with 128 and the signal that has ended what it ran; the words are
# those of ffmpeg, and of the loader of its libraries.
_PASSING_CODES = frozenset(
    [256 - number for number in _SCARCE] + [128 + one for one in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM)]
)
_SCARCE_WORDS = re.compile(
    "|".join([*(f"{re.escape(os.strerror(one))}|: Error {one}$" for one in _SCARCE), "failed to map segment"]),
    re.MULTILINE,
)
SHOWN_LINES = 5


def not_started(argv: Sequence[str], number: int | None) -> FFmpegError | FFmpegMissingError:
    """Make the error for a program that could not be started.

    :param argv: the command.
    :param number: the errno that was met, None or 0 where none is known.
    :returns: :class:`FFmpegMissingError` for what no retry can mend, else a retryable :class:`FFmpegError`.
    """
    words = f"{argv[0]} could not be started: {os.strerror(number) if number else 'unknown reason'}"
    if number in UNUSABLE:
        return FFmpegMissingError(words)
    return FFmpegError(words, returncode=None, argv=argv, advice=NOW_AND_THEN)


def probe_failed(argv: Sequence[str], returncode: int, stderr: Sequence[str]) -> FFmpegError | FFmpegMissingError:
    """Make the error for a program that failed when it was asked about itself, without any file to blame.

    :param returncode: its exit code, negative for a signal.
    :param stderr: what it said.
    :returns: as :func:`not_started` does.
    """
    tail = list(stderr)[-SHOWN_LINES:]
    passes = returncode < 0 or returncode in _PASSING_CODES or _SCARCE_WORDS.search("\n".join(tail))
    if passes:
        words = f"{argv[0]} was ended with {returncode} before it could say what it can do"
        return FFmpegError(words, returncode=returncode, argv=argv, stderr_tail=tail, advice=NOW_AND_THEN)
    return FFmpegMissingError("\n".join([f"{argv[0]} does not run: it ended with {returncode}", *tail]))
