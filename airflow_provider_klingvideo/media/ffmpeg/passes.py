"""Several runs of ffmpeg that make one thing, and end together at one deadline."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.ffmpeg.runner import ffmpeg_command, run_ffmpeg
from airflow_provider_klingvideo.media.settings import MediaSettings


@dataclass(frozen=True)
class Passes:
    """What the runs share.

    :param binaries: the programs.
    :param settings: threads, and how long one run may take.
    :param folder: scratch space.
    :param deadline: of all runs together, by :func:`time.monotonic`.
    """

    binaries: Binaries
    settings: MediaSettings
    folder: Path
    deadline: float

    @property
    def next_seconds(self) -> float:
        """How long the next run may take."""
        return min(self.settings.ffmpeg_seconds, max(0.0, self.deadline - time.monotonic()))

    def run(self, *outputs: Any, loglevel: str = "warning", stop_at_errors: bool = True) -> list[str]:
        """Make some outputs in one run.

        :param outputs: nodes of ffmpeg-python.
        :param loglevel: what ffmpeg prints.
        :param stop_at_errors: whether it ends at the first damaged picture or sound.
        :returns: the last lines that it printed.
        :raises FFmpegError: it failed, or did not end in time.
        """
        command = [*ffmpeg_command(self.binaries.ffmpeg, stop_at_errors=stop_at_errors), "-loglevel", loglevel]
        threads = self.settings.threads
        if threads is not None:
            command += ["-filter_complex_threads", str(threads)]
        argv = ffmpeg.compile(ffmpeg.merge_outputs(*outputs), cmd=command)
        return run_ffmpeg(argv, timeout=self.next_seconds, nice=self.settings.nice).stderr
