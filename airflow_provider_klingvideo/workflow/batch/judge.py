"""A batch of jobs before and after: what is wrong with its requests, and the judgement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import ApiFamily, GenerationRequest, check_request, parse_request
from airflow_provider_klingvideo.workflow.inputs.creation import given_fields
from airflow_provider_klingvideo.workflow.inputs.references import resolved
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

# A job that has no record never began; it counts as failed.
NO_RECORD = "NO_RECORD"


def faults_of(
    requests: Sequence[Mapping[str, Any]],
    family_for: Callable[[GenerationRequest, str | None], ApiFamily],
    *,
    unknown_models: Literal["warn", "refuse"],
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


def judged(jobs: Sequence[WorkflowJob | None], max_failed_share: float) -> dict[str, Any]:
    """Count a batch.

    :param jobs: the records in the order of the requests, None where there is none.
    :param max_failed_share: 0 to 1.
    :returns: ``total``, ``failed``, ``states`` (state to count) and ``accepted``.
    """
    states = Counter(str(job.state) if job else NO_RECORD for job in jobs)
    failed = states[WorkflowState.FAILED] + states[NO_RECORD]
    accepted = failed <= max_failed_share * len(jobs)
    return {"total": len(jobs), "failed": failed, "states": dict(states), "accepted": accepted}
