"""The journal is told everything that happens to a job, in order, and no listener harms it."""

from __future__ import annotations

import asyncio
import logging
import shutil

import pytest
from workshop import Workshop

from airflow_provider_klingvideo.kling import ApiKeyAuth, KlingClient
from airflow_provider_klingvideo.workflow import Event, JobStore, Journal, WorkflowEngine, WorkflowJob
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.batch.run import JobTerms, batch_job
from airflow_provider_klingvideo.workflow.inputs.creation import created_job
from airflow_provider_klingvideo.workflow.job.closing import cancel, close
from airflow_provider_klingvideo.workflow.job.journal import write_log
from airflow_provider_klingvideo.workflow.job.sections import Origin
from airflow_provider_klingvideo.workflow.reconcile.reconciler import Reconciler

CREATES = {"method": "POST", "path": "/text-to-video/*"}
REQUEST = {"prompt": "A fox", "model": "kling-2.5-turbo"}
STEPS = [
    "CREATED > VALIDATED",
    "VALIDATED > QUEUED",
    "QUEUED > GENERATING",
    "GENERATING > POST_PROCESSING",
    "POST_PROCESSING > COMPLETED",
]


@pytest.fixture
def sandbox(quick_sandbox):
    quick_sandbox.reset()
    return quick_sandbox


class Ears:
    """Remembers what it is told, as it was told."""

    def __init__(self):
        self.heard = []

    def __call__(self, entry):
        self.heard.append((entry.event, entry.job.id, str(entry.job.state), dict(entry.data), entry.at))

    @property
    def events(self):
        return [event for event, *_ in self.heard]

    @property
    def steps(self):
        return [f"{data['from']} > {data['to']}" for event, _, _, data, _ in self.heard if event is Event.TRANSITION]

    def told(self, event):
        return [data for one, _, _, data, _ in self.heard if one is event]


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture
def workshop(sandbox, tmp_path, ears):
    return Workshop(sandbox, tmp_path, listeners=[ears])


def engine_of(workshop):
    return WorkflowEngine(store=workshop.store, journal=workshop.journal)


def made(workshop, **request):
    return created_job(engine_of(workshop), "job-1", {**REQUEST, **request}, origin=Origin())


def test_of_a_whole_job_everything_is_told_in_order(workshop, ears, sandbox):
    job = workshop.process(made(workshop))
    assert job.state is S.COMPLETED, job.error
    transition = Event.TRANSITION
    assert ears.events == [
        Event.CREATED,
        *[transition] * 3,
        Event.CALL_INTENDED,
        Event.CALL_ANSWERED,
        Event.BILLED,
        *[transition] * 2,
    ]
    assert ears.steps == STEPS
    (task,) = sandbox.ledger()["tasks"]
    (intended,), (answered,), (billed,) = map(ears.told, (Event.CALL_INTENDED, Event.CALL_ANSWERED, Event.BILLED))
    same = {"what": "create", "external_task_id": task["external_id"], "take": 1}
    assert same.items() <= intended.items()
    assert (intended["task_id"], intended["price"]) == (None, "1.5")
    assert {**same, "task_id": task["id"], "adopted": False}.items() <= answered.items()
    assert (billed["task_id"], billed["verdict"], billed["bill"]["units"]) == (task["id"], "succeeded", "1.5")
    moments = [at for *_, at in ears.heard]
    assert moments == sorted(moments)
    assert all(at.tzinfo for at in moments)
    assert {job_id for _, job_id, *_ in ears.heard} == {"job-1"}


def test_the_intent_is_told_before_anything_is_sent(sandbox, tmp_path):
    sent_before = []

    def count(entry):
        if entry.event is Event.CALL_INTENDED:
            sent_before.append(len(sandbox.ledger()["tasks"]))
            assert JobStore(tmp_path).load("job-1").submissions[0].is_open, "it is on record, too"

    workshop = Workshop(sandbox, tmp_path, listeners=[count])
    assert workshop.process(WorkflowJob(id="job-1", prompt="A fox")).state is S.COMPLETED
    assert sent_before == [0]


def test_a_refusal_and_the_next_take_are_told_apart(workshop, ears, sandbox):
    sandbox.add_rule({"match": CREATES, "action": {"type": "refuse", "code": 1301, "message": "naughty"}, "times": 1})
    failed = workshop.process(made(workshop))
    assert ears.steps[-1] == "GENERATING > FAILED"
    (refused,) = ears.told(Event.CALL_REFUSED)
    assert (refused["what"], refused["task_id"]) == ("create", None)
    assert "moderation refused" in refused["reason"]
    assert Event.BILLED not in ears.events
    engine = engine_of(workshop)
    done = workshop.process(engine.reopen(failed, S.QUEUED))
    (reopened,) = ears.told(Event.REOPENED)
    assert reopened == {"from": "FAILED", "to": "QUEUED", "revision": 2}
    workshop.settings = Workshop(sandbox, workshop.store.base, take=2).settings
    workshop.process(engine.reopen(done, S.QUEUED))
    assert [one["take"] for one in ears.told(Event.CALL_ANSWERED)] == [1, 2]
    assert [one["take"] for one in ears.told(Event.CALL_INTENDED)] == [1, 1, 2]


def test_a_lost_answer_is_told_as_one_that_was_found(workshop, ears, sandbox):
    sandbox.add_rule({"match": CREATES, "action": {"type": "drop_after"}, "times": 1})
    assert workshop.process(made(workshop)).state is S.COMPLETED
    assert [event for event in ears.events if event.startswith("call")] == [Event.CALL_INTENDED, Event.CALL_ANSWERED]
    assert [one["adopted"] for one in ears.told(Event.CALL_ANSWERED)] == [True]


def test_a_task_that_failed_is_told_with_its_bill(workshop, ears):
    workshop.process(made(workshop, prompt="A fox [sandbox:fail]"))
    (billed,) = ears.told(Event.BILLED)
    assert (billed["verdict"], billed["bill"]["units"]) == ("failed", "0")
    assert ears.steps[-1] == "GENERATING > FAILED"


def test_who_closes_a_job_says_so_before_it_ends(workshop, ears):
    engine = engine_of(workshop)
    job = made(workshop)
    cancel(engine, job := engine.transition(job, S.VALIDATED), "Ann: wrong prompt")
    assert ears.events == [Event.CREATED, *[Event.TRANSITION] * 2, Event.CLOSED, Event.TRANSITION]
    assert ears.told(Event.CLOSED) == [{"cause": "Ann: wrong prompt"}]
    assert ears.steps[-1] == "QUEUED > CANCELLED"
    close(engine, job, "once more")
    assert len(ears.told(Event.CLOSED)) == 1, "what has ended is not closed again"


def test_an_adopted_result_is_told(sandbox, tmp_path, ears):
    sandbox.settings(generation_seconds=0.4)
    job = Workshop(sandbox, tmp_path, generation_seconds=0.1).process(
        WorkflowJob(id="job-1", prompt="A fox", params={"model": "kling-2.5-turbo"})
    )
    assert job.failure["kind"] == "timeout"
    with KlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url) as client:
        while not client.get_task(job.klingai_job_id, kind="text_to_video").status.is_terminal:
            pass
    workshop = Workshop(sandbox, tmp_path, listeners=[ears])

    async def compare():
        async with workshop.open_client() as client:
            store = JobStore(tmp_path)
            reconciler = Reconciler(client, store, open_store=lambda found: workshop.working_on(client, found))
            return await reconciler.compare(adopt=True)

    assert asyncio.run(compare()).open_rows == []
    assert ears.events[:3] == [Event.REOPENED, Event.ADOPTED, Event.BILLED]
    assert ears.told(Event.ADOPTED) == [{"task_id": job.klingai_job_id}]
    assert ears.steps == STEPS[-2:]


def test_a_row_of_a_batch_is_told_when_it_is_made_and_when_it_starts_anew(workshop, ears):
    engine = engine_of(workshop)

    def row(turn):
        return batch_job(engine, "job-1", REQUEST, origin=Origin(turn=turn), terms=JobTerms())

    engine.fail(row("1"), OSError("no route"))
    job = row("1")
    engine.fail(job, OSError("no route"))
    workshop.store.save(job)
    assert ears.events == [Event.CREATED, Event.TRANSITION, Event.TRANSITION]
    assert row("1").state is S.FAILED
    assert row("2").state is S.CREATED
    assert ears.events[-1] is Event.REOPENED


class TestBadListeners:
    def raising(self, entry):
        raise ValueError(f"no {entry.event} today")

    def test_one_that_raises_harms_neither_the_job_nor_the_others(self, sandbox, tmp_path, ears, caplog):
        workshop = Workshop(sandbox, tmp_path, listeners=[self.raising, ears, self.raising])
        job = workshop.process(made(workshop))
        assert job.state is S.COMPLETED, job.error
        assert ears.steps == STEPS
        faults = [record for record in caplog.records if "a listener failed at" in record.message]
        assert len(faults) == 2 * len(ears.heard)
        assert "job-1" in faults[0].message

    def test_one_that_stops_the_process_does_stop_it(self):
        def stop(entry):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Journal([stop]).write(Event.CREATED, WorkflowJob(id="job-1"))

    def test_what_one_does_to_its_entry_the_next_one_does_not_see_as_another_event(self, ears):
        def spoil(entry):
            with pytest.raises(AttributeError):
                entry.event = Event.CLOSED

        Journal([spoil, ears]).write(Event.CREATED, WorkflowJob(id="job-1"))
        assert ears.events == [Event.CREATED]


def test_the_log_tells_a_person_what_happens(sandbox, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    workshop = Workshop(sandbox, tmp_path, listeners=[write_log])
    job = workshop.process(made(workshop))
    lines = [record.message for record in caplog.records if record.name.endswith("job.journal")]
    assert [f"Job job-1: {step}" for step in STEPS] == [line for line in lines if " > " in line]
    assert f"Job job-1: accepted: create {job.klingai_job_id}" in lines
    shutil.rmtree(workshop.store.folder("job-1"))
    assert workshop.process(made(workshop)).state is S.COMPLETED
    found = [record.message for record in caplog.records if record.message.startswith("Job job-1: found")]
    assert found == [f"Job job-1: found: create {job.klingai_job_id}"]
