"""The transition table: the specification from which engine, operators and task groups are derived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from airflow_provider_klingvideo.workflow.job.states import TERMINAL_STATES, WorkflowState

ERROR_EXITS = (WorkflowState.FAILED, WorkflowState.CANCELLED)


class InvalidTransitionError(ValueError):
    """A transition that the table does not have; names both states and what would be legal."""

    def __init__(self, job_id: str, old: WorkflowState, new: WorkflowState, legal: Iterable[WorkflowState]) -> None:
        names = ", ".join(legal) or "nothing, it is a terminal state"
        super().__init__(f"Job {job_id} cannot go from {old} to {new}; legal from {old}: {names}.")
        self.old = old
        self.new = new


class UnsoundTableError(ValueError):
    """A transition table with faults; the message names every one."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("The transition table is not sound: " + "; ".join(self.faults) + ".")


class TransitionTable(Mapping[WorkflowState, tuple[WorkflowState, ...]]):
    """An immutable, sound transition table; every job starts in CREATED.

    :param rows: state to the states that may follow it. A terminal state's row may be left out.
    :raises UnsoundTableError: for an unknown state, a state that cannot be reached from CREATED, a state from which no
        terminal state can be reached, a terminal state with exits, a state with no exits that is not terminal.
    """

    def __init__(self, rows: Mapping[str, Iterable[str]]) -> None:
        faults, known = _read(rows)
        if not faults:
            faults = list(_structural_faults(known))
        if faults:
            raise UnsoundTableError(faults)
        self._rows = known

    def __getitem__(self, state: WorkflowState) -> tuple[WorkflowState, ...]:
        return self._rows[state]

    def __iter__(self) -> Iterator[WorkflowState]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def allows(self, old: WorkflowState, new: WorkflowState) -> bool:
        """Tell whether a job in ``old`` may go to ``new``."""
        return new in self._rows.get(old, ())

    def error_exit(self, state: WorkflowState) -> WorkflowState | None:
        """Where an error takes a job: FAILED, else CANCELLED, else (None) the row has no exit for errors."""
        return next((end for end in ERROR_EXITS if self.allows(state, end)), None)

    def forward(self, state: WorkflowState) -> tuple[WorkflowState, ...]:
        """The exits of a state that are not meant for errors."""
        return tuple(new for new in self._rows.get(state, ()) if new not in ERROR_EXITS)

    def as_json(self) -> dict[str, list[str]]:
        """The rows as plain names."""
        return {str(state): [str(new) for new in exits] for state, exits in self._rows.items()}


def _read(
    rows: Mapping[str, Iterable[str]],
) -> tuple[list[str], dict[WorkflowState, tuple[WorkflowState, ...]]]:
    plain = {str(state): tuple(str(new) for new in exits) for state, exits in rows.items()}
    names = dict.fromkeys([*plain, *(new for exits in plain.values() for new in exits)])
    unknown = [name for name in names if name not in WorkflowState.__members__]
    if unknown:
        return [f"unknown state {name}" for name in unknown], {}
    return [], {WorkflowState(name): tuple(map(WorkflowState, plain.get(name, ()))) for name in names}


def _structural_faults(rows: Mapping[WorkflowState, tuple[WorkflowState, ...]]) -> Iterator[str]:
    if WorkflowState.CREATED not in rows:
        yield "CREATED, where every job starts, is missing"
        return
    reachable = _reachable(rows, WorkflowState.CREATED)
    for state, exits in rows.items():
        if state not in reachable:
            yield f"{state} cannot be reached from CREATED"
        elif state in TERMINAL_STATES:
            if exits:
                yield f"{state} is terminal but has exits ({', '.join(exits)})"
        elif not exits:
            yield f"{state} has no exit, yet it is not a terminal state"
        elif not _reachable(rows, state) & TERMINAL_STATES:
            yield f"no terminal state can be reached from {state}"


def _reachable(rows: Mapping[WorkflowState, tuple[WorkflowState, ...]], start: WorkflowState) -> set[WorkflowState]:
    seen = {start}
    waiting = [start]
    while waiting:
        new = set(rows.get(waiting.pop(), ())) - seen
        seen |= new
        waiting.extend(new)
    return seen


TRANSITIONS = TransitionTable(
    {
        "CREATED": ["VALIDATED", "FAILED"],
        "VALIDATED": ["QUEUED", "FAILED"],
        "QUEUED": ["GENERATING", "CANCELLED"],
        "GENERATING": ["POST_PROCESSING", "FAILED"],
        "POST_PROCESSING": ["COMPLETED", "FAILED"],
    }
)
"""The table of this product: Kling cannot cancel, so only QUEUED, which costs nothing, leads to CANCELLED."""
