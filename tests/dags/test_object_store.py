"""Records, claims, inputs, videos and films in a bucket of an S3 server, shared by processes that know no other."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from airflow_provider_klingvideo._storage import UnknownStoreError, open_path
from airflow_provider_klingvideo.demo.processes import Process, free_port
from airflow_provider_klingvideo.media import find_binaries
from airflow_provider_klingvideo.workflow import JobStore, WorkflowState
from airflow_provider_klingvideo.workflow.creation import created_job
from airflow_provider_klingvideo.workflow.slots import CLAIM, Notice, SlotBoard

from .conftest import FOX, Airflow

pytestmark = pytest.mark.airflow

S = WorkflowState
BUCKET = "videos"
CREDENTIALS = {"aws_access_key_id": "key", "aws_secret_access_key": "a-secret-of-the-tests"}
REGION = "us-east-1"
START_SECONDS = 30.0
# Connections of the same server: what one filesystem of fsspec remembers, the other does not know.
OURS, THEIRS = f"s3://ours@{BUCKET}", f"s3://theirs@{BUCKET}"


@dataclass(frozen=True)
class Bucket:
    """The bucket, as a client sees it that has nothing to do with Airflow."""

    client: Any

    def keys(self, folder: str) -> dict[str, int]:
        """Sizes by key."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=folder)
        return {one["Key"].removeprefix(folder): one["Size"] for page in pages for one in page.get("Contents", ())}

    def read(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def write(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Bucket]]:
    folder, port = tmp_path_factory.mktemp("s3"), free_port(0)
    (folder / "objects" / BUCKET).mkdir(parents=True)
    command = [str(Path(sys.executable).with_name("rclone")), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    keys = ",".join(CREDENTIALS.values())
    process = Process("rclone", [*command, "--auth-key", keys, str(folder / "objects")], folder / "log", {})
    url = f"http://127.0.0.1:{port}"
    client = boto3.client("s3", endpoint_url=url, region_name=REGION, **CREDENTIALS)
    try:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            process.ensure_running()
            with suppress(BotoCoreError, ClientError):
                client.list_buckets()
                break
            time.sleep(0.1)
        yield url, Bucket(client)
    finally:
        process.stop()


@pytest.fixture
def bucket(server: tuple[str, Bucket], monkeypatch: pytest.MonkeyPatch) -> Bucket:
    url, bucket = server
    extra = {"endpoint_url": url, "region_name": REGION}
    login, password = CREDENTIALS.values()
    store = json.dumps({"conn_type": "aws", "login": login, "password": password, "extra": extra})
    for name in ("OURS", "THEIRS"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", store)
    return bucket


class TestWhatAnotherProcessWrites:
    """fsspec remembers what it has listed; here that would cost a video, or order one twice."""

    def test_is_seen_behind_a_listing(self, bucket: Bucket) -> None:
        folder = open_path(f"{OURS}/seen")
        (folder / "one").touch()
        assert [path.name for path in folder.iterdir()] == ["one"]
        bucket.write("seen/two", b"")
        assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]
        bucket.delete("seen/two")
        assert [path.name for path in folder.iterdir()] == ["one"]

    def test_a_record_is_found_in_a_folder_that_was_empty(self, bucket: Bucket) -> None:
        ours, theirs = (JobStore(open_path(f"{path}/records")) for path in (OURS, THEIRS))
        bucket.write("records/job-1/other.json", b"{}")
        assert [path.name for path in ours.folder("job-1").iterdir()] == ["other.json"]
        assert ours.load("job-1") is None
        job = created_job(theirs, "job-1", FOX, origin={})
        found = ours.load("job-1")
        assert found is not None
        assert found.params == job.params

    def test_a_claim_of_a_slot_counts(self, bucket: Bucket) -> None:
        boards = [SlotBoard(open_path(f"{path}/slots")) for path in (OURS, THEIRS)]
        for number, board in enumerate(boards):
            board.put([Notice(CLAIM, "video", "kling-2.5-turbo", f"job-{number}", time.time())])
            assert [len(one.read()) for one in boards] == [number + 1] * 2


def test_an_unknown_store_is_told_with_what_to_install() -> None:
    with pytest.raises(UnknownStoreError, match=r"(?s)gs://b/a cannot be opened: .*Install the Airflow provider"):
        open_path("gs://b/a")


@pytest.fixture
def airflow_at(
    airflow: Airflow, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], Airflow]:
    """An Airflow whose output path is a folder of the bucket, and which has nothing but scratch space on the disk."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def airflow_at(folder: str) -> Airflow:
        monkeypatch.setenv("AIRFLOW__KLINGVIDEO__OUTPUT_PATH", f"{OURS}/{folder}")
        return Airflow(open_path(f"{OURS}/{folder}"))

    return airflow_at


def picture() -> bytes:
    made = ["-f", "lavfi", "-i", "color=red:size=40x20", "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"]
    return subprocess.run([find_binaries().ffmpeg, "-v", "error", *made], check=True, capture_output=True).stdout


def test_a_video_and_all_that_is_made_of_it_lie_in_the_bucket(
    airflow_at: Callable[[str], Airflow], sandbox: Any, bucket: Bucket, tmp_path: Path
) -> None:
    bucket.write("brand/logo.png", picture())
    plan = ["master", "hls", "sprite", "poster", {"preset": "web", "logo": f"{OURS}/brand/logo.png"}]
    airflow = airflow_at("one")
    run = airflow.run("planned", request=FOX, plan=json.dumps(plan))
    job = run.job()
    assert (run.state, job.state) == ("success", S.COMPLETED)
    prefix = str(run.store.folder(job.id)).removeprefix(f"{OURS}/") + "/"
    recorded = [one for artifact in job.metadata["artifacts"].values() for one in (artifact, *artifact["parts"])]
    assert {one["name"]: one["size"] for one in recorded} | {"job.json": len(bucket.read(f"{prefix}job.json"))} == (
        bucket.keys(prefix)
    )
    for one in recorded:
        assert hashlib.sha256(bucket.read(prefix + one["name"])).hexdigest() == one["sha256"]
    assert {"hls/index.m3u8", "hls/segment-00000.m4s", "sprite.vtt", "web.mp4"} <= {
        one["name"] for one in recorded
    }
    assert list(tmp_path.iterdir()) == []

    bucket.delete(f"{prefix}web.mp4")
    again = airflow.run_again("planned", request=FOX, plan=json.dumps(plan))
    assert again.state == "success"
    assert "web.mp4" in bucket.keys(prefix)
    assert len(sandbox.ledger()["tasks"]) == 1


@pytest.mark.parametrize("mode", ["compact", "mapped"])
def test_a_batch_of_a_file_in_the_bucket(
    airflow_at: Callable[[str], Airflow], sandbox: Any, bucket: Bucket, mode: str
) -> None:
    airflow = airflow_at(mode)
    bucket.write(f"{mode}.csv", b"key,prompt,model\na,Shot a,kling-2.5-turbo\nb,Shot b,kling-2.5-turbo\n")
    run = airflow.run(f"rows_{mode}", rows=f"{OURS}/{mode}.csv", batch="spring")
    assert run.state == "success"
    manifest = json.loads(bucket.read(f"{mode}/rows_{mode}/spring/videos.manifest.json"))
    assert [(row["key"], row["state"]) for row in manifest["jobs"]] == [("a", "COMPLETED"), ("b", "COMPLETED")]
    for row in manifest["jobs"]:
        assert bucket.read(row["processed_url"].removeprefix(f"{OURS}/"))[4:8] == b"ftyp"
    bucket.write(f"{mode}.csv", b"key,prompt,model\na,Shot a,kling-2.5-turbo\nb,Another,kling-2.5-turbo\n")
    assert airflow.run(f"rows_{mode}", rows=f"{OURS}/{mode}.csv", batch="spring").state == "success"
    assert len(sandbox.ledger()["tasks"]) == 3


def test_a_film_of_shots_in_the_bucket(airflow_at: Callable[[str], Airflow], bucket: Bucket, tmp_path: Path) -> None:
    run = airflow_at("film").run("film", shots=["A fox", "An owl"], seconds=3)
    assert run.state == "success"
    prefix = str(run.store.base / "film").removeprefix(f"{OURS}/") + "/"
    record = json.loads(bucket.read(f"{prefix}film.json"))
    film = bucket.read(f"{prefix}film.mp4")
    assert hashlib.sha256(film).hexdigest() == record["artifacts"]["film.mp4"]["sha256"]
    assert set(bucket.keys(prefix)) == {"film.mp4", "poster.jpg", "film.json"}
    assert list(tmp_path.iterdir()) == []
