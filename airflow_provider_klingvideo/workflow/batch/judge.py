"""A batch of jobs before and after: what is wrong with its requests, and the judgement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import ApiFamily, GenerationRequest, check_request, parse_request
from airflow_provider_klingvideo.workflow.inputs.creation import given_fields
from airflow_provider_klingvideo.workflow.inputs.references import resolved
from airflow_provider_klingvideo.workflow.job.closing import close
from airflow_provider_klingvideo.workflow.job.engine import WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

# A job that has no record never began; it counts as failed.
NO_RECORD = "NO_RECORD"
GOOD_ENDS = frozenset({str(WorkflowState.COMPLETED), str(WorkflowState.CANCELLED)})


def faults_of(
    requests: Sequence[Mapping[str, Any]],
    family_for: Callable[[GenerationRequest, str | None], ApiFamily],
    *,
    unknown_models: Literal["warn", "refuse", "send"],
) -> dict[int, str]:
    """Check requests without asking anybody.

    :param family_for: chooses the API family of a request, given what it says about it itself.
    :param unknown_models: what to do with a model that the capability registry does not know.
    :returns: what is wrong, by index; empty when all are legal.
    """
    faults: dict[int, str] = {}
    for index, given in enumerate(requests):
        try:
            fields = given_fields(given)
            api = fields.pop("api", None)
            request = parse_request(resolved(fields))
            check_request(request, family_for(request, api), unknown_models=unknown_models)
        except KlingVideoError as error:
            faults[index] = error.message
    return faults


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
    jobs: Sequence[WorkflowJob | None], max_failed_share: float, *, failed_tasks: Sequence[str] = ()
) -> dict[str, Any]:
    """Count a batch: every granularity is judged here.

    :param jobs: the records in the order of the requests, None where there is none. What has not ended counts as
        failed: its video may be paid, and nobody has it.
    :param max_failed_share: 0 to 1.
    :param failed_tasks: tasks that failed; where no job tells of a failure, they speak for themselves.
    :returns: ``total``, ``failed``, ``states`` (state to count), ``failed_tasks`` and ``accepted``.
    """
    states = Counter(str(job.state) if job else NO_RECORD for job in jobs)
    failed = sum(count for state, count in states.items() if state not in GOOD_ENDS)
    is_told = failed > 0 or not failed_tasks
    accepted = failed <= max_failed_share * len(jobs) and (is_told or max_failed_share >= 1)
    return {
        "total": len(jobs),
        "failed": failed,
        "states": dict(states),
        "failed_tasks": list(failed_tasks),
        "accepted": accepted,
    }
