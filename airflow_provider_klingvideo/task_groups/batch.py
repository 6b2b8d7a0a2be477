"""A batch of videos from a file or a list, in one of three granularities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk import TaskGroup

from airflow_provider_klingvideo.operators.batch import KlingVideoBatchOperator, KlingVideoReadRowsOperator
from airflow_provider_klingvideo.operators.video import KlingVideoOperator
from airflow_provider_klingvideo.runtime.options import UNSET
from airflow_provider_klingvideo.task_groups.klingvideo import (
    MAPPED_OVER,
    WITHIN,
    KlingVideoWorkflow,
    kling_video_workflow,
)

__all__ = ["kling_video_batch"]


class UnknownModeError(ValueError):
    """A batch of an unknown granularity."""


DEFAULT_CHUNK_SIZE = 50


def kling_video_batch(
    rows: Any, *, mode: str = "compact", chunk_size: int = UNSET, patience: float = UNSET, **arguments: Any
) -> TaskGroup:
    """Build the task group of a batch: its rows are read, made into videos, and judged together.

    Each row has a key that stays, so that another run of the same ``batch``, with an edited file, makes only what is
    new or changed, and what had failed.

    :param rows: (templated) the path or URI of a CSV, JSONL, JSON or Parquet file, a list of requests, or the output of
        a task that returns one of these.
    :param mode: ``compact`` carries many jobs in each task, for thousands of videos; ``single`` makes a task for each
        video, for hundreds; ``mapped`` shows every state of every job as a task, for up to about a hundred.
    :param chunk_size: jobs in each task of a compact batch, 1 or more; default: 50.
    :param patience: see :class:`KlingVideoBatchOperator`.
    :param arguments: of :class:`KlingVideoWorkflow`: ``group_id``, ``batch`` (default: one for each DAG run), the
        connection, budget, timeouts, ``all_or_nothing``, ``max_failed_share`` ...
    :returns: the group; its only leaf is the task ``verdict``, which returns the summary.
    :raises UnknownModeError: for another mode.
    """
    if mode not in _MODES:
        raise UnknownModeError(f"mode is {mode!r}, legal: {', '.join(_MODES)}.")
    build = kling_video_workflow.partial(**{"group_id": "batch", **arguments})
    size = build.chosen("chunk_size") if chunk_size is UNSET else chunk_size
    options = {} if patience is UNSET else {"patience": patience}
    with TaskGroup(build.group_id, add_suffix_on_collision=True, tooltip="A batch of Kling AI videos") as group:
        key, batch = build.chosen("job_key") or group.group_id, build.chosen("batch") or "{{ run_id }}"
        build = build.partial(job_key=key, batch=batch)
        requests = _read(build, rows, _size(size) if mode == "compact" else None)
        _MODES[mode](build, build.checked(requests, **WITHIN), options) >> build.verdict(requests)
    return group


def _size(size: int | None) -> int:
    return DEFAULT_CHUNK_SIZE if size is None else size


def _read(build: KlingVideoWorkflow, rows: Any, size: int | None) -> Any:
    arguments = {**build.arguments("rows"), **MAPPED_OVER}
    return KlingVideoReadRowsOperator(task_id="rows", rows=rows, chunk_size=size, **arguments).output


def _compact(build: KlingVideoWorkflow, chunks: Any, options: Mapping[str, Any]) -> Any:
    # The verdict judges all chunks together.
    arguments = {**build.arguments("videos"), **options, **WITHIN, "max_failed_share": 1.0}
    return KlingVideoBatchOperator.partial(task_id="videos", **arguments).expand(chunk=chunks)


def _single(build: KlingVideoWorkflow, requests: Any, _options: Mapping[str, Any]) -> Any:
    arguments = {**build.arguments("video"), **WITHIN}
    return KlingVideoOperator.partial(task_id="video", **arguments).expand(request=requests)


def _mapped(build: KlingVideoWorkflow, requests: Any, _options: Mapping[str, Any]) -> Any:
    return build.mapped(requests, **WITHIN)


_MODES: Mapping[str, Callable[[KlingVideoWorkflow, Any, Mapping[str, Any]], Any]] = {
    "compact": _compact,
    "mapped": _mapped,
    "single": _single,
}
