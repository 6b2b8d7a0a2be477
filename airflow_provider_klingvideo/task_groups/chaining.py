"""The result of one job as the input of another: each returns a value for a request, and makes the edge between them.

.. code-block:: python

    first = kling_video_workflow(group_id="first", request={"prompt": "A fox wakes up"})
    kling_video_workflow(
        group_id="second",
        request={"first_frame": last_frame_of(first), "prompt": "It runs into the snow"},
    )
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.workflow.inputs.references import FILE_OF, ID_OF, LAST_FRAME_OF

if TYPE_CHECKING:
    from airflow.sdk import TaskGroup

__all__ = ["file_of", "id_of", "job_of", "jobs_of", "last_frame_of"]


def job_of(group: TaskGroup) -> Any:
    """Return the job of a group, as its verdict returns it: an argument for a task.

    :param group: what :class:`~airflow_provider_klingvideo.task_groups.klingvideo.KlingVideoWorkflow` returned for one
        job; of a batch the summary is returned.
    """
    verdict: Any = group.get_child_by_label("verdict")
    return verdict.output


def jobs_of(group: TaskGroup) -> Any:
    """Return the jobs of a mapped group, in the order of its requests: clips for a film, for example.

    :param group: what :meth:`~airflow_provider_klingvideo.task_groups.klingvideo.KlingVideoWorkflow.expand` returned.
    """
    jobs: Any = group.get_child_by_label("jobs")
    return jobs.get_child_by_label("completed").output


def file_of(group: TaskGroup) -> dict[str, Any]:
    """Return the main file of a job: the master of its video, or its first picture or sound."""
    return {FILE_OF: job_of(group)}


def last_frame_of(group: TaskGroup) -> dict[str, Any]:
    """Return the last frame of a job's video: a picture with which the next shot goes on."""
    return {LAST_FRAME_OF: job_of(group)}


def id_of(group: TaskGroup) -> dict[str, Any]:
    """Return Kling's id of a job's first result that has one: an element, a voice, a sound, a video."""
    return {ID_OF: job_of(group)}
