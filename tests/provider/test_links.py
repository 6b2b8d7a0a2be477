"""Links to the files of a job."""

from __future__ import annotations

import pytest
from airflow.sdk.execution_time.xcom import XCom

from airflow_provider_klingvideo.links.files import FILE_LINKS, browser_address
from airflow_provider_klingvideo.operators.klingvideo import KlingVideoCompleteOperator
from airflow_provider_klingvideo.operators.outcome import KlingVideoVerdictOperator
from airflow_provider_klingvideo.operators.video import KlingVideoOperator
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.runtime.xcom import carried
from airflow_provider_klingvideo.workflow import WorkflowJob
from airflow_provider_klingvideo.workflow.job.sections import Files


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("gs://bucket/a/v.mp4", "https://storage.cloud.google.com/bucket/a/v.mp4"),
        ("https://files.example.org/v.mp4?Signature=secret", "https://files.example.org/v.mp4"),
        ("https://ann:secret@files.example.org/v.mp4#token=secret", "https://files.example.org/v.mp4"),
        ("s3://bucket/v.mp4", ""),
        ("file:///videos/v.mp4", ""),
        (None, ""),
    ],
)
def test_what_a_browser_can_open_is_offered_without_its_signature(path, address):
    assert browser_address(path) == address


def test_links_lead_to_the_files_of_the_job(monkeypatch, tmp_path):
    store = Session(output_path=f"file://{tmp_path}").store_at(str(tmp_path))
    artifacts = {name: {"name": name, "path": f"gs://b/{name}"} for name in ("v.mp4", "poster.jpg")}
    job = WorkflowJob(id="job", processed_url="gs://b/v.mp4", files=Files(artifacts=artifacts))
    monkeypatch.setattr(XCom, "get_value", lambda **_: {**carried(job, store), "record": "gs://b/job.json"})
    found = {link.name: link.get_link(None, ti_key=None).rpartition("/")[2] for link in FILE_LINKS}
    assert found == {"Video": "v.mp4", "Poster": "poster.jpg", "Job record": "job.json"}


@pytest.mark.parametrize("returned", [None, {}, "text"])
def test_a_task_that_returned_no_job_has_no_link(monkeypatch, returned):
    monkeypatch.setattr(XCom, "get_value", lambda **_: returned)
    assert {link.get_link(None, ti_key=None) for link in FILE_LINKS} == {""}


@pytest.mark.parametrize("operator", [KlingVideoCompleteOperator, KlingVideoVerdictOperator, KlingVideoOperator])
def test_tasks_that_people_open_have_them(operator):
    assert [one.name for one in operator.operator_extra_links][-3:] == ["Video", "Poster", "Job record"]
