"""How a job went, as a person reads it in the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.job.job import HistoryEntry
from airflow_provider_klingvideo.workflow.job.paid import PaidCall
from airflow_provider_klingvideo.workflow.job.sections import ExpectedPrice, Result
from airflow_provider_klingvideo.workflow.story import MOST_NAMED, length_of_time, told_of, told_of_failed

S = WorkflowState
START = datetime(2026, 1, 1, tzinfo=UTC)


def walked(*ways, **fields):
    """A job that entered states after so many seconds."""
    states = [S.CREATED, *(state for state, _ in ways)]
    history = [
        HistoryEntry(from_state=before, to_state=state, timestamp=START + timedelta(seconds=at))
        for before, (state, at) in zip(states, ways, strict=False)
    ]
    return WorkflowJob(id="j", state=states[-1], history=history, created_at=START, **fields)


WAY = ((S.VALIDATED, 0), (S.QUEUED, 0.1), (S.GENERATING, 12), (S.POST_PROCESSING, 77), (S.COMPLETED, 81))


def test_a_completed_job_tells_place_length_price_and_time():
    call = PaidCall(fingerprint="f", external_task_id="e", task_id="t", bill=Bill(units="1.5"), sends={"one": "sent"})
    job = walked(*WAY, processed_url="s3://videos/j/master.mp4", result=Result(seconds=5.0), calls=[call])
    assert told_of(job) == (
        "Job j is COMPLETED. The result lies in s3://videos/j/master.mp4, 5 s long. Kling billed 1.5 units. "
        "Time: QUEUED 12 s, GENERATING 1 min 5 s, POST_PROCESSING 4 s."
    )


def test_without_a_bill_the_expected_price_is_told():
    words = told_of(walked(*WAY, estimate=ExpectedPrice(units="2")))
    assert "Kling has told no price; 2 units were expected." in words


def test_the_time_that_a_job_lay_ended_is_not_told():
    job = walked(*WAY[:3], (S.FAILED, 20), (S.GENERATING, 9000), (S.POST_PROCESSING, 9060), (S.COMPLETED, 9070))
    assert told_of(job).endswith("Time: GENERATING 1 min, POST_PROCESSING 10 s.")


@pytest.mark.parametrize(
    ("end", "words"),
    [(S.CANCELLED, "Job j was CANCELLED in QUEUED. Because."), (S.FAILED, "Job j FAILED in QUEUED. Because.")],
)
def test_an_ended_job_tells_where_and_why(end, words):
    assert told_of(walked(*WAY[:2], (end, 3), error="Because.")) == words


def test_failed_jobs_are_named_with_their_reasons_and_not_all_of_a_large_batch():
    lost = walked((S.FAILED, 1), error="No such model." + "x" * 1000)
    lines = told_of_failed(
        [("good", walked(*WAY)), ("lake", lost), ("sea", None), *((f"n{n}", lost) for n in range(20))]
    )
    assert lines[0].startswith("lake: FAILED in CREATED: No such model.")
    assert lines[1] == "sea: never began, it has no record"
    assert (len(lines), lines[-1]) == (MOST_NAMED + 1, "and 12 more, see the manifest")
    assert max(map(len, lines)) < 400


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (60, "1 min"), (3725, "1 h 2 min 5 s")])
def test_times_are_told_in_words(seconds, words):
    assert length_of_time(seconds) == words
