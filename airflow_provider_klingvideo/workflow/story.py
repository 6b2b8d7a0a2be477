"""How a job went, in the words that a person reads in a task's log: the end of one job, the failed ones of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.states import TERMINAL_STATES, WorkflowState

MOST_NAMED = 10
"""So many failed jobs of a batch are named; the manifest has all."""
LONGEST_REASON = 300
GOOD_ENDS = frozenset({WorkflowState.COMPLETED, WorkflowState.CANCELLED})
NOT_SHORTER = timedelta(milliseconds=500)


def told_of(job: WorkflowJob) -> str:
    """Tell how a job ended, or where it is: one line."""
    return _TOLD.get(job.state, _on_its_way)(job)


def told_of_failed(jobs: Iterable[tuple[str, WorkflowJob | None]]) -> list[str]:
    """Name the jobs of a batch that did not succeed, with their reasons: a line for each.

    :param jobs: each job with what a person calls it; None where there is no record.
    :returns: lines for the first :data:`MOST_NAMED`, and how many more there are.
    """
    failed = [f"{name}: {_reason(job)}" for name, job in jobs if job is None or job.state not in GOOD_ENDS]
    more = len(failed) - MOST_NAMED
    return [*failed[:MOST_NAMED], *([f"and {more} more, see the manifest"] if more > 0 else [])]


def told_counts(states: Mapping[str, int]) -> str:
    """Tell how many jobs ended how, for example ``2 COMPLETED, 1 FAILED``."""
    return ", ".join(f"{count} {state}" for state, count in states.items()) or "no jobs"


def length_of_time(seconds: float) -> str:
    """Tell a time for a person, for example ``1 min 5 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest} s" if rest else ""]
    return " ".join(filter(None, parts)) or "0 s"


def ended_in(job: WorkflowJob) -> WorkflowState:
    """Return the state in which a job was when it ended, the present one while it goes on."""
    return job.path[-2] if job.is_terminal and len(job.path) > 1 else job.state


def _completed(job: WorkflowJob) -> str:
    return " ".join(filter(None, [f"Job {job.id} is COMPLETED.", *_place(job), _price(job), _times(job)]))


def _ended(job: WorkflowJob) -> str:
    was = "was " if job.state is WorkflowState.CANCELLED else ""
    return f"Job {job.id} {was}{job.state} in {ended_in(job)}. {job.error or 'The record gives no reason.'}"


def _on_its_way(job: WorkflowJob) -> str:
    return f"Job {job.id} is {job.state}."


_TOLD: Mapping[WorkflowState, Callable[[WorkflowJob], str]] = {
    WorkflowState.COMPLETED: _completed,
    WorkflowState.FAILED: _ended,
    WorkflowState.CANCELLED: _ended,
}


def _place(job: WorkflowJob) -> list[str]:
    """Say where the result lies, and how long it is."""
    length = f", {job.result.seconds:g} s long" if job.result and job.result.seconds else ""
    return [f"The result lies in {job.processed_url}{length}."] if job.processed_url else []


def _price(job: WorkflowJob) -> str:
    if job.bill is not None:
        return f"Kling billed {job.bill}."
    expected = job.estimate.units if job.estimate else None
    return "Kling has told no price" + (f"; {expected} units were expected." if expected else ".")


def _times(job: WorkflowJob) -> str:
    """Say how long the job was in each state since it was made or taken up last; moments are passed over."""
    spent: dict[WorkflowState, timedelta] = {}
    for (state, since), (_, until) in pairwise(_entries(job)):
        spent[state] = spent.get(state, timedelta()) + (until - since)
    told = [f"{state} {length_of_time(time.total_seconds())}" for state, time in spent.items() if time >= NOT_SHORTER]
    return f"Time: {', '.join(told)}." if told else ""


def _entries(job: WorkflowJob) -> Sequence[tuple[WorkflowState, datetime]]:
    """Return the states with when they were entered, without the time that a job lay ended before it was reopened."""
    entries = [(WorkflowState.CREATED, job.created_at), *((one.to_state, one.timestamp) for one in job.history)]
    reopened = [number for number, entry in enumerate(job.history, start=1) if entry.from_state in TERMINAL_STATES]
    return entries[max([0, *reopened]) :]


def _reason(job: WorkflowJob | None) -> str:
    if job is None:
        return "never began, it has no record"
    words = job.error or "the record gives no reason"
    short = words if len(words) <= LONGEST_REASON else f"{words[:LONGEST_REASON]}..."
    return f"{job.state} in {ended_in(job)}: {short}"
