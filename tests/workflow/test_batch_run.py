"""Many jobs in one event loop: each for itself, cut off anywhere, gone on with, leaving when nothing is due."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count

import pytest
from workshop import KEY, Workshop, slots_of

from airflow_provider_klingvideo.kling import ApiKeyAuth, AsyncKlingClient
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import VideoSteps, WorkflowEngine, WorkflowState
from airflow_provider_klingvideo.workflow.batch import run as batch_run
from airflow_provider_klingvideo.workflow.batch.run import BatchRun, JobTerms, batch_job
from airflow_provider_klingvideo.workflow.gates.slots.slots import SlotBoard
from airflow_provider_klingvideo.workflow.job.sections import Origin

S = WorkflowState
REQUEST = {"prompt": "A fox", "model": "kling-2.5-turbo"}


@pytest.fixture(scope="module")
def server():
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.3, max_render_height=120)
    with SandboxServer(settings) as server:
        yield server


@pytest.fixture
def sandbox(server):
    server.reset()
    return server


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(batch_run, "_growing", lambda state: 0.05)
    monkeypatch.setattr(batch_run, "LOOK_SECONDS", 0.05)


class Batch(Workshop):
    """Runs the jobs of a batch."""

    def jobs(self, *numbers, turn="run-1", **words):
        return [
            batch_job(
                WorkflowEngine(store=self.store),
                f"job-{number}",
                {**REQUEST, "prompt": f"Shot {number} {words.get(f'n{number}', '')}"},
                origin=Origin(run_id="run-1", turn=turn),
                terms=JobTerms(),
            )
            for number in numbers
        ]

    def run(self, jobs, **how):
        return asyncio.run(self._run(jobs, **how))

    async def _run(self, jobs, *, transitions=None, **how):
        engine = WorkflowEngine(store=self.store, on_transition=cut_off_after(transitions))
        async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=self.sandbox.url, read_attempts=1) as client:
            steps = VideoSteps(
                client,
                self.store,
                outputs=self.outputs,
                settings=self.settings,
                slots=slots_of(self.store, self.settings),
            )
            return await BatchRun(engine, steps).run(jobs, **how)


def cut_off_after(transitions):
    """Cancel the present task after so many transitions of any jobs."""
    task, left = asyncio.current_task(), count(1)

    def listen(*_):
        if next(left) == transitions:
            task.cancel()

    return listen


@pytest.fixture
def batch(sandbox, tmp_path):
    return Batch(sandbox, tmp_path)


def orders(sandbox):
    return Counter(task["external_id"] for task in sandbox.ledger()["tasks"])


def test_one_that_fails_leaves_the_others_alone(batch, sandbox):
    jobs = batch.jobs(1, 2, 3, n2="[sandbox:fail=Image pixel is invalid]")
    assert batch.run(jobs) is None
    assert [job.state for job in jobs] == [S.COMPLETED, S.FAILED, S.COMPLETED]
    assert [batch.store.load(job.id).state for job in jobs] == [job.state for job in jobs]


@pytest.mark.parametrize("transitions", [1, 10, 20, 30, 40, 44])
def test_cut_off_anywhere_it_goes_on_and_pays_once(batch, sandbox, transitions):
    with pytest.raises(asyncio.CancelledError):
        batch.run(batch.jobs(*range(9)), transitions=transitions)
    jobs = batch.jobs(*range(9))
    assert batch.run(jobs) is None
    assert {job.state for job in jobs} == {S.COMPLETED}
    assert set(orders(sandbox).values()) == {1}
    assert len(orders(sandbox)) == 9


def test_it_leaves_when_nothing_is_due_and_tells_what_is_waited_for(sandbox, tmp_path):
    sandbox.settings(generation_seconds=60)
    batch = Batch(sandbox, tmp_path, concurrency_limit=2)
    jobs = batch.jobs(1, 2, 3)
    suspended = batch.run(jobs, patience=5)
    waiting = [job for job in jobs if job.state is S.QUEUED]
    assert sorted(suspended.followed) == sorted(job.id for job in jobs if job.state is S.GENERATING)
    assert {place.job_id for place in suspended.queued} == {job.id for job in waiting}
    # On a slow machine it may leave before a slot is given; whoever is woken for that slot takes it.
    assert len(suspended.followed) <= 2
    assert len(suspended.followed) + len(waiting) == 3


def test_it_stays_when_a_result_is_due_soon(batch):
    jobs = batch.jobs(1)
    assert batch.run(jobs, patience=3600) is None
    assert jobs[0].state is S.COMPLETED


def test_trouble_that_passes_costs_no_job(batch, sandbox):
    sandbox.add_rule({"match": {"method": "GET"}, "action": {"type": "refuse", "code": 5000}, "times": 2})
    jobs = batch.jobs(1)
    batch.run(jobs)
    assert jobs[0].state is S.COMPLETED


def test_trouble_that_stays_is_told(batch, sandbox):
    sandbox.add_rule({"match": {"method": "GET"}, "action": {"type": "refuse", "code": 5000}})
    jobs = batch.jobs(1)
    batch.run(jobs)
    assert (jobs[0].state, jobs[0].failure["kind"]) == (S.FAILED, "server")
    assert orders(sandbox) == {}


def test_a_board_that_cannot_be_written_costs_no_paid_video(sandbox, tmp_path, monkeypatch):
    batch = Batch(sandbox, tmp_path, concurrency_limit=5)

    def no_room(self, notices, page=None):
        if list(notices):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(SlotBoard, "take_down", no_room)
    jobs = batch.jobs(1, 2)
    batch.run(jobs)
    assert {job.state for job in jobs} == {S.COMPLETED}


class TestTurns:
    def ended(self, batch):
        (job,) = batch.jobs(1, n1="[sandbox:fail=Image pixel is invalid]")
        batch.run([job])
        return job

    def test_airflows_own_next_try_leaves_what_has_ended(self, batch):
        job = self.ended(batch)
        (again,) = batch.jobs(1, n1="[sandbox:fail=Image pixel is invalid]")
        assert (again.state, again.revision) == (S.FAILED, job.revision)

    def test_a_person_starts_it_anew(self, batch):
        job = self.ended(batch)
        (again,) = batch.jobs(1, turn="run-1#1", n1="[sandbox:fail=Image pixel is invalid]")
        assert (again.state, again.revision) == (S.CREATED, job.revision + 1)

    def test_another_request_starts_it_anew_in_the_same_turn(self, batch):
        self.ended(batch)
        (again,) = batch.jobs(1)
        assert again.state is S.CREATED
