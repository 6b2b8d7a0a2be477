"""Job records: stored whole, taken up again, closed by the exit that the table allows."""

from __future__ import annotations

import json

import pytest

from airflow_provider_klingvideo.workflow import (
    JobStore,
    PaidCall,
    WorkflowEngine,
    WorkflowJob,
    WorkflowState,
    reopened,
)
from airflow_provider_klingvideo.workflow.batch.judge import judged
from airflow_provider_klingvideo.workflow.inputs.creation import created_job
from airflow_provider_klingvideo.workflow.job.closing import cancel, close
from airflow_provider_klingvideo.workflow.job.failure import failure_data
from airflow_provider_klingvideo.workflow.job.sections import Origin
from airflow_provider_klingvideo.workflow.job.store import UnreadableRecordError

S = WorkflowState
ORIGIN = Origin(dag_id="d", run_id="r", map_index=-1)


def walked(*states, **fields):
    job = WorkflowJob(**fields)
    for state in states:
        WorkflowEngine().transition(job, state)
    return job


def in_generating(**fields):
    call = PaidCall(external_task_id="e-1", fingerprint="f", task_id="867283741759111202")
    return walked(
        S.VALIDATED,
        S.QUEUED,
        S.GENERATING,
        calls=[call],
        external_task_id="e-1",
        klingai_job_id="867283741759111202",
        **fields,
    )


class TestStore:
    def test_a_record_comes_back_as_it_was(self, tmp_path):
        store = JobStore(tmp_path / "dag" / "run")
        job = in_generating(prompt="a fox, ein Füchslein 狐")
        store.save(job)
        assert store.load(job.id) == job
        assert store.load("another") is None

    def test_no_half_written_record_is_left(self, tmp_path):
        store = JobStore(tmp_path)
        job = WorkflowJob(id="j")
        store.save(job)
        store.save(job)
        assert [path.name for path in (tmp_path / "j").iterdir()] == ["job.json"]

    @pytest.mark.parametrize("content", ["", "{", '{"state": "SHIPPED"}', "[]"])
    def test_an_unreadable_record_is_not_the_same_as_none(self, tmp_path, content):
        (tmp_path / "j").mkdir()
        (tmp_path / "j" / "job.json").write_text(content)
        with pytest.raises(UnreadableRecordError, match="nothing is submitted"):
            JobStore(tmp_path).load("j")

    @pytest.mark.scenario(47)
    def test_a_record_of_a_later_version_is_read(self, tmp_path):
        job = WorkflowJob(id="j")
        (tmp_path / "j").mkdir()
        (tmp_path / "j" / "job.json").write_text(json.dumps({**job.as_json(), "new_field": 1}))
        assert JobStore(tmp_path).load("j") == job

    def test_a_cancel_request_is_for_one_revision(self, tmp_path):
        store, job = JobStore(tmp_path), WorkflowJob(id="j")
        assert store.cancel_reason(job.id, job.revision) is None
        store.request_cancel("j", "Ann: wrong prompt")
        assert store.cancel_reason(job.id, job.revision) == "Ann: wrong prompt"
        revived = reopened(job, S.CREATED)
        assert store.cancel_reason(revived.id, revived.revision) is None


class TestReopening:
    def test_a_failed_job_goes_on_where_it_was_and_keeps_its_handles(self):
        failed = in_generating()
        WorkflowEngine().transition(failed, S.FAILED, error="timeout")
        again = reopened(failed, S.GENERATING)
        assert again.path == [S.CREATED, S.VALIDATED, S.QUEUED, S.GENERATING]
        assert (again.error, again.revision) == (None, 2)
        assert again.submissions == failed.submissions
        assert failed.state is S.FAILED

    def test_a_state_that_was_never_reached_is_refused(self):
        failed = walked(S.VALIDATED, S.FAILED)
        with pytest.raises(ValueError, match="never reached GENERATING"):
            reopened(failed, S.GENERATING)


def created(store, request):
    return created_job(WorkflowEngine(store=store), "j", request, origin=ORIGIN)


class TestCreation:
    def test_empty_values_count_as_not_given(self, tmp_path):
        job = created(JobStore(tmp_path), {"prompt": "a", "model": "", "audio": None, "seed": 0})
        assert (job.prompt, job.params) == ("a", {"seed": 0})

    def test_the_same_request_again_changes_nothing(self, tmp_path):
        store = JobStore(tmp_path)
        request = {"prompt": "a", "duration": 5}
        job = in_generating(id="j", prompt="a", params={"duration": 5})
        store.save(job)
        assert created(store, request) == job

    def test_an_edited_prompt_starts_anew_and_keeps_the_old_handle_on_record(self, tmp_path):
        store = JobStore(tmp_path)
        old = in_generating(id="j", prompt="a")
        store.save(old)
        job = created(store, {"prompt": "b"})
        assert (job.prompt, job.state, job.revision) == ("b", S.CREATED, 2)
        assert job.submissions == old.submissions
        assert WorkflowJob.model_validate_json((tmp_path / "j" / "job.r1.json").read_text()) == old

    def test_a_failed_job_starts_anew(self, tmp_path):
        store = JobStore(tmp_path)
        store.save(walked(S.FAILED, id="j", prompt="a"))
        assert created(store, {"prompt": "a"}).path == [S.CREATED]

    @pytest.mark.parametrize("picture", ["data:image/png;base64,iVBORw0KGgo=", "A" * 4000])
    def test_a_picture_never_gets_into_the_record(self, tmp_path, picture):
        created(JobStore(tmp_path), {"prompt": "a", "first_frame": picture})
        assert picture not in (tmp_path / "j" / "job.json").read_text()


class TestClosing:
    @pytest.mark.parametrize(
        ("job", "end"),
        [
            (walked(), S.FAILED),
            (walked(S.VALIDATED), S.FAILED),
            (walked(S.VALIDATED, S.QUEUED), S.CANCELLED),
            (in_generating(), S.FAILED),
            (walked(S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING), S.FAILED),
        ],
    )
    def test_a_job_ends_by_the_exit_of_the_state_it_is_really_in(self, job, end):
        job = job.model_copy(deep=True)
        close(WorkflowEngine(), job, "somebody marked the task as failed")
        assert job.state is end
        assert "somebody marked the task as failed" in job.error

    def test_an_abandoned_task_is_named_and_said_to_run_on(self):
        job = in_generating()
        close(WorkflowEngine(), job, "stopped")
        assert job.failure["kind"] == "abandoned"
        assert job.failure["money"] == "maybe"
        assert "867283741759111202 at Kling cannot be cancelled and runs on" in job.error

    def test_the_error_of_the_last_try_is_the_reason(self):
        job = in_generating()
        job.error, job.failure = failure_data(job, OSError("no route"))
        close(WorkflowEngine(), job, "stopped")
        assert job.error.startswith("OSError: no route")

    def test_an_ended_job_stays_as_it_is(self):
        job = walked(S.FAILED)
        before = job.model_copy(deep=True)
        close(WorkflowEngine(), job, "x")
        assert job == before

    @pytest.mark.parametrize("states", [(S.VALIDATED,), (S.VALIDATED, S.QUEUED)])
    def test_giving_up_a_place_in_the_queue_cancels(self, states):
        job = walked(*states)
        cancel(WorkflowEngine(), job, "its task was skipped")
        assert job.path == [S.CREATED, S.VALIDATED, S.QUEUED, S.CANCELLED]


class TestBatch:
    COMPLETED = (S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING, S.COMPLETED)
    JOBS = (walked(*COMPLETED), walked(S.FAILED), walked(S.VALIDATED, S.QUEUED, S.CANCELLED), None)

    @pytest.mark.scenario(42)
    @pytest.mark.parametrize(("share", "accepted"), [(0, False), (0.49, False), (0.5, True), (1, True)])
    def test_the_policy_decides(self, share, accepted):
        summary = judged(self.JOBS, share)
        assert (summary["failed"], summary["total"], summary["accepted"]) == (2, 4, accepted)

    def test_what_has_not_ended_did_not_succeed(self):
        unended = (walked(S.VALIDATED), walked(S.VALIDATED, S.QUEUED), walked(*self.COMPLETED[:3]))
        assert judged([*unended, walked(*self.COMPLETED)], 0.5)["accepted"] is False
