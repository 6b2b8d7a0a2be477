"""Asking a person in Airflow: the required action is opened here, and its answer becomes the job's record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_klingvideo._compat import AirflowException
from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors
from airflow_provider_klingvideo.workflow import WorkflowJob
from airflow_provider_klingvideo.workflow.gates.consent import WaitForPerson, keep_answer, words_of
from airflow_provider_klingvideo.workflow.inputs.sealing import has_sealed_parts
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.sections import Answer, Asked

if TYPE_CHECKING:
    from airflow_provider_klingvideo.runtime.job_run import JobRun

APPROVE, REJECT = "Approve", "Reject"
KEPT_TRIES = 5
OPTIONS: Mapping[str, bool] = {APPROVE: True, REJECT: False}
"""What a person can choose, and whether the job may be ordered then."""


def open_action(run: JobRun, wait: WaitForPerson) -> None:
    """Show the question of a job among Airflow's required actions, once in each try.

    :param run: the task instance at work on the job.
    :param wait: what it waits for.
    :raises AirflowException: this try has shown another question; the next one asks anew.
    """
    from airflow.sdk.execution_time.hitl import HITLUser, upsert_hitl_detail

    ti_id, approval = run.context["ti"].id, run.job.approval
    if wait.question.opened_by == str(ti_id):
        # Asked again, Airflow would drop an answer that has just come.
        return
    if approval is not None and str(ti_id) in approval.opened_by:
        # Airflow keeps the words of the first question that a try asks, so that an answer would be to that one.
        raise AirflowException(
            f"Job {run.job.id} is not what a person was asked about any more; the next try asks anew. "
            "Nothing was ordered"
        )
    opened = wait.question.model_copy(update={"opened_by": str(ti_id)})
    assert approval is not None  # noqa: S101 - it has the question
    run.job.approval = approval.model_copy(
        update={"question": opened, "opened_by": [*approval.opened_by[1 - KEPT_TRIES :], str(ti_id)]}
    )
    with airflow_errors():
        run.store.save(run.job)
    upsert_hitl_detail(
        ti_id=ti_id,
        options=list(OPTIONS),
        subject=f"Order a video from Kling for {words_of(wait.question.about.price)}?"
        if wait.question.about.price
        else "Order from Kling at an unknown price?",
        body=body_of(run.job, wait),
        params={},
        assigned_users=[HITLUser(id=user["id"], name=user["name"]) for user in wait.users],
    )


def keep_event(run: JobRun, asked: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    """Put what a person has answered on the job's record, before anything else is done.

    :param asked: what the question was about, as it was shown.
    :param event: of Airflow: the answer, or that nobody has given one.
    :raises AirflowException: Airflow could not bring the answer.
    """
    chosen = event.get("chosen_options") or []
    if "error" in event and event.get("error_type") != "timeout":
        raise AirflowException(f"The answer about job {run.job.id} could not be read: {event['error']}")
    if len(chosen) != 1 or chosen[0] not in OPTIONS:
        return
    user = event.get("responded_by_user") or {}
    answer = Answer(
        about=Asked.model_validate(asked),
        is_approved=OPTIONS[chosen[0]],
        by=str(user.get("name") or user.get("id") or ""),
        user_id=str(user.get("id") or ""),
        at=event.get("responded_at") or utc_now(),
    )
    keep_answer(run.job, answer, run.session.journal)
    with airflow_errors():
        run.store.save(run.job)


def body_of(job: WorkflowJob, wait: WaitForPerson) -> str:
    """Say in Markdown what a person decides about; text of others stands in blocks that nothing in it can end."""
    params = {name: value for name, value in job.params.items() if value is not None}
    facts = {
        "Product": job.checked.kind,
        "Model": job.checked.model or "none",
        "Length": f"{params['duration']} s" if params.get("duration") else "the model's own",
        "Take": str(wait.question.about.take),
        "Price": words_of(wait.question.about.price),
        "Left of the budget": wait.left or "no budget",
        "Answer until": f"{wait.question.until:%Y-%m-%d %H:%M} UTC",
        "Job": job.id,
    }
    rows = [f"| {name} | `{_in_cell(value)}` |" for name, value in facts.items()]
    shown = json.dumps(params, ensure_ascii=False, indent=2)
    pictures = [f"![{name}](<{url}>)" for name, url in params.items() if _is_picture(url)]
    warnings = [f"- `{_in_cell(one)}`" for one in job.checked.warnings]
    parts = [
        "\n".join(["| | |", "|---|---|", *rows]),
        "**Prompt**\n\n" + _block(job.prompt or "none"),
        "**Request and inputs**\n\n" + _block(shown),
        *pictures,
        *(["**Warnings**\n\n" + "\n".join(warnings)] if warnings else []),
    ]
    return "\n\n".join(parts)


def _is_picture(value: Any) -> bool:
    """Whether a value is the address of a picture that a browser may show; one with signed parts shows nothing."""
    if not isinstance(value, str) or has_sealed_parts(value) or any(sign in value for sign in "<>\n\\ "):
        return False
    address = urlsplit(value)
    is_plain = address.scheme == "https" and not address.query and address.username is None
    return is_plain and address.path.lower().endswith((".png", ".jpg", ".jpeg", ".webp"))


def _in_cell(text: str) -> str:
    return " ".join(text.replace("`", "'").replace("|", "/").split())


def _block(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
