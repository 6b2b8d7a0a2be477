"""Two workers on one job: Airflow starts a second try when the first one has lost touch, though it may still run."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.workflow import JobStore, WorkflowEngine, WorkflowJob, WorkflowState, reopened
from airflow_provider_klingvideo.workflow.job.store import RecordOvertakenError

S = WorkflowState
TO_THE_END = (S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING, S.COMPLETED)


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path)


def job_after(*states):
    job = WorkflowJob(id="job-1")
    for state in states:
        WorkflowEngine().transition(job, state)
    return job


@pytest.mark.parametrize("steps", range(5))
def test_the_slower_one_never_turns_the_record_back(store, steps):
    store.save(job_after(*TO_THE_END))
    with pytest.raises(RecordOvertakenError, match=r"is COMPLETED \(revision 1\) on record"):
        store.save(job_after(*TO_THE_END[:steps]))
    assert store.load("job-1").state is S.COMPLETED


def test_an_ended_job_does_not_end_otherwise(store):
    store.save(job_after(*TO_THE_END))
    with pytest.raises(RecordOvertakenError):
        store.save(job_after(*TO_THE_END[:4], S.FAILED))


def test_a_job_that_is_taken_up_again_goes_back_in_a_new_revision(store):
    done = job_after(*TO_THE_END)
    store.save(done)
    store.save(reopened(done, S.GENERATING))
    assert (store.load("job-1").state, store.load("job-1").revision) == (S.GENERATING, 2)
    with pytest.raises(RecordOvertakenError):
        store.save(done)


def test_facts_may_be_added_in_the_same_state(store):
    job = job_after(*TO_THE_END)
    store.save(job)
    job.metadata["checked"] = True
    store.save(job)
    assert store.load("job-1").metadata == {"checked": True}
