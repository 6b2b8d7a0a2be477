"""Which tasks before one are named as the reason: those that failed or were skipped themselves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk import DAG

from airflow_provider_klingvideo.runtime.upstream import Upstream
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

BEHIND = ("generating", "generation", "post_processing", "completed")


def upstream_of(task_name, map_index=-1, **states):
    """What a task of the group sees when those before it are in these states."""
    ending = "" if map_index == -1 else f"_{map_index}"
    with DAG("d", schedule=None) as dag:
        kling_video_workflow({"prompt": "A fox"})
    known = {f"video.{name}": state for name, state in states.items()}

    def answer(*, task_ids, **_):
        return {"r": {f"{name}{ending}": known[name] for name in task_ids if name in known}}

    ti = SimpleNamespace(dag_id="d", run_id="r", map_index=map_index, get_task_states=answer)
    return Upstream(dag.get_task(f"video.{task_name}"), {"ti": ti})


def test_tasks_behind_the_one_that_failed_are_no_reason():
    upstream = upstream_of("failed", created="success", queued="failed", **dict.fromkeys(BEHIND, "upstream_failed"))
    assert upstream.failed_of_group == ["video.queued"]
    # What the task itself sees failed are those that never ran: a job that waits has no way to FAILED.
    assert upstream.failed == sorted(f"video.{name}" for name in BEHIND)


@pytest.mark.parametrize(("map_index", "name"), [(-1, "video.queued"), (3, "video.queued_3")])
def test_a_skip_is_told_by_the_task_in_which_it_began(map_index, name):
    skipped = dict.fromkeys(("queued", *BEHIND), "skipped")
    assert upstream_of("cancelled", map_index, created="success", **skipped).skipped == [name]
