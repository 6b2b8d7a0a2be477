"""What the record of a job says about money, when several tasks were ordered for it."""

from __future__ import annotations

import pytest
from workshop import Workshop

from airflow_provider_klingvideo.workflow import WorkflowEngine, WorkflowJob
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.job.failure import failure_data
from airflow_provider_klingvideo.workflow.waiting.following import conclude
from airflow_provider_klingvideo.workflow.waiting.watch import Ended, Outcome

CREATES = {"method": "POST", "path": "/text-to-video/*"}


@pytest.fixture
def sandbox(quick_sandbox):
    quick_sandbox.reset()
    return quick_sandbox


def bill_of_units(units):
    return None if units is None else {"units": units}


def failed_at_kling(sandbox, folder, billed):
    """A job whose task Kling has failed to generate, with the bill that it tells, in the words of its answer."""
    workshop = Workshop(sandbox, folder)
    job = workshop.process(WorkflowJob(id="job-1", prompt="A fox [sandbox:fail]", params={"model": "kling-2.5-turbo"}))
    # The sandbox bills nothing for a failure; here another bill is read from Kling's answer.
    (workshop.store.folder("job-1") / "job.json").unlink()
    (call,) = job.submissions
    call.verdict = call.bill = None
    with pytest.raises(Exception, match="Kling failed to generate") as caught:
        conclude(job, Ended(Outcome.FAILED, "Image pixel is invalid", bill=bill_of_units(billed)))
    job.error, job.failure = failure_data(job, caught.value)
    workshop.store.save(job)
    return job, caught.value


@pytest.mark.parametrize(("billed", "money"), [("1.5", "billed"), ("0", "none"), (None, "maybe")])
def test_of_a_task_that_failed_its_bill_tells(sandbox, tmp_path, billed, money):
    job, error = failed_at_kling(sandbox, tmp_path, billed)
    assert (job.failure["money"], error.money) == (money, money)
    assert str(job.submissions[0].bill and job.submissions[0].bill.units) == str(billed)


@pytest.mark.parametrize(("billed", "money"), [("1.5", "billed"), ("0", "none"), (None, "maybe")])
def test_a_refused_repetition_does_not_hide_what_the_first_one_has_cost(sandbox, tmp_path, billed, money):
    failed_at_kling(sandbox, tmp_path, billed)
    sandbox.add_rule({"match": CREATES, "action": {"type": "refuse", "code": 1101}})
    again = Workshop(sandbox, tmp_path, regenerate_failed=True)
    job = again.process(WorkflowEngine(store=again.store).reopen(again.store.load("job-1"), S.QUEUED))
    assert (job.state, job.failure["kind"], job.failure["code"]) == (S.FAILED, "account", 1101)
    assert [call.is_refused for call in job.submissions] == [False, True]
    assert (job.failure["money"], again.store.load("job-1").failure["money"]) == (money, money)
    assert len(sandbox.ledger()["tasks"]) == 1


def test_a_bill_that_is_told_later_is_on_record_although_another_take_is_followed(sandbox, tmp_path):
    workshop = Workshop(sandbox, tmp_path)
    first = workshop.process(WorkflowJob(id="job-1", prompt="A fox", params={"model": "kling-2.5-turbo"}))
    assert first.state is S.COMPLETED, first.error
    sandbox.add_rule({"match": CREATES, "action": {"type": "refuse", "code": 1102}})
    second = Workshop(sandbox, tmp_path, take=2)
    job = second.process(WorkflowEngine(store=second.store).reopen(first, S.QUEUED))
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "account", "billed")
    assert f"{job.billed_units}" == "1.5"


def test_refusals_leave_no_notes_that_every_reader_would_have_to_read(sandbox, tmp_path):
    refused = {"type": "refuse", "http_status": 429, "code": 1303, "message": "parallel task"}
    sandbox.add_rule({"match": CREATES, "action": refused, "times": 4})
    workshop = Workshop(sandbox, tmp_path)
    job = workshop.process(WorkflowJob(id="job-1", prompt="A fox"))
    assert job.state is S.COMPLETED, job.error
    assert sorted(job.submissions[0].sends.values()) == ["refused"] * 4 + ["sent"]
    assert len(list((workshop.store.folder("job-1") / "calls").iterdir())) == 1


def test_what_several_tasks_have_cost_is_added_up(sandbox, tmp_path):
    workshop = Workshop(sandbox, tmp_path)
    job = workshop.process(WorkflowJob(id="job-1", prompt="A fox", params={"model": "kling-2.5-turbo"}))
    for take in (2, 3):
        again = Workshop(sandbox, tmp_path, take=take)
        job = again.process(WorkflowEngine(store=again.store).reopen(job, S.QUEUED))
        assert job.state is S.COMPLETED, job.error
    assert f"{job.billed_units}" == "4.5" == sandbox.ledger()["spent_units"]
    assert len({call.task_id for call in job.submissions}) == 3
