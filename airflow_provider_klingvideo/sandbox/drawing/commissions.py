"""What those who make the files of results are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_klingvideo.sandbox.account.tasks import Result, Task
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings


@dataclass(frozen=True)
class Commission:
    """A file to be made.

    :param number: of the result within its task, from 1.
    :param folder: where the input files of the task lie.
    :param target: the file, which must appear whole or not at all.
    :param watermark: whether the marked version is meant.
    :param seconds: in place of the result's own length.
    """

    task: Task
    result: Result
    number: int
    folder: Path
    target: Path
    watermark: bool
    seconds: float | None
    settings: SandboxSettings


Artist = Callable[[Commission], None]
"""Makes the file; raises :class:`~.ffmpeg.SandboxMediaError` when it cannot."""
