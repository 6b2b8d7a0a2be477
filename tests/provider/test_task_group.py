"""The task group: derived from the table, whatever the table."""

from __future__ import annotations

from itertools import pairwise

import pytest
from airflow.sdk import DAG

from airflow_provider_klingvideo.task_groups.klingvideo import UnbuildableTableError, kling_video_workflow
from airflow_provider_klingvideo.workflow import TRANSITIONS, UnsoundTableError

REQUEST = {"prompt": "A fox"}
CHAIN = ["created", "validated", "queued", "generating", "generation", "post_processing", "completed"]


def built(**arguments):
    with DAG("d", schedule=None) as dag:
        kling_video_workflow(request=REQUEST, **arguments)
    return dag


def upstream(dag, name, group="video"):
    return {task_id.removeprefix(f"{group}.") for task_id in dag.get_task(f"{group}.{name}").upstream_task_ids}


def test_an_edge_per_transition_and_a_rule_per_end():
    dag = built()
    for before, after in pairwise(CHAIN):
        assert upstream(dag, after) == {before}
    assert upstream(dag, "failed") == set(CHAIN) - {"queued"}
    assert upstream(dag, "cancelled") == {"queued"}
    assert upstream(dag, "verdict") == {"completed", "failed", "cancelled"}
    rules = {name: dag.get_task(f"video.{name}").trigger_rule for name in ("failed", "cancelled", "verdict", "queued")}
    assert rules == {"failed": "one_failed", "cancelled": "all_skipped", "verdict": "all_done", "queued": "all_success"}
    assert [task.task_id for task in dag.leaves] == ["video.verdict"]


def test_another_table_makes_other_edges():
    table = TRANSITIONS.as_json()
    table["CREATED"] = ["VALIDATED", "CANCELLED", "FAILED"]
    table["QUEUED"] = ["GENERATING", "FAILED"]
    dag = built(transitions=table)
    assert upstream(dag, "cancelled") == {"created"}
    assert "queued" in upstream(dag, "failed")
    assert dag.get_task("video.queued").transitions == table


def test_a_skip_further_up_reaches_the_last_task_that_can_be_cancelled():
    dag = built(transitions={**TRANSITIONS.as_json(), "VALIDATED": ["QUEUED", "CANCELLED", "FAILED"]})
    assert upstream(dag, "cancelled") == {"queued"}


def test_a_table_without_cancellation_has_no_such_task():
    table = {**TRANSITIONS.as_json(), "QUEUED": ["GENERATING", "FAILED"]}
    table.pop("CANCELLED")
    dag = built(transitions=table)
    assert not dag.has_task("video.cancelled")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"VALIDATED": ["QUEUED", "GENERATING", "FAILED"]}, "from VALIDATED it leads to QUEUED, GENERATING"),
        (
            {"GENERATING": ["QUEUED", "POST_PROCESSING", "FAILED"]},
            "from GENERATING it leads to QUEUED",
        ),
        ({"VALIDATED": ["GENERATING", "FAILED"], "QUEUED": None}, "its way leaves out QUEUED"),
    ],
)
def test_a_table_that_no_dag_can_follow_is_refused(changes, words):
    table = {state: exits for state, exits in {**TRANSITIONS.as_json(), **changes}.items() if exits is not None}
    if "QUEUED" not in table:
        table.pop("CANCELLED")
    with pytest.raises(UnbuildableTableError, match=words):
        built(transitions=table)


def test_an_unsound_table_is_refused():
    with pytest.raises(UnsoundTableError, match="unknown state SHIPPED"):
        built(transitions={**TRANSITIONS.as_json(), "COMPLETED": ["SHIPPED"]})


def test_an_unknown_argument_is_named():
    with pytest.raises(TypeError, match="max_share"):
        kling_video_workflow.partial(max_share=1)


def test_a_users_defaults_win_over_ours():
    with DAG("d", schedule=None, default_args={"retries": 7}) as dag:
        kling_video_workflow(request=REQUEST)
        kling_video_workflow(request=REQUEST, group_id="b", default_args={"retries": 5, "pool": "kling"})
    assert {task.retries for task in dag.tasks if task.task_id.startswith("video.")} == {7}
    assert {(task.retries, task.pool) for task in dag.tasks if task.task_id.startswith("b.")} == {(5, "kling")}
    assert {task.retries for task in built().tasks} == {2}


def test_two_groups_of_one_dag_have_names_of_their_own():
    with DAG("d", schedule=None) as dag:
        kling_video_workflow(request=REQUEST)
        kling_video_workflow(request=REQUEST)
    assert dag.has_task("video__1.verdict")


def test_a_batch_has_one_verdict_behind_the_mapped_group():
    with DAG("d", schedule=None) as dag:
        kling_video_workflow.partial(group_id="videos").expand(request=[REQUEST, REQUEST])
    assert [task.task_id for task in dag.leaves] == ["videos.verdict"]
    assert upstream(dag, "verdict", "videos") == {"jobs.verdict"}
