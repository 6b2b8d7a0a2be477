"""Every class of finding, against the sandbox; adopting pays nothing."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from itertools import pairwise

import pytest
from workshop import KEY, Workshop

from airflow_provider_klingvideo.kling import ApiKeyAuth, AsyncKlingClient, KlingClient, parse_request
from airflow_provider_klingvideo.workflow import TRANSITIONS, JobStore, TransitionTable, WorkflowEngine, WorkflowJob
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.job.failure import failure_data
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.reconcile.reconciler import Finding, Reconciler

LONG_SECONDS = 600


@pytest.fixture
def sandbox(quick_sandbox):
    quick_sandbox.reset()
    return quick_sandbox


@pytest.fixture
def base(tmp_path):
    return tmp_path / "videos"


@pytest.fixture
def workshop(sandbox, base):
    return Workshop(sandbox, base / "dag" / "run")


def fox(number=1):
    return WorkflowJob(id=f"job-{number}", prompt=f"A fox {number}", params={"model": "kling-2.5-turbo"})


def creates(sandbox):
    counts = sandbox.ledger()["requests"]
    return sum(count for what, count in counts.items() if what.startswith("POST /text-to-video"))


def compare(workshop, base, *, adopt=False, close_stale=False, **options):
    async def run():
        async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=workshop.sandbox.url) as client:
            reconciler = Reconciler(
                client,
                JobStore(base),
                open_store=lambda store: workshop.working_on(client, store),
                **options,
            )
            return await reconciler.compare(adopt=adopt, close_stale=close_stale)

    return asyncio.run(run())


def findings(report):
    return {row.job_id or row.external_task_id: row.finding for row in report.rows}


def timed_out(sandbox, base, number=1):
    """A job whose task succeeds after its deadline."""
    sandbox.settings(generation_seconds=LONG_SECONDS)
    job = Workshop(sandbox, base / "dag" / "run", generation_seconds=0.1).process(fox(number))
    assert job.failure["kind"] == "timeout"
    sandbox.settings(generation_seconds=0.1)
    sandbox.forward(LONG_SECONDS)
    ended(sandbox)
    return job


def ended(sandbox):
    while any(task["status"] not in ("succeeded", "failed") for task in sandbox.ledger()["tasks"]):
        time.sleep(0.05)


def test_what_is_completed_and_what_is_others_needs_nobody(workshop, sandbox, base):
    workshop.process(fox())
    with KlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
        client.create(parse_request({"prompt": "someone else's"}), external_task_id="other")
    report = compare(workshop, base)
    assert findings(report) == {"job-1": Finding.FOLLOWED, "other": Finding.FOREIGN}
    assert report.open_rows == []
    assert [row["job_id"] for row in report.as_json()["rows"]] == ["job-1"]


@pytest.mark.scenario(28, 31)
def test_a_late_result_is_told_then_adopted_for_free(workshop, sandbox, base):
    job = timed_out(sandbox, base)
    report = compare(workshop, base)
    (row,) = report.open_rows
    assert (row.finding, row.task_id, row.bill) == (Finding.LATE_RESULT, job.klingai_job_id, "1.5 units")
    assert "clear the task generation" in row.next_step
    assert workshop.store.load("job-1").state is S.FAILED

    sent = creates(sandbox)
    adopted = compare(workshop, base, adopt=True)
    assert adopted.open_rows == []
    done = workshop.store.load("job-1")
    assert (done.state, done.klingai_job_id, done.revision) == (S.COMPLETED, job.klingai_job_id, 2)
    assert (workshop.store.folder("job-1") / "master.mp4").exists()
    assert (workshop.store.folder("job-1") / "job.r1.json").exists()
    assert (creates(sandbox), len(sandbox.ledger()["tasks"])) == (sent, 1)
    assert findings(compare(workshop, base)) == {"job-1": Finding.FOLLOWED}


def test_an_orphan_gets_a_record_and_its_video(workshop, sandbox, base):
    job = workshop.process(fox())
    (workshop.store.folder("job-1") / "job.json").unlink()
    assert findings(compare(workshop, base)) == {"job-1": Finding.ORPHAN}
    sent = creates(sandbox)
    report = compare(workshop, base, adopt=True)
    assert report.open_rows == []
    done = JobStore(base / "adopted").load("job-1")
    assert (done.state, done.klingai_job_id, done.origin.is_reconciled) == (S.COMPLETED, job.klingai_job_id, True)
    assert all(TRANSITIONS.allows(old, new) for old, new in pairwise(done.path))
    assert (base / "adopted" / "job-1" / "master.mp4").exists()
    assert creates(sandbox) == sent


def test_an_intent_without_an_answer_is_confirmed_and_adopted(workshop, sandbox, base):
    sandbox.add_rule({"match": {"method": "POST", "path": "/text-to-video/*"}, "action": {"type": "drop_after"}})
    unanswered = {"match": {"method": "GET", "path": "/tasks"}, "action": {"type": "html"}, "after": 1}
    sandbox.add_rule(unanswered)
    job = workshop.process(fox())
    assert (job.failure["kind"], job.klingai_job_id) == ("ambiguous_submission", None)
    sandbox.clear_rules()
    assert findings(compare(workshop, base)) == {"job-1": Finding.UNCONFIRMED}
    ended(sandbox)
    compare(workshop, base, adopt=True)
    done = workshop.store.load("job-1")
    assert (done.state, done.klingai_job_id) == (S.COMPLETED, sandbox.ledger()["tasks"][0]["id"])


def test_a_task_that_the_vendor_does_not_list_is_missing(workshop, sandbox, base):
    timed_out(sandbox, base)
    sandbox.reset()
    (row,) = compare(workshop, base).open_rows
    assert (row.finding, row.job_id) == (Finding.MISSING, "job-1")
    assert compare(workshop, base, kept=timedelta(0)).open_rows == []


@pytest.mark.parametrize("over", [True, None])
def test_a_record_that_nobody_works_on_is_closed_and_its_video_adopted(workshop, sandbox, base, over):
    done = workshop.process(fox())
    job = fox()
    job.calls, job.klingai_job_id, job.request = done.calls, done.klingai_job_id, done.request
    job.external_task_id = done.external_task_id
    for state in (S.VALIDATED, S.QUEUED, S.GENERATING):
        WorkflowEngine().transition(job, state)
    job.updated_at = utc_now() - timedelta(hours=25)
    (workshop.store.folder("job-1") / "job.json").unlink()
    workshop.store.save(job)

    assert compare(workshop, base, is_over=lambda job: False).open_rows == []
    (row,) = compare(workshop, base, is_over=lambda job: over).open_rows
    assert row.finding is Finding.STALE
    report = compare(workshop, base, is_over=lambda job: over, close_stale=True, adopt=True)
    assert [row.done.partition(":")[0] for row in report.rows] == ["closed as FAILED", "adopted"]
    assert workshop.store.load("job-1").state is S.COMPLETED
    assert len(sandbox.ledger()["tasks"]) == 1


def test_what_is_older_than_what_the_vendor_keeps_is_no_finding(workshop, base):
    workshop.process(fox())
    assert compare(workshop, base, kept=timedelta(0)).rows == []


def test_an_unreadable_record_is_told(workshop, base):
    folder = workshop.store.folder("job-9")
    folder.mkdir(parents=True)
    (folder / "job.json").write_text("{")
    (row,) = compare(workshop, base).open_rows
    assert (row.finding, row.record) == (Finding.UNREADABLE, str(folder / "job.json"))


def test_what_cannot_be_adopted_stays_open_and_loses_nothing(workshop, sandbox, base):
    timed_out(sandbox, base)
    sandbox.add_rule({"match": {"path": "/media/*"}, "action": {"type": "truncate_media"}})
    (row,) = compare(workshop, base, adopt=True).open_rows
    assert row.finding is Finding.LATE_RESULT
    sandbox.clear_rules()
    assert compare(workshop, base, adopt=True).open_rows == []
    assert workshop.store.load("job-1").state is S.COMPLETED


def test_nothing_at_all(workshop, base):
    assert compare(workshop, base).as_json()["counts"] == {}


def test_a_record_of_a_newer_version_is_told_and_stops_nobody(workshop, base):
    workshop.process(fox())
    folder = workshop.store.folder("job-9")
    folder.mkdir(parents=True)
    newer = {**fox(9).as_json(), "schema_version": 99}
    (folder / "job.json").write_text(json.dumps(newer))
    report = compare(workshop, base, close_stale=True, adopt=True)
    assert findings(report) == {"job-9": Finding.UNREADABLE, "job-1": Finding.FOLLOWED}
    assert "upgrade" in report.open_rows[0].next_step
    assert json.loads((folder / "job.json").read_text()) == newer


@pytest.mark.parametrize(
    ("exits", "end"),
    [
        ((S.POST_PROCESSING, S.CANCELLED), "closed as CANCELLED"),
        ((S.POST_PROCESSING, S.FAILED), "closed as FAILED"),
    ],
)
@pytest.mark.parametrize("is_told", [False, True], ids=["silent", "told-why"])
def test_a_record_is_closed_by_its_own_table(workshop, base, exits, end, is_told):
    table = TransitionTable({**TRANSITIONS, S.GENERATING: exits})
    engine = WorkflowEngine(table)
    job = fox()
    job.transitions = table.as_json()
    for state in (S.VALIDATED, S.QUEUED, S.GENERATING):
        engine.transition(job, state)
    if is_told:
        job.error, job.failure = failure_data(job, OSError("no route"))
    workshop.store.save(job)
    report = compare(workshop, base, is_over=lambda job: True, close_stale=True)
    assert [row.done for row in report.rows] == [end]
    ended = workshop.store.load("job-1")
    assert ("no route" in ended.error, ended.is_terminal) == (is_told, True)
