"""A batch of videos from a file or a list, in one of three granularities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk import TaskGroup

from airflow_provider_klingvideo.operators.batch import KlingVideoBatchOperator, KlingVideoReadRowsOperator
from airflow_provider_klingvideo.operators.video import KlingVideoOperator
from airflow_provider_klingvideo.task_groups.klingvideo import KlingVideoWorkflow, kling_video_workflow

__all__ = ["kling_video_batch"]


class UnknownModeError(ValueError):
    """A batch of an unknown granularity."""


def kling_video_batch(
    rows: Any, *, mode: str = "compact", chunk_size: int = 50, patience: float = 45, **arguments: Any
) -> TaskGroup:
    """Build the task group of a batch: its rows are read, made into videos, and judged together.

    Each row has a key that stays, so that another run of the same ``batch``, with an edited file, makes only what is
    new or changed, and what had failed.

    :param rows: (templated) the path or URI of a CSV, JSONL, JSON or Parquet file, a list of requests, or the output of
        a task that returns one of these.
    :param mode: ``compact`` carries many jobs in each task, for thousands of videos; ``single`` makes a task for each
        video, for hundreds; ``mapped`` shows every state of every job as a task, for up to about a hundred.
    :param chunk_size: jobs in each task of a compact batch.
    :param patience: see :class:`KlingVideoBatchOperator`.
    :param arguments: of :class:`KlingVideoWorkflow`: ``group_id``, ``batch`` (default: one for each DAG run), the
        connection, budget, timeouts, ``all_or_nothing``, ``max_failed_share`` ...
    :returns: the group; its only leaf is the task ``verdict``, which returns the summary.
    :raises UnknownModeError: for another mode.
    """
    if mode not in _MODES:
        raise UnknownModeError(f"mode is {mode!r}, legal: {', '.join(_MODES)}.")
    build = kling_video_workflow.partial(**{"group_id": "batch", "batch": "{{ run_id }}", **arguments})
    with TaskGroup(build.group_id, add_suffix_on_collision=True, tooltip="A batch of Kling AI videos") as group:
        build = build.partial(job_key=build.given.get("job_key") or group.group_id)
        size = chunk_size if mode == "compact" else None
        read = KlingVideoReadRowsOperator(task_id="rows", rows=rows, chunk_size=size, **build.arguments("rows"))
        checked = build.checked(read.output)
        _MODES[mode](build, checked, {"patience": patience}) >> build.verdict(read.output)
    return group


def _compact(build: KlingVideoWorkflow, chunks: Any, options: Mapping[str, Any]) -> Any:
    # The verdict judges all chunks together.
    arguments = {**build.arguments("videos"), **options, "max_failed_share": 1.0}
    return KlingVideoBatchOperator.partial(task_id="videos", **arguments).expand(chunk=chunks)


def _single(build: KlingVideoWorkflow, requests: Any, _options: Mapping[str, Any]) -> Any:
    return KlingVideoOperator.partial(task_id="video", **build.arguments("video")).expand(request=requests)


def _mapped(build: KlingVideoWorkflow, requests: Any, _options: Mapping[str, Any]) -> Any:
    return build.mapped(requests)


_MODES: Mapping[str, Callable[[KlingVideoWorkflow, Any, Mapping[str, Any]], Any]] = {
    "compact": _compact,
    "mapped": _mapped,
    "single": _single,
}
