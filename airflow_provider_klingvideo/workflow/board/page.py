"""A job in full, as a page shows it: without what signs an address, and without what is the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from airflow_provider_klingvideo._urls import without_queries
from airflow_provider_klingvideo.workflow.board.summary import JobSummary, summary_of
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import PaidCall
from airflow_provider_klingvideo.workflow.job.states import WorkflowState


class Shown(BaseModel):
    """A part of a page."""

    model_config = ConfigDict(frozen=True)


class StateEntered(Shown):
    """A state that a job has been in.

    :param at: when it entered it.
    :param seconds: how long it stayed; None for the present one.
    """

    state: WorkflowState
    at: datetime
    seconds: float | None


class CallShown(Shown):
    """A call that costs; ``create`` is a submission.

    :param money: what it proves about money: ``none``, ``maybe`` or ``billed``.
    """

    what: str
    take: int
    task_id: str | None
    external_task_id: str | None
    price: str | None
    billed: str | None
    money: str
    verdict: str | None
    tries: int
    intended_at: datetime
    accepted_at: datetime | None


class JobPage(Shown):
    """A job in full.

    :param params: the request as the user wrote it, addresses without what signs them.
    :param path: the states that it has been in, the present one last.
    :param calls: all that cost or may have cost, in the order in which they were intended.
    :param error: in full.
    :param failure: the same as data: what to do next stands in ``advice``.
    """

    summary: JobSummary
    prompt: str
    params: dict[str, JsonValue]
    warnings: tuple[str, ...]
    path: tuple[StateEntered, ...]
    calls: tuple[CallShown, ...]
    klingai_job_id: str | None
    external_task_id: str | None
    error: str | None
    failure: dict[str, JsonValue] | None


def page_of(job: WorkflowJob, folder: str) -> JobPage:
    """Return a job in full.

    :param folder: the name of the folder of its run or batch.
    """
    checked = job.request.warnings if job.request else []
    return JobPage(
        summary=summary_of(job, folder),
        prompt=without_queries(job.prompt),
        params=_unsigned(job.params),
        warnings=tuple(map(without_queries, (*checked, *job.files.warnings))),
        path=tuple(_path(job)),
        calls=tuple(map(_call, job.calls)),
        klingai_job_id=job.klingai_job_id,
        external_task_id=job.external_task_id,
        error=without_queries(job.error) if job.error else None,
        failure=_unsigned(job.failure),
    )


def _path(job: WorkflowJob) -> list[StateEntered]:
    entered = [(WorkflowState.CREATED, job.created_at), *((one.to_state, one.timestamp) for one in job.history)]
    left: list[datetime | None] = [*(at for _, at in entered[1:]), None]
    return [
        StateEntered(state=state, at=at, seconds=(end - at).total_seconds() if end else None)
        for (state, at), end in zip(entered, left, strict=True)
    ]


def _call(call: PaidCall) -> CallShown:
    return CallShown(
        what=call.what,
        take=call.take,
        task_id=call.task_id,
        external_task_id=call.external_task_id,
        price=call.price,
        billed=str(call.bill) if call.bill else None,
        money=call.money.value,
        verdict=call.verdict,
        tries=call.tries,
        intended_at=call.intended_at,
        accepted_at=call.accepted_at,
    )


def _unsigned(value: Any) -> Any:
    """JSON values without what signs an address, also in text that holds several of them."""
    if isinstance(value, Mapping):
        return {str(name): _unsigned(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_unsigned(item) for item in value]
    return without_queries(value) if isinstance(value, str) else value
