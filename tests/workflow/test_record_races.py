"""Several workers on one record: nothing that one of them learned is lost, and no loss is written over a paid video.

Airflow starts a second try of a task whose first one has only lost touch, so that both may act at any moment.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from racing import Turns, run_processes, run_threads

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import (
    AmbiguousSubmissionError,
    ApiFamily,
    ConcurrencyLimitError,
    ContentPolicyError,
    InvalidRequestError,
    Task,
    TaskStatus,
    parse_request,
)
from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.workflow import (
    TRANSITIONS,
    JobStore,
    PaidCall,
    WorkflowEngine,
    WorkflowJob,
    WorkflowState,
)
from airflow_provider_klingvideo.workflow.job import store as store_module
from airflow_provider_klingvideo.workflow.job.store import RecordOvertakenError
from airflow_provider_klingvideo.workflow.ordering.paid_once import PaidOnce
from airflow_provider_klingvideo.workflow.ordering.submission import TakeRules, WantedVideo, call_for, ensure_task

S = WorkflowState
WANTED = WantedVideo(*[parse_request({"prompt": "A fox"})] * 2, ApiFamily.NEW)
# In memory, where the machine has such a place: what is proved here is the order of steps, not that disks are slow.
MEMORY = next((str(path) for path in [Path("/dev/shm")] if path.is_dir()), None)
REFUSALS = {
    "refused": lambda: ContentPolicyError("forbidden"),
    "invalid": lambda: InvalidRequestError("illegal"),
    "full": lambda: ConcurrencyLimitError("full"),
}


class Kling:
    """One account: of an external id it makes one task, and its list may lag.

    :param lags: how many looks do not show a task yet.
    """

    def __init__(self, lags=0):
        self.tasks = {}
        self.lags = lags

    def client(self, outcomes):
        return Client(self, outcomes)


class Client:
    """What one worker asks Kling.

    :param outcomes: what becomes of its creates; when nothing is left, they are accepted.
    """

    def __init__(self, kling, outcomes):
        self._kling = kling
        self._outcomes = list(outcomes)

    async def create(self, request, *, external_task_id, family):
        outcome = self._outcomes.pop(0) if self._outcomes else "accepted"
        return self.answer(external_task_id, outcome)

    def answer(self, external_id, outcome):
        if outcome in REFUSALS:
            raise REFUSALS[outcome]()
        if external_id in self._kling.tasks:
            raise InvalidRequestError("The external id already exists")
        self._kling.tasks[external_id] = Task(f"task-{len(self._kling.tasks) + 1}", TaskStatus.PROCESSING)
        if outcome == "lost":
            raise AmbiguousSubmissionError("the answer was lost")
        return self._kling.tasks[external_id]

    async def find_by_external_id(self, external_id, *, kind):
        return self.listed(external_id)

    def listed(self, external_id):
        if self._kling.lags:
            self._kling.lags -= 1
            return None
        return self._kling.tasks.get(external_id)


class Records(JobStore):
    """Records that are kept on the thread which asks for it, so that its turn is known."""

    async def asave(self, job):
        self.save(job)


class Worker:
    """One try: takes a queued job to the order and, when Kling has the task, one state further."""

    def __init__(self, store, client, job=None):
        self._store, self._client = store, client
        self._job = job or store.load("job-1")

    def __call__(self):
        engine = WorkflowEngine(store=self._store)
        engine.register_handler(S.QUEUED, self._enter)
        engine.register_handler(S.GENERATING, self._order)
        engine.register_handler(S.POST_PROCESSING, self._finish)
        try:
            return asyncio.run(engine.process(self._job))
        except KlingVideoError as error:
            return error

    async def _enter(self, engine, job):
        engine.transition(job, S.GENERATING)

    async def _order(self, engine, job):
        call = call_for(job, WANTED, TakeRules())

        async def keep(call, token, *, first):
            self._store.note(job.id, call, token, first=first)
            self._store.save(job)

        async def as_it_is(wanted):
            return wanted.request

        await ensure_task(self._client, job, call, WANTED, as_it_is, PaidOnce(keep))
        engine.transition(job, S.POST_PROCESSING)

    async def _finish(self, engine, job):
        engine.transition(job, S.COMPLETED)


def queued(store):
    job = WorkflowJob(id="job-1", prompt="A fox")
    for state in (S.VALIDATED, S.QUEUED):
        WorkflowEngine().transition(job, state)
    store.save(job)


@contextmanager
def folder():
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


@contextmanager
def stepped(turns, place, *names):
    """Every look at Kling waits for its turn, and so does each of some steps of the store."""
    steps = {name: turns.stepped(getattr(place, name)) for name in names}
    answers = {name: turns.stepped(getattr(Client, name)) for name in ("answer", "listed")}
    with patch.multiple(place, **steps), patch.multiple(Client, **answers):
        yield


def require_nothing_lost(store, kling):
    """What Kling has is on record, and no word about money is too low."""
    job = store.load("job-1")
    for external_id, task in kling.tasks.items():
        (call,) = (one for one in job.submissions if one.external_task_id == external_id)
        assert call.task_id == task.id if call.was_taken else call.is_open
        assert job.failure is None or job.failure["money"] != "none"
    assert all(call.task_id in {None, *(task.id for task in kling.tasks.values())} for call in job.submissions)
    return job


def require_one_video(store, kling):
    """When all is well again, the next try takes what was paid, and orders only what was not."""
    kling.lags, job = 0, store.load("job-1")
    if job.is_terminal:
        job = WorkflowEngine(store=store).reopen(job, job.path[-2])
    done = Worker(store, kling.client([]), job)()
    assert (done.state, len(kling.tasks)) == (S.COMPLETED, 1)
    assert [call.task_id for call in store.load("job-1").submissions] == ["task-1"]


outcomes = st.lists(st.sampled_from([*REFUSALS, "lost", "accepted"]), max_size=3)
schedules = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), max_size=40)


@settings(max_examples=150)
@given(st.lists(outcomes, min_size=2, max_size=3), st.integers(0, 3), schedules)
def test_who_is_refused_never_ends_what_another_one_has_ordered(workers, lags, schedule):
    with folder() as base:
        store, kling, turns = Records(base), Kling(lags), Turns()
        queued(store)
        tries = [Worker(store, kling.client(given)) for given in workers]
        with stepped(turns, Records, "load", "save", "note"):
            results = turns.run(tries, schedule)
        job = require_nothing_lost(store, kling)
        assert len(kling.tasks) <= 1
        ends = [one.state for one in results if isinstance(one, WorkflowJob)]
        assert set(ends) <= {job.state}, "nobody is told another end than the one on record"
        if not any("lost" in given for given in workers) and None not in results:
            assert ends, "they do not all stand back for one another"
        require_one_video(store, kling)


@settings(max_examples=150)
@given(st.lists(outcomes, min_size=2, max_size=3), st.integers(0, 3), schedules)
def test_in_no_order_of_readings_and_writings_is_a_paid_video_forgotten(workers, lags, schedule):
    with folder() as base:
        store, kling, turns = Records(base), Kling(lags), Turns()
        queued(store)
        tries = [Worker(store, kling.client(given)) for given in workers]
        with stepped(turns, store_module, "read_whole", "write_whole", "entries"):
            turns.run(tries, schedule)
        require_nothing_lost(store, kling)
        assert len(kling.tasks) <= 1
        require_one_video(store, kling)


class Meanwhile(Client):
    """Refuses the create of a worker, but lets something happen before."""

    def __init__(self, kling, end, happens):
        super().__init__(kling, [])
        self._end, self._happens = end, happens

    def answer(self, external_id, outcome):
        self._happens()
        raise REFUSALS[self._end]()


@pytest.mark.parametrize("end", REFUSALS)
def test_who_is_refused_while_another_one_orders_stands_back(tmp_path, end):
    store, kling = Records(tmp_path), Kling()
    queued(store)
    quick = Worker(store, kling.client([]))

    def order():
        (done,) = run_threads([quick])
        assert done.state is S.COMPLETED
        kling.lags = 9

    outcome = Worker(store, Meanwhile(kling, end, order))()
    assert isinstance(outcome, RecordOvertakenError), outcome
    assert (outcome.retryable, outcome.money) == (True, "maybe")
    assert require_nothing_lost(store, kling).state is S.COMPLETED


@pytest.mark.parametrize("end", REFUSALS)
def test_who_is_refused_though_another_one_may_have_ordered_stands_back(tmp_path, end):
    store, kling = Records(tmp_path), Kling(lags=9)
    queued(store)
    slow = Worker(store, Meanwhile(kling, end, lambda: None))
    quick = store.load("job-1")
    WorkflowEngine().transition(quick, S.GENERATING)
    call = call_for(quick, WANTED, TakeRules())
    store.note("job-1", call, call.begin(), first=True)
    store.save(quick)
    outcome = slow()
    assert isinstance(outcome, RecordOvertakenError), outcome
    assert store.load("job-1").state is S.GENERATING
    # Whoever finds it on record, when the other one is dead, may end it.
    assert Worker(store, Meanwhile(kling, end, lambda: None))().state is S.FAILED
    assert store.load("job-1").failure["money"] == "maybe"


def test_who_finds_that_another_one_has_ordered_sends_nothing(tmp_path):
    store, kling = Records(tmp_path), Kling()
    queued(store)
    slow = Worker(store, Meanwhile(kling, "refused", lambda: pytest.fail("it was sent")))
    quick = store.load("job-1")
    WorkflowEngine().transition(quick, S.GENERATING)
    call = call_for(quick, WANTED, TakeRules())
    token = call.begin()
    kling.tasks[call.external_task_id] = Task("task-1", TaskStatus.PROCESSING)
    call.task_id = "task-1"
    store.note("job-1", call, token)
    store.save(quick)
    done = slow()
    assert (done.state, done.klingai_job_id) == (S.COMPLETED, "task-1")


@pytest.mark.parametrize("loss", [S.FAILED, S.CANCELLED])
def test_a_loss_is_written_over_the_state_in_which_it_happened_only(tmp_path, loss):
    store = JobStore(tmp_path)
    queued(store)
    slow, quick = store.load("job-1"), store.load("job-1")
    engine = WorkflowEngine({**TRANSITIONS, S.GENERATING: (S.POST_PROCESSING, S.FAILED, S.CANCELLED)})
    for job in (slow, quick):
        engine.transition(job, S.GENERATING)
    store.save(quick)
    engine.transition(quick, S.POST_PROCESSING)
    store.save(quick)
    engine.transition(slow, loss)
    with pytest.raises(RecordOvertakenError, match="is POST_PROCESSING"):
        store.save(slow)
    assert store.load("job-1").state is S.POST_PROCESSING


def learn_and_keep(base, number):
    """A worker that makes one call of its own, and tries the common one, which ends one way or the other."""
    store = JobStore(base)
    job = store.load("job-1")
    own = PaidCall(what="tts", fingerprint=f"own-{number}")
    common = next(call for call in job.calls if call.what == "create")
    job.calls.append(own)
    tokens = [(own, own.begin(own.next_token)), (common, common.begin(f"try-{number}"))]
    for call, token in tokens:
        store.note("job-1", call, token, first=True)
    store.save(job)
    own.verdict, own.bill = "succeeded", Bill(units=number)
    if number % 3 == 0:
        common.task_id = "7"
    elif number % 3 == 1:
        common.refuse(tokens[1][1])
    for call, token in tokens:
        store.note("job-1", call, token)
    store.save(job)


@pytest.mark.parametrize("count", [2, 7, 20])
@pytest.mark.parametrize("run", [run_processes, run_threads])
def test_what_many_workers_learn_at_once_is_all_known_afterwards(tmp_path, run, count):
    store = JobStore(tmp_path)
    queued(store)
    job = store.load("job-1")
    job.calls.append(PaidCall(fingerprint="f", external_task_id="e"))
    store.save(job)
    run([lambda number=number: learn_and_keep(tmp_path, number) for number in range(count)])
    calls = {call.fingerprint: call for call in store.load("job-1").calls}
    assert {name: str(call.bill) for name, call in calls.items() if name != "f"} == {
        f"own-{number}": f"{number} units" for number in range(count)
    }
    assert calls["f"].task_id == "7"
    ends = {f"try-{number}": "refused" if number % 3 == 1 else "sent" for number in range(count)}
    assert calls["f"].sends == ends


@pytest.mark.parametrize("run", [run_processes, run_threads])
def test_one_alone_may_make_a_call_that_kling_cannot_be_asked_about(tmp_path, run):
    store = JobStore(tmp_path)
    queued(store)

    def claim(number):
        call = PaidCall(what="tts", fingerprint="f", price=str(number))
        try:
            store.note("job-1", call, call.begin(call.next_token), first=True)
        except KlingVideoError:
            return
        (tmp_path / f"winner-{number}").touch()

    run([lambda number=number: claim(number) for number in range(20)])
    (winner,) = tmp_path.glob("winner-*")
    (call,) = store.load("job-1").calls
    assert call.price == winner.name.removeprefix("winner-")
