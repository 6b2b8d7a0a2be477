"""The engine: what the prototype could do, without its defects."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.workflow import (
    TRANSITIONS,
    HandlerError,
    InvalidTransitionError,
    JobStore,
    PaidCall,
    TransitionTable,
    UnsoundTableError,
    WorkflowEngine,
    WorkflowJob,
    WorkflowState,
)

S = WorkflowState
HAPPY_PATH = [S.CREATED, S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING, S.COMPLETED]


def moves_to(state, **data):
    async def handler(engine, job):
        engine.transition(job, state, **data)

    return handler


def raises(error):
    async def handler(engine, job):
        raise error

    return handler


def engine_with(**replaced):
    """An engine whose handlers walk the happy path, save the ones given by state name."""
    engine = WorkflowEngine()
    for old, new in pairwise(HAPPY_PATH):
        engine.register_handler(old, replaced.get(old.value, moves_to(new)))
    return engine


def process(engine, job=None):
    return asyncio.run(engine.process(job or WorkflowJob(prompt="a fox in snow")))


def test_handlers_take_a_job_to_completed():
    job = process(engine_with())
    assert job.path == HAPPY_PATH


def test_a_handler_can_fail_a_job():
    job = process(engine_with(GENERATING=moves_to(S.FAILED, error="Kling refused")))
    assert (job.state, job.error) == (S.FAILED, "Kling refused")


def test_a_handler_can_cancel_a_job():
    job = process(engine_with(QUEUED=moves_to(S.CANCELLED, error="no budget")))
    assert job.path == [S.CREATED, S.VALIDATED, S.QUEUED, S.CANCELLED]


def test_handlers_of_terminal_states_are_told_of_the_end_once():
    told = []

    async def handler(engine, job):
        told.append(job.state)

    for replaced, end in [({}, S.COMPLETED), ({"CREATED": raises(ValueError("x"))}, S.FAILED)]:
        engine = engine_with(**replaced)
        engine.register_handler(end, handler)
        process(engine)
    assert told == [S.COMPLETED, S.FAILED]


def test_a_broken_handler_of_a_terminal_state_changes_nothing():
    engine = engine_with()
    engine.register_handler(S.COMPLETED, raises(RuntimeError("mail server down")))
    assert process(engine).state is S.COMPLETED


@pytest.mark.parametrize("state", HAPPY_PATH[:-1])
def test_a_handler_that_raises_takes_the_job_to_the_exit_of_its_row(state):
    job = process(engine_with(**{state.value: raises(RuntimeError("boom"))}))
    assert job.state is (S.CANCELLED if state is S.QUEUED else S.FAILED)
    assert "boom" in job.error
    assert job.failure["state"] == state
    assert job.history[-1].data["error"] == job.error


def test_an_error_after_the_end_changes_nothing():
    async def completes_and_raises(engine, job):
        engine.transition(job, S.COMPLETED)
        raise ValueError("too late")

    job = process(engine_with(POST_PROCESSING=completes_and_raises))
    assert (job.state, job.failure) == (S.COMPLETED, None)


def test_the_facts_of_our_own_errors_are_kept():
    error = KlingVideoError("no", code=1102, vendor_message="Account balance not enough", advice="Buy a pack")
    job = process(engine_with(VALIDATED=raises(error)))
    assert job.failure["code"] == 1102
    assert job.error == 'no. Kling says: "Account balance not enough" (code 1102). No money was spent. Buy a pack.'


def test_an_error_never_claims_that_no_money_was_spent_while_a_task_may_exist():
    call = PaidCall(external_task_id="e", fingerprint="f")
    call.begin()
    job = WorkflowJob(calls=[call])
    process(engine_with(POST_PROCESSING=raises(KlingVideoError("disk full"))), job)
    assert job.failure["money"] == Money.MAYBE


def test_an_error_where_the_row_has_no_exit_for_errors_is_raised_and_on_record():
    engine = WorkflowEngine({"CREATED": ["COMPLETED"]})
    engine.register_handler(S.CREATED, raises(RuntimeError("boom")))
    job = WorkflowJob()
    with pytest.raises(RuntimeError, match="boom"):
        process(engine, job)
    assert job.state is S.CREATED
    assert "boom" in job.error


def test_an_illegal_transition_names_both_states_and_what_would_be_legal():
    with pytest.raises(ValueError, match=r"from QUEUED to COMPLETED.*GENERATING, CANCELLED") as caught:
        WorkflowEngine().transition(WorkflowJob(state=S.QUEUED), S.COMPLETED)
    assert isinstance(caught.value, InvalidTransitionError)


def test_nothing_leaves_a_terminal_state():
    with pytest.raises(InvalidTransitionError, match="terminal state"):
        WorkflowEngine().transition(WorkflowJob(state=S.FAILED), S.CREATED)


def test_data_that_names_a_field_sets_it_and_all_data_is_history():
    job = WorkflowEngine().transition(
        WorkflowJob(), S.VALIDATED, klingai_job_id="867283741759111202", estimate={"units": "3"}
    )
    assert job.klingai_job_id == "867283741759111202"
    assert job.history[-1].data == {"klingai_job_id": "867283741759111202", "estimate": {"units": "3"}}


@pytest.mark.parametrize("name", ["id", "state", "history", "created_at"])
def test_data_cannot_set_what_belongs_to_the_engine(name):
    job = WorkflowJob()
    with pytest.raises(ValueError, match=name):
        WorkflowEngine().transition(job, S.VALIDATED, **{name: "x"})
    assert job.state is S.CREATED


@pytest.mark.parametrize("how", ["argument", "attribute", "override"])
def test_a_listener_is_told_of_every_transition(how):
    seen = []

    def listener(job, old, new):
        seen.append((old, new))

    class Listening(WorkflowEngine):
        def on_transition(self, job, old, new):
            listener(job, old, new)

    engine = Listening() if how == "override" else WorkflowEngine(on_transition=listener if how == "argument" else None)
    if how == "attribute":
        engine.on_transition = listener
    engine.transition(WorkflowJob(), S.VALIDATED)
    assert seen == [(S.CREATED, S.VALIDATED)]


def test_a_broken_listener_changes_nothing():
    def listener(job, old, new):
        raise RuntimeError("boom")

    assert WorkflowEngine(on_transition=listener).transition(WorkflowJob(), S.VALIDATED).state is S.VALIDATED


def test_a_state_without_a_handler_is_an_error_that_names_it():
    with pytest.raises(HandlerError, match="VALIDATED"):
        process(WorkflowEngine(), WorkflowJob(state=S.VALIDATED))


def test_a_handler_that_moves_nothing_fails_the_job_instead_of_running_for_ever():
    async def lazy(engine, job):
        return None

    job = process(engine_with(VALIDATED=lazy))
    assert job.state is S.FAILED
    assert "without a transition" in job.error


@pytest.mark.parametrize("state", HAPPY_PATH[:-1])
def test_a_job_loaded_from_its_record_goes_on_from_its_state(tmp_path, state):
    store = JobStore(tmp_path)
    engine = engine_with()
    job = WorkflowJob(id="job-1")
    for new in HAPPY_PATH[1 : HAPPY_PATH.index(state) + 1]:
        engine.transition(job, new)
    store.save(job)
    assert process(engine, store.load("job-1")).path == HAPPY_PATH


def test_every_step_is_on_disk_before_the_next_one_begins(tmp_path):
    store = JobStore(tmp_path)
    engine = engine_with()
    engine.store = store
    on_disk = []

    async def generating(engine, job):
        on_disk.append(store.load(job.id).state)
        engine.transition(job, S.POST_PROCESSING, klingai_job_id="1")

    async def post_processing(engine, job):
        on_disk.append(store.load(job.id).klingai_job_id)
        engine.transition(job, S.COMPLETED)

    engine.register_handler(S.GENERATING, generating)
    engine.register_handler(S.POST_PROCESSING, post_processing)
    job = process(engine)
    assert on_disk == [S.GENERATING, "1"]
    assert store.load(job.id) == job


def test_times_are_aware_and_utc():
    job = WorkflowEngine().transition(WorkflowJob(), S.VALIDATED)
    for time in (job.created_at, job.updated_at, job.history[0].timestamp):
        assert time.tzinfo is UTC
    with pytest.raises(ValueError, match="timezone"):
        WorkflowJob(created_at=datetime(2026, 1, 1))


@given(data=st.data())
def test_random_walks_over_random_tables_never_leave_the_table(data):
    rows = data.draw(
        st.dictionaries(st.sampled_from(list(S)), st.lists(st.sampled_from(list(S)), unique=True, max_size=4))
    )
    try:
        table = TransitionTable(rows)
    except UnsoundTableError:
        table = TRANSITIONS
    engine, job = WorkflowEngine(table), WorkflowJob()
    for state in data.draw(st.lists(st.sampled_from(list(S)), max_size=12)):
        before = job.model_copy(deep=True)
        if state in table.get(job.state, ()):
            engine.transition(job, state)
            assert job.path == [*before.path, state]
        else:
            with pytest.raises(ValueError, match=f"from {job.state} to {state}"):
                engine.transition(job, state)
            assert job == before
    path = job.path
    assert all(table.allows(old, new) for old, new in pairwise(path))


@given(data=st.data())
def test_process_ends_every_job_whatever_the_handlers_do(data):
    failing = data.draw(st.sets(st.sampled_from(HAPPY_PATH[:-1])))
    job = process(engine_with(**{state.value: raises(ValueError(state)) for state in failing}))
    path = job.path
    assert job.is_terminal
    assert all(TRANSITIONS.allows(old, new) for old, new in pairwise(path))
    first = next((state for state in HAPPY_PATH if state in failing), None)
    assert (job.state is S.COMPLETED) == (first is None)
