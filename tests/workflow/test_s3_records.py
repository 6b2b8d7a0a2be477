"""Records, rows, claims and manifests in an S3 bucket, while other workers write there as well."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from decimal import Decimal

import pytest
from pyarrow import Table, parquet
from s3_storage import KEYS
from workshop import KEY, Workshop

from airflow_provider_klingvideo.kling import ApiKeyAuth, AsyncKlingClient
from airflow_provider_klingvideo.media import RenderPlan
from airflow_provider_klingvideo.runtime.paths import open_path
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import JobStore, WorkflowEngine, WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.batch.judge import judged
from airflow_provider_klingvideo.workflow.batch.manifest import write_manifest
from airflow_provider_klingvideo.workflow.batch.row_book import RowBook
from airflow_provider_klingvideo.workflow.batch.rows import read_rows
from airflow_provider_klingvideo.workflow.gates.budgets.old_claims import Claims
from airflow_provider_klingvideo.workflow.gates.slots.board import SlotBoard
from airflow_provider_klingvideo.workflow.gates.slots.notices import CLAIM, Notice
from airflow_provider_klingvideo.workflow.job.errors import InputError
from airflow_provider_klingvideo.workflow.job.store import RecordOvertakenError, UnreadableRecordError
from airflow_provider_klingvideo.workflow.reconcile.reconciler import Finding, Reconciler

pytestmark = pytest.mark.airflow

S = WorkflowState
ROWS = [{"prompt": "Ein Füchslein", "duration": 5}, {"prompt": "A boat"}]


@pytest.fixture
def store(bucket):
    return JobStore(open_path(f"{bucket.uri}/videos/run"))


@pytest.fixture
def record(bucket):
    """The record of ``job-1`` as another worker reads and writes it."""

    class Record:
        key = "videos/run/job-1/job.json"

        def read(self):
            return WorkflowJob.model_validate_json(bucket[self.key])

        def write(self, job):
            bucket[self.key] = json.dumps(job.as_json()).encode()

    return Record()


def job_in(state, **fields):
    job = WorkflowJob(id="job-1", prompt="A fox", **fields)
    path = [S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING, S.COMPLETED]
    for step in path[: path.index(state) + 1]:
        WorkflowEngine().transition(job, step)
    return job


class TestRecords:
    def test_what_is_kept_is_read_again(self, store, record, bucket):
        assert store.load("job-1") is None
        job = job_in(S.QUEUED)
        store.save(job)
        assert store.load("job-1") == record.read() == job
        assert bucket.keys() == [record.key]

    def test_a_record_that_went_further_stays(self, store, record):
        slow, quick = job_in(S.VALIDATED), job_in(S.COMPLETED)
        store.save(slow)
        record.write(quick)
        with pytest.raises(RecordOvertakenError):
            store.save(slow)
        assert store.load("job-1") == quick

    def test_what_another_worker_wrote_is_seen_after_a_look_at_the_folder(self, store, record):
        store.save(job_in(S.VALIDATED))
        assert [path.name for path in store.folder("job-1").iterdir()] == ["job.json"]
        record.write(job_in(S.COMPLETED))
        assert store.load("job-1").state is S.COMPLETED
        store.request_cancel("job-1", "Ann: enough")
        assert sorted(path.name for path in store.folder("job-1").iterdir()) == ["cancel.json", "job.json"]

    def test_half_a_record_is_not_none(self, store, record, bucket):
        store.save(job_in(S.VALIDATED))
        bucket[record.key] = bucket[record.key][:20]
        with pytest.raises(UnreadableRecordError):
            store.load("job-1")

    def test_a_cancellation_is_found(self, store):
        assert store.cancel_reason("job-1", 1) is None
        store.request_cancel("job-1", "Ann: enough")
        assert store.cancel_reason("job-1", 1) == "Ann: enough"


class TestWithoutAConnection:
    @pytest.fixture(autouse=True)
    def environment(self, s3_server, monkeypatch):
        from s3fs import S3FileSystem

        for name, value in {**KEYS, "AWS_ENDPOINT_URL_S3": s3_server}.items():
            monkeypatch.setenv(name, value)
        yield
        S3FileSystem.clear_instance_cache()

    def test_what_is_written_is_listed(self, bucket):
        folder = open_path(f"s3://{bucket.name}/run")
        (folder / "a").write_text("1")
        assert [path.name for path in folder.iterdir()] == ["a"]
        with (folder / "b").open("wb") as stream:
            stream.write(b"2")
        bucket["run/c"] = b"3"
        assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "c"]


def test_a_path_of_another_connection_is_opened_while_an_event_loop_runs(bucket, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BRAND", os.environ["AIRFLOW_CONN_S3_STORE"])
    bucket["logo.png"] = b"logo"

    async def read():
        return open_path(f"s3://brand@{bucket.name}/logo.png").read_bytes()

    assert asyncio.run(read()) == b"logo"


class TestClaims:
    def test_claims_of_others_count_and_those_taken_back_do_not(self, bucket):
        folder = open_path(f"{bucket.uri}/budgets/spring")
        claims = Claims(folder, Decimal(10))
        assert claims.committed() == 0
        assert claims.claim("job-1", Decimal(6))
        bucket["budgets/spring/job-2@3"] = b""
        assert claims.committed() == 9
        assert not claims.claim("job-3", Decimal(2))
        del bucket["budgets/spring/job-2@3"]
        assert claims.claim("job-3", Decimal(2))
        claims.settle("job-1", Decimal(0))
        assert bucket.keys() == ["budgets/spring/job-3@2"]

    def test_what_is_kept_never_exceeds_the_limit(self, bucket):
        uri, kept = f"{bucket.uri}/budgets/summer", []

        def claim(number):
            if Claims(open_path(uri), Decimal(3)).claim(f"job-{number}", Decimal(1)):
                kept.append(number)

        threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(kept) <= 3
        assert bucket.keys() == sorted(f"budgets/summer/job-{number}@1" for number in kept)

    def test_notices_of_others_are_read_and_taken_down(self, bucket):
        board, model = SlotBoard(open_path(f"{bucket.uri}/slots/conn")), "kling-2.5-turbo"
        mine, other = (Notice(CLAIM, "video", model, job, 1.0) for job in ("job-1", "job-2"))
        assert board.read() == []
        board.put([mine])
        assert board.read() == [mine]
        bucket[f"slots/conn/{other.name}"] = b""
        assert sorted(board.read(), key=str) == [mine, other]
        del bucket[f"slots/conn/{mine.name}"]
        board.take_down([mine])
        assert board.read() == [other]


class TestRows:
    def test_every_format_is_read(self, bucket, tmp_path):
        parquet.write_table(Table.from_pylist(ROWS), tmp_path / "rows.parquet")
        files = {
            "rows.csv": "prompt,duration\nEin Füchslein,5\nA boat,\n".encode(),
            "rows.jsonl": "\n".join(json.dumps(row) for row in ROWS).encode(),
            "rows.json": json.dumps(ROWS).encode(),
            "rows.parquet": (tmp_path / "rows.parquet").read_bytes(),
        }
        for name, content in files.items():
            bucket[name] = content
            found = read_rows(open_path(f"{bucket.uri}/{name}"))
            assert [{**row, "duration": int(row["duration"])} if "duration" in row else row for row in found] == ROWS

    def test_a_missing_file_is_named(self, bucket):
        with pytest.raises(
            InputError, match=f"{bucket.uri.partition('@')[2]}/none.csv': there is no file of this name"
        ):
            read_rows(open_path(f"{bucket.uri}/none.csv"))

    def test_a_batch_keeps_its_rows_and_writes_its_manifest(self, bucket, store):
        book = RowBook(store.base, "videos")
        rows = book.write({"a": ROWS[0], "b": ROWS[1]})
        assert book.read() == rows
        jobs = [job_in(S.COMPLETED), None]
        path = write_manifest(store, "videos", jobs, judged(jobs, 0.5), keys=["a", "b"])
        assert path == f"{bucket.uri}/videos/run/videos.manifest.json"
        names = ["videos.manifest.json", "videos.manifest.jsonl", "videos.manifest.parquet", "videos.rows.json"]
        assert bucket.keys("videos/run/") == names
        assert [row["state"] for row in json.loads(bucket["videos/run/videos.manifest.json"])["jobs"]] == [
            "COMPLETED",
            "NO_RECORD",
        ]


@pytest.fixture(scope="module")
def sandbox():
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0.1, max_render_height=120)) as server:
        yield server


class TestWholeJobs:
    def test_a_job_reaches_its_end_and_its_files_are_those_on_record(self, sandbox, store, bucket, record):
        workshop = Workshop(sandbox, store.base, plan=RenderPlan())
        job = workshop.process(WorkflowJob(id="job-1", prompt="A fox"))
        assert (job.state, record.read().state) == (S.COMPLETED, S.COMPLETED)
        sizes = {one["name"]: one["size"] for one in job.files.artifacts.values()}
        (note,) = bucket.keys("videos/run/job-1/calls/")
        assert bucket.keys("videos/run/job-1/") == sorted([*sizes, "job.json", f"calls/{note}"])
        assert {name: len(bucket[f"videos/run/job-1/{name}"]) for name in sizes} == sizes
        assert job.processed_url == f"{bucket.uri}/videos/run/job-1/master.mp4"

    def test_reconciling_finds_the_records_of_all_runs(self, sandbox, bucket, store):
        sandbox.reset()
        job = Workshop(sandbox, store.base).process(WorkflowJob(id="job-1", prompt="A fox"))

        async def compare():
            async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
                reconciler = Reconciler(client, JobStore(open_path(bucket.uri)), open_store=lambda found: None)
                return await reconciler.compare(adopt=False, close_stale=False)

        (row,) = asyncio.run(compare()).rows
        assert (row.finding, row.job_id) == (Finding.FOLLOWED, job.id)
