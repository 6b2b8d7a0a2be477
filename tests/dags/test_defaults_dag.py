"""What the DAG's ``default_args`` say is obeyed where nothing else is said, in mapped tasks too."""

from __future__ import annotations

import pytest
from airflow_home import connection

from .conftest import FOX

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("mode", ["compact", "mapped", "single"])
def test_tasks_of_a_batch_take_connection_and_retries_from_the_dag(airflow, sandbox, connect, monkeypatch, mode):
    connect(password="no-such-key")
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_ELSEWHERE", connection(sandbox.url))
    run = airflow.run(f"elsewhere_{mode}", requests=[FOX, {**FOX, "prompt": "A hare"}])
    assert run.state == "success"
    # Two of the batch, and two of an operator that is mapped by hand.
    assert len(sandbox.ledger()["tasks"]) == 4
    assert {ti.max_tries for ti in run.dag_run.get_task_instances()} == {3}
