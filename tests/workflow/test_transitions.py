"""The transition table: soundness and what is derived from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.workflow import (
    TERMINAL_STATES,
    TRANSITIONS,
    TransitionTable,
    UnsoundTableError,
    WorkflowState,
)

S = WorkflowState
DESIGN = {
    S.CREATED: (S.VALIDATED, S.FAILED),
    S.VALIDATED: (S.QUEUED, S.FAILED),
    S.QUEUED: (S.GENERATING, S.CANCELLED),
    S.GENERATING: (S.POST_PROCESSING, S.FAILED),
    S.POST_PROCESSING: (S.COMPLETED, S.FAILED),
    S.COMPLETED: (),
    S.FAILED: (),
    S.CANCELLED: (),
}

random_rows = st.dictionaries(
    st.sampled_from(list(S)), st.lists(st.sampled_from(list(S)), unique=True, max_size=4), min_size=1
)


def test_the_products_table_is_the_specified_one():
    assert dict(TRANSITIONS) == DESIGN


def test_plain_names_make_the_same_table():
    assert dict(TransitionTable(TRANSITIONS.as_json())) == DESIGN


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ({"CREATED": ["SHIPPED"]}, "unknown state SHIPPED"),
        ({"STARTED": ["COMPLETED"]}, "unknown state STARTED"),
        ({"VALIDATED": ["COMPLETED"]}, "CREATED, where every job starts, is missing"),
        ({"CREATED": ["COMPLETED"], "QUEUED": ["COMPLETED"]}, "QUEUED cannot be reached from CREATED"),
        ({"CREATED": ["VALIDATED", "FAILED"]}, "VALIDATED has no exit"),
        (
            {"CREATED": ["VALIDATED", "FAILED"], "VALIDATED": ["VALIDATED"]},
            "no terminal state can be reached from VALIDATED",
        ),
        ({"CREATED": ["FAILED"], "FAILED": ["CREATED"]}, "FAILED is terminal but has exits (CREATED)"),
    ],
)
def test_an_unsound_table_is_refused_and_the_fault_is_named(rows, fault):
    with pytest.raises(UnsoundTableError) as caught:
        TransitionTable(rows)
    assert fault in str(caught.value)


def test_all_faults_are_named_at_once():
    with pytest.raises(UnsoundTableError) as caught:
        TransitionTable({"CREATED": ["VALIDATED"], "QUEUED": ["COMPLETED"]})
    assert set(caught.value.faults) == {
        "no terminal state can be reached from CREATED",
        "VALIDATED has no exit, yet it is not a terminal state",
        "QUEUED cannot be reached from CREATED",
        "COMPLETED cannot be reached from CREATED",
    }


def test_an_error_leaves_the_queue_by_cancellation_and_every_other_state_by_failure():
    exits = {state: TRANSITIONS.error_exit(state) for state in TRANSITIONS if state not in TERMINAL_STATES}
    assert exits.pop(S.QUEUED) is S.CANCELLED
    assert set(exits.values()) == {S.FAILED}


@given(rows=random_rows)
def test_a_table_is_either_refused_or_leads_every_job_to_an_end(rows):
    try:
        table = TransitionTable(rows)
    except UnsoundTableError:
        return
    seen, waiting = {S.CREATED}, [S.CREATED]
    while waiting:
        state = waiting.pop()
        assert bool(table[state]) != (state in TERMINAL_STATES)
        for new in table[state]:
            assert table.allows(state, new)
            if new not in seen:
                seen.add(new)
                waiting.append(new)
    assert seen == set(table)
    assert seen & TERMINAL_STATES
