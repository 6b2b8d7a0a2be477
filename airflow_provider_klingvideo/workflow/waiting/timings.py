"""How long Kling took lately, by what was generated: kept, so that the next wait asks when a result is due."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from math import ceil

from airflow_provider_klingvideo.storage.names import safe_name
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.writing import read_whole, write_whole
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob

FOLDER = "timings"
# So few that Kling is followed when it has become faster or slower, within a day's work.
KEPT = 40
FEWEST = 3
# Tasks to come will be a little quicker than the quickest, and slower than the slowest.
MARGIN = 0.1
NEARLY_ALL = 0.95
# What decides, besides kind and model, how long a task takes.
TELLING_PARAMS = ("resolution", "mode", "duration")


def timing_key(job: WorkflowJob) -> str:
    """Name what a validated job generates: jobs with the same name take about the same time."""
    told = (job.params.get(name) for name in TELLING_PARAMS)
    return safe_name("-".join(str(one) for one in (job.kind, job.model, *told) if one))


def window_of(samples: Sequence[float]) -> tuple[float, float] | None:
    """Return when tasks began to end, and when nearly all had ended, in seconds; None when too few were seen."""
    if len(samples) < FEWEST:
        return None
    ordered = sorted(samples)
    # One that hung is no reason to ask quickly for ever.
    last = ordered[ceil(len(ordered) * NEARLY_ALL) - 1]
    return ordered[0] * (1 - MARGIN), last * (1 + MARGIN)


class Timings:
    """The generation times seen by this process, and where they are kept for the others.

    :param folder: where they are kept; None keeps them in memory only.
    """

    def __init__(self, folder: StorePath | None = None) -> None:
        self._folder = folder
        self._samples: dict[str, list[float]] = {}
        self._windows: dict[str, tuple[float, float] | None] = {}

    def window(self, key: str) -> tuple[float, float] | None:
        """Return the window of what was seen here; see :func:`window_of`."""
        return self._windows.get(key)

    def load(self, key: str) -> tuple[float, float] | None:
        """Read what all processes have kept, and return its window. A file that cannot be read counts as none."""
        if self._folder is not None:
            with suppress(OSError, ValueError, TypeError):
                self._set(key, [float(one) for one in json.loads(read_whole(self._path(key)))])
        return self.window(key)

    def add(self, key: str, seconds: float) -> None:
        """Remember how long a task took."""
        self._set(key, [*self._samples.get(key, ()), seconds])

    def keep(self, key: str, seconds: float) -> None:
        """Remember how long a task took, for other processes, too; of two that keep at once, one is lost, no matter."""
        self.load(key)
        self.add(key, seconds)
        if self._folder is not None:
            write_whole(self._path(key), json.dumps(self._samples[key]).encode())

    def _set(self, key: str, samples: list[float]) -> None:
        self._samples[key] = samples[-KEPT:]
        self._windows[key] = window_of(self._samples[key])

    def _path(self, key: str) -> StorePath:
        assert self._folder is not None  # noqa: S101 - asked before
        return self._folder / f"{key}.json"
