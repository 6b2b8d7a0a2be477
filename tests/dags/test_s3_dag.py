"""Whole runs whose records and videos lie in an S3 bucket: the worker's disk is scratch only."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from s3_storage import CONNECTION

from airflow_provider_klingvideo.media import find_binaries
from airflow_provider_klingvideo.runtime.paths import open_path
from airflow_provider_klingvideo.workflow import JobStore, WorkflowState
from airflow_provider_klingvideo.workflow.batch.row_book import RowBook
from airflow_provider_klingvideo.workflow.gates.budgets.old_claims import by_holder, old_claims

from .conftest import FOX, Airflow

pytestmark = pytest.mark.airflow

S = WorkflowState


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def s3_airflow(airflow, bucket, scratch, monkeypatch):
    monkeypatch.setenv("AIRFLOW__KLINGVIDEO__OUTPUT_PATH", f"{bucket.uri}/videos")
    yield Airflow(open_path(f"{bucket.uri}/videos"))
    assert list(scratch.iterdir()) == []
    assert list(airflow.output.iterdir()) == []
    assert not (Path(os.environ["AIRFLOW_HOME"]) / "klingvideo").exists()


def picture(path):
    drawn = ["-f", "lavfi", "-i", "testsrc2=size=320x320", "-frames:v", "1", str(path)]
    subprocess.run([find_binaries().ffmpeg, "-loglevel", "error", *drawn], check=True, timeout=60)
    return path.read_bytes()


def assert_stored_as_recorded(bucket, job):
    prefix = f"videos/{job.processed_url.partition('/videos/')[2].rpartition('/')[0]}/"
    files = [file for artifact in job.files.artifacts.values() for file in (artifact, *artifact.get("parts", ()))]
    for file in files:
        content = bucket[prefix + file["name"]]
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    (call,) = job.calls
    notes = [f"calls/{token}.json" for token in call.sends]
    assert bucket.keys(prefix) == sorted(["job.json", *notes, *(file["name"] for file in files)])


def test_a_video_is_made_in_the_bucket_and_nowhere_else(s3_airflow, sandbox, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PICTURES", os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"])
    bucket["fox.png"] = picture(tmp_path / "fox.png")
    request = {**FOX, "first_frame": f"s3://pictures@{bucket.name}/fox.png"}
    plan = json.dumps(["master", "hls", "sprite", "poster"])
    run = s3_airflow.run("planned", request=request, plan=plan)
    assert run.state == "success"
    job = run.job()
    assert job.state is S.COMPLETED
    assert job.processed_url.startswith(f"{bucket.uri}/videos/planned/")
    assert_stored_as_recorded(bucket, job)

    def media():
        return {key: at for key, at in bucket.written("videos/planned/").items() if not key.endswith(".json")}

    written = media()
    assert s3_airflow.run_again("planned", request=request, plan=plan).state == "success"
    assert (media(), len(sandbox.ledger()["tasks"])) == (written, 1)


def test_a_batch_is_read_from_the_bucket_and_told_there(s3_airflow, sandbox, bucket):
    bucket["shots.csv"] = b"key,prompt,model\nfox,A fox,kling-2.5-turbo\nboat,A boat,kling-2.5-turbo\n"
    run = s3_airflow.run("rows_compact", rows=f"{bucket.uri}/shots.csv", batch="spring")
    assert run.state == "success"
    folder = s3_airflow.output / "rows_compact" / "spring"
    jobs = {row.key: JobStore(folder).load(row.job_id) for row in RowBook(folder, "videos").read()}
    assert {key: job.state for key, job in jobs.items()} == {"fox": S.COMPLETED, "boat": S.COMPLETED}
    for job in jobs.values():
        assert_stored_as_recorded(bucket, job)
    manifest = json.loads(bucket["videos/rows_compact/spring/videos.manifest.json"])
    assert [(row["key"], row["state"]) for row in manifest["jobs"]] == [("fox", "COMPLETED"), ("boat", "COMPLETED")]


def test_a_budget_is_kept_in_the_bucket(s3_airflow, sandbox, bucket):
    run = s3_airflow.run("budgeted", requests=[FOX, FOX], budget_units=100, budget_key="spring")
    assert run.state == "success"
    jobs = [run.job(index, key="videos.jobs") for index in range(2)]
    claims = by_holder(old_claims(bucket.keys("videos/budgets/spring/")))
    assert claims == {job.id: job.billed_units for job in jobs}
