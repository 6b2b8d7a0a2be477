"""The same rows in all forms on a running Airflow: made, left out, none, or not to be listed."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from dags.conftest import FOX

pytestmark = [pytest.mark.live, pytest.mark.forms, pytest.mark.timeout(1800)]
FORMS = pytest.mark.parametrize("form", ["mapped", "mapped_batch", "compact", "single", "operators"])
ROWS = [{**FOX, "prompt": f"Shot {number}{fault}"} for number, fault in enumerate(["", " [sandbox:fail]", ""])]


def states_of_videos(live, dag_id, run_id):
    return {
        (one["task_id"], one["map_index"]): one["state"]
        for one in live.instances(dag_id, run_id)
        if one["task_id"].startswith("videos")
    }


def jobs(live, dag_id):
    """Count the jobs of a DAG by state."""
    records = (live.videos / dag_id).rglob("job.json")
    return Counter(json.loads(record.read_text())["state"] for record in records)


@FORMS
def test_of_the_same_rows_the_same_becomes(live, sandbox, form):
    dag_id = f"form_{form}"
    live.trigger(dag_id, "go", requests=ROWS)
    assert live.ended(dag_id, "go") == "failed"
    assert (jobs(live, dag_id), len(sandbox.ledger()["tasks"])) == ({"COMPLETED": 2, "FAILED": 1}, 3)
    sandbox.reset()

    for way in ("branch", "listing_skips"):
        live.trigger(dag_id, way, requests=ROWS, way=way)
        assert live.ended(dag_id, way) == "success"
        assert set(states_of_videos(live, dag_id, way).values()) == {"skipped"}

    live.trigger(dag_id, "none", requests=[])
    assert live.ended(dag_id, "none") == "success"
    assert set(states_of_videos(live, dag_id, "none").values()) <= {"skipped", "success"}

    live.trigger(dag_id, "unlisted", requests=ROWS, way="listing_fails")
    assert live.ended(dag_id, "unlisted") == "failed"
    told = states_of_videos(live, dag_id, "unlisted")
    assert {state for (task, _), state in told.items() if task != "videos.verdict"} == {"upstream_failed"}
    assert (jobs(live, dag_id), sandbox.ledger()["tasks"]) == ({"COMPLETED": 2, "FAILED": 1}, [])
