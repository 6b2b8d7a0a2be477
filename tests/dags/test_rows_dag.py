"""A batch from rows, in all granularities: the same records, and only what is new is ordered again."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from pyarrow import parquet

from airflow_provider_klingvideo.media import find_binaries
from airflow_provider_klingvideo.workflow import JobStore, WorkflowState
from airflow_provider_klingvideo.workflow.batch.row_book import RowBook

from .conftest import FOX

pytestmark = pytest.mark.airflow

S = WorkflowState
MODES = pytest.mark.parametrize("mode", ["compact", "mapped", "single"])


def rows(*keys, **prompts):
    return [{**FOX, "key": key, "prompt": prompts.get(key, f"Shot {key}")} for key in keys]


@pytest.fixture
def picture_file(tmp_path):
    path = tmp_path / "fox.png"
    drawn = ["-f", "lavfi", "-i", "testsrc2=size=320x320", "-frames:v", "1", str(path)]
    subprocess.run([find_binaries().ffmpeg, "-loglevel", "error", *drawn], check=True, timeout=60)
    return path


class Batch:
    """A batch's records by row key."""

    def __init__(self, airflow, mode, *, name="rows"):
        self.airflow = airflow
        self.dag_id = f"{name}_{mode}"
        self.folder = airflow.output / self.dag_id / "spring"

    def run(self, given, **params):
        return self.airflow.run(self.dag_id, rows=given, batch="spring", **params)

    def run_again(self, given):
        return self.airflow.run_again(self.dag_id, rows=given, batch="spring")

    def manifest(self):
        return json.loads((self.folder / "videos.manifest.json").read_text())

    def jobs(self):
        store = JobStore(self.folder)
        return {row.key: store.load(row.job_id) for row in RowBook(self.folder, "videos").read()}

    def states(self):
        return {key: job.state for key, job in self.jobs().items()}


@MODES
def test_each_row_becomes_a_video(airflow, sandbox, mode):
    batch = Batch(airflow, mode)
    run = batch.run(rows("a", "b", "c"))
    assert run.state == "success"
    assert batch.states() == dict.fromkeys("abc", S.COMPLETED)
    assert len(sandbox.ledger()["tasks"]) == 3
    manifest = batch.folder / "videos.manifest.json"
    told = [(row["key"], row["state"]) for row in json.loads(manifest.read_text())["jobs"]]
    assert told == [("a", "COMPLETED"), ("b", "COMPLETED"), ("c", "COMPLETED")]
    assert parquet.read_table(manifest.with_suffix(".parquet")).column("key").to_pylist() == ["a", "b", "c"]
    assert len((batch.folder / "videos.manifest.jsonl").read_text().splitlines()) == 3


@MODES
def test_another_run_orders_only_what_is_new_or_changed(airflow, sandbox, mode):
    batch = Batch(airflow, mode)
    batch.run(rows("a", "b"))
    first = batch.jobs()
    run = batch.run(rows("c", "b", "a", b="Another shot"))
    assert run.state == "success"
    assert batch.states() == dict.fromkeys("cba", S.COMPLETED)
    assert len(sandbox.ledger()["tasks"]) == 4
    second = batch.jobs()
    assert second["a"].klingai_job_id == first["a"].klingai_job_id
    assert second["b"].klingai_job_id != first["b"].klingai_job_id
    assert next(one.task_id for one in second["b"].submissions) == first["b"].klingai_job_id


@MODES
def test_what_failed_is_tried_again_and_nothing_else(airflow, sandbox, mode):
    batch = Batch(airflow, mode)
    run = batch.run(rows("a", "b", b="x [sandbox:fail=Image pixel is invalid]"))
    assert (run.state, batch.states()) == ("failed", {"a": S.COMPLETED, "b": S.FAILED})
    assert "Image pixel is invalid" in batch.jobs()["b"].error
    run = batch.run(rows("a", "b"))
    assert (run.state, batch.states()) == ("success", {"a": S.COMPLETED, "b": S.COMPLETED})
    assert len(sandbox.ledger()["tasks"]) == 3


@MODES
def test_a_higher_take_orders_every_video_once_more(airflow, sandbox, mode):
    batch = Batch(airflow, mode)
    batch.run(rows("a", "b"))
    run = batch.run(rows("a", "b", "c"), take=2)
    assert (run.state, batch.states()) == ("success", dict.fromkeys("abc", S.COMPLETED))
    takes = {key: [call.take for call in job.submissions] for key, job in batch.jobs().items()}
    assert takes == {"a": [1, 2], "b": [1, 2], "c": [2]}
    assert batch.run(rows("a", "b", "c"), take=2).state == "success"
    assert len(sandbox.ledger()["tasks"]) == 5


@MODES
def test_a_cancelled_row_costs_nothing(airflow, sandbox, mode, connect):
    batch = Batch(airflow, mode)
    batch.run(rows("a"))
    batch.run(rows("a", "b"), on_changed_request="fail")
    store = JobStore(batch.folder)
    row = next(row for row in RowBook(batch.folder, "videos").write({"a": {}, "b": {}, "c": {}}) if row.key == "c")
    store.request_cancel(row.job_id, "Ann: too expensive")
    run = batch.run(rows("a", "b", "c"))
    assert (run.state, batch.states()["c"]) == ("success", S.CANCELLED)
    assert len(sandbox.ledger()["tasks"]) == 2


@MODES
def test_faults_in_the_rows_are_all_named_before_anything_is_ordered(airflow, sandbox, mode):
    batch = Batch(airflow, mode)
    run = batch.run([*rows("a"), *rows("a")])
    assert run.state == "failed"
    assert sandbox.ledger()["tasks"] == []


@MODES
def test_a_file_is_read(airflow, sandbox, mode, tmp_path):
    path = tmp_path / "shots.csv"
    path.write_text("key,prompt,model\nfox,A fox,kling-2.5-turbo\n")
    batch = Batch(airflow, mode)
    assert batch.run(f"file://{path}").state == "success"
    assert batch.states() == {"fox": S.COMPLETED}


def test_a_compact_batch_takes_a_task_for_each_chunk(airflow, sandbox):
    run = Batch(airflow, "compact").run(rows(*"abcde"))
    tasks = [(ti.task_id, ti.map_index) for ti in run.dag_run.get_task_instances()]
    assert sorted(tasks) == [
        ("videos.rows", -1),
        ("videos.verdict", -1),
        *(("videos.videos", index) for index in range(3)),
    ]


def test_the_assets_of_a_compact_batch_get_the_list_of_videos_of_each_chunk(airflow, sandbox):
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    def told():
        with create_session() as session:
            events = session.query(AssetEvent).filter_by(source_dag_id="rows_compact").order_by(AssetEvent.id)
            return [[video["path"] for video in event.extra["videos"]] for event in events]

    batch, before = Batch(airflow, "compact"), told()
    batch.run(rows(*"abc", b="x [sandbox:fail]"))
    jobs = batch.jobs()
    # Chunks that wait end in any order.
    assert sorted(told()[len(before) :]) == sorted([[jobs["a"].processed_url], [jobs["c"].processed_url]])


@pytest.mark.scenario(8)
def test_what_a_person_has_cancelled_stays_so_when_its_task_is_tried_again(airflow, sandbox, killed_at):
    batch = Batch(airflow, "compact")
    cancelled, _ = RowBook(batch.folder, "videos").write({"a": {}, "b": {}})
    JobStore(batch.folder).request_cancel(cancelled.job_id, "Ann: too expensive")
    killed_at("POST_PROCESSING")
    run = batch.run(rows("a", "b"))
    videos = next(ti for ti in run.dag_run.get_task_instances() if ti.task_id == "videos.videos")
    assert (run.state, videos.try_number) == ("success", 2)
    assert batch.states() == {"a": S.CANCELLED, "b": S.COMPLETED}
    assert len(sandbox.ledger()["tasks"]) == 1
    # Run anew, it is ordered.
    assert batch.run_again(rows("a", "b")).state == "success"
    assert batch.states() == {"a": S.COMPLETED, "b": S.COMPLETED}


@pytest.mark.scenario(42)
def test_a_chunk_that_ends_in_the_middle_fails_the_batch_and_its_paid_videos_can_be_taken_later(
    airflow, sandbox, killed_at
):
    sandbox.settings(generation_seconds=20)
    killed_at(*["call_answered"] * 3)
    batch = Batch(airflow, "compact", name="whole")
    run = batch.run(rows(*"abc"))
    ordered = {task["id"] for task in sandbox.ledger()["tasks"]}
    assert (run.tasks(0, "videos.")["videos"], run.tasks(prefix="videos.")["verdict"], run.state) == ("failed",) * 3
    assert batch.manifest()["states"] == {"FAILED": 3}
    jobs = batch.jobs().values()
    assert {(job.failure["kind"], job.failure["state"], job.failure["money"]) for job in jobs} == {
        ("abandoned", "GENERATING", "maybe")
    }
    assert {job.klingai_job_id for job in jobs} == ordered
    assert all(f"{job.klingai_job_id} at Kling cannot be cancelled" in job.error for job in jobs)

    assert batch.run_again(rows(*"abc")).state == "success"
    assert batch.states() == dict.fromkeys("abc", S.COMPLETED)
    assert {task["id"] for task in sandbox.ledger()["tasks"]} == ordered


def a_bad_row_among(count, **fault):
    given = rows(*map(str, range(count)))
    given[17 % count] |= fault or {"duration": 7}
    return given


@pytest.mark.scenario(6)
@MODES
def test_one_bad_row_of_200_keeps_all_from_being_ordered(airflow, sandbox, mode, capfd):
    batch = Batch(airflow, mode)
    run = batch.run(a_bad_row_among(200))
    tasks = run.tasks(prefix="videos.")
    assert (run.state, tasks["rows"], tasks["verdict"]) == ("failed", "failed", "failed")
    assert run.dag_run.get_task_instance("videos.rows").try_number == 1
    assert sandbox.ledger()["tasks"] == []
    assert not list(batch.folder.glob("*/job.json"))
    told = "".join(capfd.readouterr())
    assert "1 of 200 rows cannot be ordered; nothing was ordered." in told
    assert re.search("entry 18 +17 +duration +7 is not offered +5 or 10 seconds", told)
    (fault,) = [json.loads(line) for line in (batch.folder / "videos.faults.jsonl").read_text().splitlines()]
    assert fault == {
        "row": "entry 18",
        "key": "17",
        "column": "duration",
        "value": "7",
        "wrong": "7 is not offered",
        "legal": "5 or 10 seconds",
    }


@MODES
def test_bad_rows_can_be_left_out_and_are_told(airflow, sandbox, mode):
    batch = Batch(airflow, mode)
    given = [{**FOX, "key": "bad", "duration": 7}, *rows("a", "b"), {**FOX, "key": "worse", "duration": 8}]
    run = batch.run(given, on_invalid_rows="skip")
    assert run.state == "success"
    assert batch.states() == {"a": S.COMPLETED, "b": S.COMPLETED}
    assert len(sandbox.ledger()["tasks"]) == 2
    manifest = batch.manifest()
    assert (manifest["total"], manifest["failed"], manifest["refused"]) == (4, 0, 2)
    assert manifest["states"] == {"COMPLETED": 2, "REFUSED": 2}
    told = [(row["key"], row["state"], row["error"]) for row in manifest["jobs"]]
    assert told == [
        ("bad", "REFUSED", "duration: 7 is not offered (legal: 5 or 10 seconds)"),
        ("a", "COMPLETED", None),
        ("b", "COMPLETED", None),
        ("worse", "REFUSED", "duration: 8 is not offered (legal: 5 or 10 seconds)"),
    ]
    assert len((batch.folder / "videos.faults.jsonl").read_text().splitlines()) == 2
    # Mended, they are ordered, and their faults are gone.
    assert batch.run([{**FOX, "key": "bad"}, *rows("a", "b")], on_invalid_rows="skip").state == "success"
    assert batch.states() == dict.fromkeys(["bad", "a", "b"], S.COMPLETED)
    assert len(sandbox.ledger()["tasks"]) == 3
    assert not (batch.folder / "videos.faults.jsonl").exists()


@pytest.mark.parametrize("policy", ["skip", "refuse"])
def test_a_batch_of_which_every_row_is_bad_is_refused(airflow, sandbox, policy):
    run = Batch(airflow, "compact").run(rows("a", "b", a="", b=" "), on_invalid_rows=policy)
    assert (run.state, sandbox.ledger()["tasks"]) == ("failed", [])


def test_a_policy_that_there_is_not_is_refused(airflow, sandbox, capfd):
    run = Batch(airflow, "compact").run(rows("a"), on_invalid_rows="maybe")
    assert (run.state, sandbox.ledger()["tasks"]) == ("failed", [])
    assert "on_invalid_rows" in "".join(capfd.readouterr())


def test_a_row_that_no_budget_covers_keeps_all_from_being_ordered(airflow, sandbox, capfd):
    given = [*rows("a", "b"), {**FOX, "key": "long", "duration": 10}]
    run = Batch(airflow, "compact").run(given, budget="2")
    assert (run.state, sandbox.ledger()["tasks"]) == ("failed", [])
    assert re.search("entry 3 +long +budget_units +The request costs 3.0 units", "".join(capfd.readouterr()))


def test_a_row_whose_video_is_there_keeps_no_other_from_being_ordered(airflow, sandbox, picture_file):
    batch = Batch(airflow, "compact")
    old = {**FOX, "key": "old", "kind": "image_to_video", "first_frame": f"file://{picture_file}"}
    assert batch.run([old]).state == "success"
    picture_file.unlink()
    assert batch.run([old, *rows("new")]).state == "success"
    assert batch.states() == dict.fromkeys(["old", "new"], S.COMPLETED)
    assert len(sandbox.ledger()["tasks"]) == 2
