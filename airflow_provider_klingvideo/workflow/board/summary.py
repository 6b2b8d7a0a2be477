"""A job in a line, as narrow as a list of thousands needs it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from airflow_provider_klingvideo._urls import without_queries
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

PROMPT_CHARACTERS = 160
ERROR_CHARACTERS = 300
_SENTENCE = re.compile(r".+?[.!?](?=\s|$)", re.DOTALL)


class FileSummary(BaseModel):
    """A file of a job.

    :param name: by which it is asked for.
    :param role: what it is for: ``source``, ``master``, ``poster`` ...
    :param media_type: as the record says.
    :param size: bytes, as the record says.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    role: str
    media_type: str = ""
    size: int = 0


class JobSummary(BaseModel):
    """What lists show of a job.

    :param folder: the folder of its run or batch, by which it is asked for together with ``dag_id`` and ``id``.
    :param key: the key of its row in a batch.
    :param since: when it entered its state.
    :param prompt: the beginning of it.
    :param error: the first sentence of it.
    :param take: of its newest order.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    dag_id: str
    folder: str
    run_id: str | None
    batch: str | None
    key: str | None
    map_index: int | None
    state: WorkflowState
    since: datetime
    created_at: datetime
    updated_at: datetime
    kind: str
    model: str
    prompt: str
    estimate_units: str | None
    estimate_money: str | None
    currency: str | None
    billed_units: str | None
    billed_cash: str | None
    error: str | None
    take: int
    revision: int
    files: tuple[FileSummary, ...]


def summary_of(job: WorkflowJob, folder: str) -> JobSummary:
    """Return a job in a line.

    :param folder: the name of the folder of its run or batch.
    """
    origin, estimate, bill = job.origin, job.estimate, job.bill_columns
    return JobSummary(
        id=job.id,
        dag_id=origin.dag_id or "",
        folder=folder,
        run_id=origin.run_id,
        batch=origin.batch,
        key=origin.row,
        map_index=origin.map_index,
        state=job.state,
        since=job.entered_at(job.state) or job.created_at,
        created_at=job.created_at,
        updated_at=job.updated_at,
        kind=_asked(job, "kind"),
        model=_asked(job, "model"),
        prompt=without_queries(job.prompt)[:PROMPT_CHARACTERS],
        estimate_units=estimate.units if estimate else None,
        estimate_money=estimate.money if estimate else None,
        currency=estimate.currency if estimate else None,
        billed_units=bill["billed_units"],
        billed_cash=bill["billed_cash"],
        error=_first_sentence(job.error) if job.error else None,
        take=job.submissions[-1].take if job.submissions else 1,
        revision=job.revision,
        files=tuple(_file(name, facts) for name, facts in job.files.artifacts.items()),
    )


def _asked(job: WorkflowJob, name: str) -> str:
    """What validation has found out, before it what the user wrote."""
    return str(getattr(job.request, name) if job.request else job.params.get(name) or "")


def _first_sentence(text: str) -> str:
    shown = without_queries(text)
    found = _SENTENCE.match(shown)
    return (found[0] if found else shown)[:ERROR_CHARACTERS]


def _file(name: str, facts: dict[str, Any]) -> FileSummary:
    size = facts.get("size")
    return FileSummary(
        name=name,
        role=name.rpartition("/")[2].partition(".")[0],
        media_type=str(facts.get("media_type") or ""),
        size=size if isinstance(size, int) else 0,
    )
