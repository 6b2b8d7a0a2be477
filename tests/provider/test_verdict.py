"""The verdict over a batch closes what nobody has brought to its end."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG

from airflow_provider_klingvideo.operators.batch import KlingVideoBatchVerdictOperator
from airflow_provider_klingvideo.runtime.batches.verdict import BatchVerdict
from airflow_provider_klingvideo.runtime.places import name_of
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.gates.budgets.book import BudgetBook
from airflow_provider_klingvideo.workflow.job.paid import PaidCall
from airflow_provider_klingvideo.workflow.job.sections import Budget, ExpectedPrice

S = WorkflowState
WAY = (S.VALIDATED, S.QUEUED, S.GENERATING)


@pytest.fixture
def session(tmp_path):
    return Session(output_path=f"file://{tmp_path}")


@pytest.fixture
def context():
    ti = SimpleNamespace(dag_id="d", run_id="r", map_index=-1, get_task_states=lambda **_: {})
    return {"ti": ti}


def left_in(session, context, index, state):
    """Keep the record of a job that nobody works on, with its reservation."""
    store = session.store("d", "r")
    folder = str(session.budget_folder("spring"))
    job = WorkflowJob(
        id=name_of(context, "videos", map_index=index),
        budget=Budget(name="spring", units="10", folder=folder),
        estimate=ExpectedPrice(units="1.5"),
    )
    for passed in WAY[: WAY.index(state) + 1]:
        session.engine(store).transition(job, passed)
    session.reservations.shortage(job)
    if state is S.GENERATING:
        job.calls.append(
            PaidCall(fingerprint="f", external_task_id="e", task_id="t", price="1.5", sends={"one": "sent"})
        )
    store.save(job)
    return job.id


def test_reservations_of_jobs_without_an_order_are_given_back_and_handles_are_kept(session, context, tmp_path):
    with DAG("d", schedule=None):
        task = KlingVideoBatchVerdictOperator(
            task_id="verdict", requests=[{}, {}], job_key="videos", output_path=f"file://{tmp_path}"
        )
    queued, generating = (left_in(session, context, index, state) for index, state in enumerate(WAY[1:]))
    book = BudgetBook(session.budget_folder("spring"))
    assert set(book.look().state) == {queued, generating}

    summary = BatchVerdict.over(task, context).summary()
    assert (summary["states"], summary["accepted"]) == ({"CANCELLED": 1, "FAILED": 1}, False)
    assert (set(book.look().state), book.committed()) == ({generating}, Decimal("1.5"))
    lost = session.store("d", "r").load(generating)
    assert (lost.state, lost.failure["kind"], lost.calls[0].task_id) == (S.FAILED, "abandoned", "t")
