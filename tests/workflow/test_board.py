"""The read model of the pages: what it finds, what it does not believe, and what it does not read again."""

from __future__ import annotations

from typing import ClassVar

import pytest

from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.board.board import Board, JobKey
from airflow_provider_klingvideo.workflow.job.job import HistoryEntry
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.sections import ExpectedPrice, Files, Origin


class CountingStore(JobStore):
    """Tells which records were read."""

    read: ClassVar[list[str]] = []

    def load(self, job_id):
        CountingStore.read.append(job_id)
        return super().load(job_id)


@pytest.fixture(autouse=True)
def _nothing_read():
    CountingStore.read.clear()


def keep(base, job_id, dag="films", run="manual__1", *, says_dag=None, **fields):
    job = WorkflowJob(id=job_id, origin=Origin(dag_id=says_dag or dag, run_id=run), **fields)
    JobStore(base / dag / run).save(job)
    return job


def board(*bases):
    return Board([CountingStore(base) for base in bases], fresh_seconds=0)


def test_a_job_is_shown_as_narrow_as_a_list_needs_it(tmp_path):
    entered = utc_now()
    keep(
        tmp_path,
        "one",
        prompt="A fox. " * 100,
        params={"kind": "text_to_video", "model": "kling-3.0"},
        state=WorkflowState.FAILED,
        error="Kling refused https://a.example/x.png?Signature=abc. Ask again.",
        estimate=ExpectedPrice(units="3.5"),
        calls=[],
        files=Files(artifacts={"poster.jpg": {"media_type": "image/jpeg", "size": 7}}),
        history=[
            HistoryEntry(from_state=WorkflowState.CREATED, to_state=WorkflowState.FAILED, timestamp=entered),
        ],
    )
    (shown,) = board(tmp_path).jobs(["films"])
    assert (shown.state, shown.since, shown.kind, shown.model) == ("FAILED", entered, "text_to_video", "kling-3.0")
    assert (len(shown.prompt), shown.estimate_units, shown.take) == (160, "3.5", 1)
    assert shown.error is not None
    assert "Signature" not in shown.error
    assert "Ask again" not in shown.error
    assert [(file.role, file.media_type, file.size) for file in shown.files] == [("poster", "image/jpeg", 7)]


def test_only_what_changed_is_read_again(tmp_path):
    for number in range(20):
        keep(tmp_path, f"job-{number}")
    shown = board(tmp_path)
    assert len(shown.jobs(["films"])) == 20
    CountingStore.read.clear()
    keep(tmp_path, "job-7", prompt="changed")
    assert "changed" in {job.prompt for job in shown.jobs(["films"])}
    assert CountingStore.read == ["job-7"]


def test_a_listing_serves_all_pages_for_a_while(tmp_path):
    now = [100.0]
    shown = Board([JobStore(tmp_path)], fresh_seconds=5, clock=lambda: now[0])
    assert shown.jobs(["films"]) == []
    keep(tmp_path, "one")
    assert shown.jobs(["films"]) == []
    now[0] += 5
    assert len(shown.jobs(["films"])) == 1


def test_a_job_that_is_gone_is_not_shown_any_more(tmp_path):
    keep(tmp_path, "one")
    shown = board(tmp_path)
    assert shown.jobs(["films"])
    (tmp_path / "films" / "manual__1" / "one" / "job.json").unlink()
    assert shown.jobs(["films"]) == []
    assert shown.job(JobKey("films", "manual__1", "one")) is None


def test_a_record_that_lies_about_its_dag_or_its_folder_is_not_shown(tmp_path):
    keep(tmp_path, "one", says_dag="secret")
    keep(tmp_path, "two")
    folder = tmp_path / "films" / "manual__1"
    (folder / "three").mkdir()
    (folder / "three" / "job.json").write_bytes((folder / "two" / "job.json").read_bytes())
    shown = board(tmp_path)
    assert [job.id for job in shown.jobs(["films", "secret"])] == ["two"]
    assert shown.job(JobKey("secret", "manual__1", "one")) is None
    assert shown.job(JobKey("films", "manual__1", "three")) is None


def test_a_record_that_was_replaced_by_one_of_another_dag_is_not_believed(tmp_path):
    keep(tmp_path, "one")
    now = [0.0]
    shown = Board([JobStore(tmp_path)], clock=lambda: now[0])
    assert shown.jobs(["films"])
    keep(tmp_path, "one", says_dag="secret", state=WorkflowState.VALIDATED, revision=2)
    assert shown.job(JobKey("films", "manual__1", "one")) is None


def test_what_cannot_be_read_hides_nothing_else_and_links_lead_nowhere(tmp_path):
    keep(tmp_path / "out", "good")
    keep(tmp_path / "elsewhere", "foreign", dag="other")
    (tmp_path / "out" / "films" / "manual__1" / "broken").mkdir()
    (tmp_path / "out" / "films" / "manual__1" / "broken" / "job.json").write_text("{")
    (tmp_path / "out" / "other").symlink_to(tmp_path / "elsewhere" / "other")
    assert [job.id for job in board(tmp_path / "out").jobs(["films", "other"])] == ["good"]


def test_of_two_folders_the_first_one_counts(tmp_path):
    keep(tmp_path / "a", "one", prompt="first")
    keep(tmp_path / "b", "one", prompt="second")
    keep(tmp_path / "b", "two", prompt="third")
    found = board(tmp_path / "a", tmp_path / "b", tmp_path / "none").jobs(["films"])
    assert {job.prompt for job in found} == {"first", "third"}


def test_an_object_store_is_listed_once_and_asked_again_only_about_what_changed(bucket):
    from airflow_provider_klingvideo.runtime.paths import open_path

    base = open_path(f"{bucket.uri}/out")
    keep(base, "one")
    keep(base, "two")
    shown = board(base)
    assert {job.id for job in shown.jobs(["films"])} == {"one", "two"}
    CountingStore.read.clear()
    assert len(shown.jobs(["films"])) == 2
    assert CountingStore.read == []
    keep(base, "two", prompt="changed")
    assert "changed" in {job.prompt for job in shown.jobs(["films"])}
    assert CountingStore.read == ["two"]
