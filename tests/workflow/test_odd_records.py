"""Records and notes that are broken, not where they belong, or full of text that nobody expects."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.storage.errors import UnsafeNameError
from airflow_provider_klingvideo.workflow import JobStore, PaidCall, WorkflowEngine, WorkflowJob
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.batch.judge import judged
from airflow_provider_klingvideo.workflow.batch.manifest import write_manifest
from airflow_provider_klingvideo.workflow.inputs.creation import created_job
from airflow_provider_klingvideo.workflow.job.sections import Origin, Result
from airflow_provider_klingvideo.workflow.job.store import UnreadableRecordError
from airflow_provider_klingvideo.workflow.ordering.calls import EARLIER_RECORD, call_once

HALF = "\ud83d"
ODD = f"a fox {HALF} and a NUL \0, ein Füchslein 狐"
KEY, KEPT_KEY = "a NUL \0", "a NUL \u2400"
KEPT = "a fox \ufffd and a NUL \u2400, ein Füchslein 狐"


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path / "run")


def ordered(job_id="job-1", **fields):
    """A job that has ordered a task."""
    call = PaidCall(fingerprint="f" * 16, external_task_id=f"{job_id}-{'f' * 16}-g1", task_id="77")
    call.begin("one")
    return WorkflowJob(id=job_id, calls=[call], klingai_job_id="77", external_task_id=call.external_task_id, **fields)


class TestPlaces:
    def test_a_record_in_the_folder_of_another_job_is_refused(self, store):
        store.save(ordered())
        shutil.copytree(store.folder("job-1"), store.folder("job-2"))
        with pytest.raises(UnreadableRecordError, match="belongs to job job-1, not to the folder it lies in") as caught:
            store.load("job-2")
        assert caught.value.money is Money.MAYBE
        # Nothing is made in its place, which would order under the id of the other one, or once more.
        with pytest.raises(UnreadableRecordError):
            created_job(WorkflowEngine(store=store), "job-2", {"prompt": "a"}, origin=Origin())
        with pytest.raises(UnreadableRecordError):
            store.save(WorkflowJob(id="job-2"))
        assert store.load("job-1").klingai_job_id == "77"

    @pytest.mark.parametrize("name", ["../job-1", "..", ".", "", "a/b", "/etc", "a\\b", "a\0b", HALF, "x" * 300, "a:b"])
    def test_an_id_that_could_lead_elsewhere_is_refused(self, store, name):
        store.save(ordered())
        call = PaidCall(what="tts", fingerprint="f")
        token = call.begin(call.next_token)
        for use in (
            lambda: store.load(name),
            lambda: store.save(WorkflowJob.model_construct(**{**WorkflowJob().__dict__, "id": name})),
            lambda: store.note(name, call, token, first=True),
            lambda: store.calls_of(name),
            lambda: store.request_cancel(name, "Ann"),
            lambda: store.cancel_reason(name, 1),
            lambda: store.read("job-1", name),
            lambda: store.write("job-1", name, {}),
        ):
            with pytest.raises(UnsafeNameError):
                use()
        assert {path.name for path in store.base.parent.rglob("*") if path.is_file()} == {"job.json"}

    @pytest.mark.parametrize("token", ["../x", "a/b", "a\0b", HALF])
    def test_nor_is_a_note_written_elsewhere(self, store, token):
        with pytest.raises(UnsafeNameError):
            store.note("job-1", PaidCall(fingerprint="f", sends={token: "sent"}), token)
        assert not store.base.exists()


class TestNotes:
    def test_a_note_that_cannot_be_read_is_not_the_same_as_none(self, store):
        store.save(WorkflowJob(id="job-1"))
        (call,) = ordered().calls
        store.note("job-1", call, "one", first=True)
        (note,) = (store.folder("job-1") / "calls").iterdir()
        note.write_bytes(note.read_bytes()[:20])
        with pytest.raises(UnreadableRecordError, match=r"The note .*one\.json cannot be read") as caught:
            store.load("job-1")
        assert caught.value.money is Money.MAYBE

    def test_other_files_beside_notes_are_passed_over(self, store):
        store.save(WorkflowJob(id="job-1"))
        folder = store.folder("job-1") / "calls"
        (folder / "sub").mkdir(parents=True)
        for name in (".one.json.0badcafe.part", "README", "copy of one.txt"):
            (folder / name).write_text("x")
        assert store.load("job-1").calls == []

    def test_a_note_outlives_a_record_that_knows_nothing_of_it(self, store):
        store.save(WorkflowJob(id="job-1"))
        (call,) = ordered().calls
        store.note("job-1", call, "one", first=True)
        (known,) = store.load("job-1").calls
        assert (known.task_id, known.money) == ("77", Money.MAYBE)
        store.save(WorkflowJob(id="job-1"))
        record = json.loads((store.folder("job-1") / "job.json").read_text())
        assert [one["task_id"] for one in record["calls"]] == ["77"], "a stale worker does not write it away"


class TestEarlierSpeeches:
    def ask(self, store):
        async def send():
            pytest.fail("it was sent")

        return asyncio.run(call_once(store, "speech-1", "tts", {"text": "Hello"}, send, dict))

    @pytest.mark.parametrize("content", ["[]", "null", '"x"', "3", "{", ""])
    def test_one_that_cannot_be_read_is_not_the_same_as_none(self, store, content):
        path = store.folder("speech-1") / EARLIER_RECORD
        path.parent.mkdir(parents=True)
        path.write_text(content)
        with pytest.raises(UnreadableRecordError, match=r"speech\.json") as caught:
            self.ask(store)
        assert caught.value.money is Money.MAYBE
        assert [one.name for one in path.parent.iterdir()] == [EARLIER_RECORD]


class TestText:
    def job(self):
        call = PaidCall(what="tts", fingerprint="f", answer={KEY: [ODD]}, verdict="succeeded")
        outputs = [{"type": "video", "name": ODD, "url": f"https://cdn/{HALF}.mp4"}]
        return WorkflowJob(
            id="job-1",
            prompt=ODD,
            params={"negative_prompt": ODD, KEY: 1},
            metadata={KEY: {"x": ODD}},
            calls=[call],
            klingai_job_id=f"77{HALF}",
            result=Result(outputs=outputs),
        )

    def test_what_no_store_takes_is_kept_and_read_again_as_something_readable(self, store):
        job = self.job()
        WorkflowEngine().fail(job, KlingVideoError("refused", vendor_message=ODD))
        store.save(job)
        found = store.load("job-1")
        assert (found.prompt, found.params) == (KEPT, {"negative_prompt": KEPT, KEPT_KEY: 1})
        assert (found.metadata, found.calls[0].answer) == ({KEPT_KEY: {"x": KEPT}}, {KEPT_KEY: [KEPT]})
        assert (found.klingai_job_id, found.result.outputs[0]["name"]) == ("77\ufffd", KEPT)
        assert KEPT in found.error
        assert found.failure["vendor_message"] == KEPT
        assert found.history[-1].data["failure"]["vendor_message"] == KEPT
        store.save(found)
        assert store.load("job-1") == found
        assert job.as_json()["prompt"] == KEPT, "so it travels between tasks"

    def test_notes_and_manifests_take_it_as_well(self, store):
        job = self.job()
        (call,) = job.calls
        token = call.begin(call.next_token)
        store.note("job-1", call, token, first=True)
        assert store.calls_of("job-1")[0].answer == {KEPT_KEY: [KEPT]}
        write_manifest(store, ODD, [job], judged([job], 1), keys=[ODD])
        (path,) = store.base.glob("*.manifest.json")
        (row,) = json.loads(path.read_text())["jobs"]
        assert (row["key"], row["prompt"], row["klingai_job_id"]) == (KEPT, KEPT, "77\ufffd")
        (line,) = path.with_suffix(".jsonl").read_text().splitlines()
        assert json.loads(line)["prompt"] == KEPT

    def test_a_reason_to_cancel_may_hold_it(self, store):
        store.request_cancel("job-1", ODD)
        assert store.cancel_reason("job-1", 1) == KEPT

    def test_the_same_request_is_the_same_one_again(self, store):
        engine, request = WorkflowEngine(store=store), {"prompt": ODD, "negative_prompt": ODD}
        job = created_job(engine, "job-1", request, origin=Origin())
        WorkflowEngine().transition(job, S.VALIDATED)
        store.save(job)
        again = created_job(engine, "job-1", request, origin=Origin())
        assert (again.state, again.revision) == (S.VALIDATED, 1)

    @given(st.text(st.characters(codec=None), max_size=30), st.text(max_size=10))
    def test_whatever_text_comes_a_record_is_read_as_it_was_written(self, tmp_path_factory, text, other):
        store = JobStore(tmp_path_factory.getbasetemp() / "texts")
        store.save(WorkflowJob(id="job-1", prompt=text, params={other: text}, metadata={text: other}))
        once = store.load("job-1")
        store.save(once)
        assert store.load("job-1") == once
        (store.folder("job-1") / "job.json").unlink()
