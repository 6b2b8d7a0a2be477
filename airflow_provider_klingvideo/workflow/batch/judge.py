"""A batch of jobs at its end: what nobody has ended is closed, and all of it is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_klingvideo.workflow.job.closing import close
from airflow_provider_klingvideo.workflow.job.engine import WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

# A job that has no record never began; it counts as failed.
NO_RECORD = "NO_RECORD"
# A row that was left out because it cannot be ordered; it counts neither as failed nor as succeeded.
REFUSED = "REFUSED"
GOOD_ENDS = frozenset({str(WorkflowState.COMPLETED), str(WorkflowState.CANCELLED)})


def close_unended(engine: WorkflowEngine, jobs: Iterable[WorkflowJob], cause: str) -> list[WorkflowJob]:
    """End, as abandoned, the jobs that nobody has brought to their ends, and keep their records.

    :param engine: with a store, where records lie.
    :param cause: what ended them, where a record does not say.
    :returns: those that were ended here.
    """
    unended = [job for job in jobs if not job.is_terminal]
    for job in unended:
        close(engine, job, cause)
        if engine.store is not None:
            engine.store.save(job)
    return unended


def judged(
    jobs: Sequence[WorkflowJob | None],
    max_failed_share: float,
    *,
    failed_tasks: Sequence[str] = (),
    refused: int = 0,
) -> dict[str, Any]:
    """Count a batch: every granularity is judged here.

    :param jobs: the records in the order of the requests, None where there is none. What has not ended counts as
        failed: its video may be paid, and nobody has it.
    :param max_failed_share: 0 to 1.
    :param failed_tasks: tasks that failed; where no job tells of a failure, they speak for themselves.
    :param refused: how many rows were left out, which are not among the jobs.
    :returns: ``total`` (the rows that were left out included), ``failed``, ``refused``, ``states`` (state to count),
        ``failed_tasks`` and ``accepted``.
    """
    states = Counter(str(job.state) if job else NO_RECORD for job in jobs)
    failed = sum(count for state, count in states.items() if state not in GOOD_ENDS)
    is_told = failed > 0 or not failed_tasks
    accepted = failed <= max_failed_share * len(jobs) and (is_told or max_failed_share >= 1)
    return {
        "total": len(jobs) + refused,
        "failed": failed,
        "refused": refused,
        "states": dict(states) | ({REFUSED: refused} if refused else {}),
        "failed_tasks": list(failed_tasks),
        "accepted": accepted,
    }
