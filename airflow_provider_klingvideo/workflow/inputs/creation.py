"""Making a job record, or finding the one that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_klingvideo.kling.client.fields import as_meant
from airflow_provider_klingvideo.storage.text import storable_json
from airflow_provider_klingvideo.workflow.inputs.reader import without_inline_media
from airflow_provider_klingvideo.workflow.inputs.references import reduced
from airflow_provider_klingvideo.workflow.job.engine import WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.journal import Event
from airflow_provider_klingvideo.workflow.job.sections import Origin
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.transitions import TRANSITIONS

RESUMABLE_ENDS = frozenset({WorkflowState.FAILED, WorkflowState.CANCELLED})


def given_fields(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request without what counts as not given: forms and files leave fields empty."""
    return {key: value for key, value in request.items() if value is not None and value != ""}


def created_job(engine: WorkflowEngine, job_id: str, request: Mapping[str, Any], *, origin: Origin) -> WorkflowJob:
    """Return the job of a request, its record kept.

    :param engine: with a store, where records lie.
    :param job_id: the job's deterministic id.
    :param request: ``prompt`` and the parameters; values that are None or empty count as not given.
    :param origin: where the job comes from.
    :returns: the record that exists when it is about the same request and has not failed; else a new revision of it,
        which knows of all that was ordered before; else a new record.
    """
    store = engine.store
    assert store is not None  # noqa: S101 - said above
    prompt, params = _asked_for(request)
    existing = store.load(job_id)
    is_same = existing is not None and is_same_request(existing, request)
    if existing is not None and is_same and existing.state not in RESUMABLE_ENDS:
        return existing
    if existing is None:
        job = WorkflowJob(id=job_id, prompt=prompt, params=params, origin=origin)
        engine.journal.write(Event.CREATED, job)
    else:
        job = engine.reopen(existing, WorkflowState.CREATED)
        if not is_same:
            # Otherwise the text on record stays, blanks included: by it a video that was paid is found.
            job.prompt, job.params = prompt, params
    if engine.transitions is not TRANSITIONS:
        # Whoever closes the job, a trigger or a comparison, goes by the table that its tasks go by.
        job.transitions = engine.transitions.as_json()
    store.save(job)
    return job


def with_another_take(engine: WorkflowEngine, job: WorkflowJob, take: int) -> WorkflowJob:
    """Take a job up again in the queue where a person asks for another take of its video.

    :param take: the number of the take that is asked for.
    :returns: the job itself where nothing was ordered yet, or where it is the take that was ordered last.
    """
    last = max((call.take for call in job.submissions), default=take)
    has_left_queue = WorkflowState.QUEUED in job.path[:-1] and job.state not in RESUMABLE_ENDS
    return engine.reopen(job, WorkflowState.QUEUED) if take > last and has_left_queue else job


def is_same_request(job: WorkflowJob, request: Mapping[str, Any]) -> bool:
    """Whether a job is about this very request; blanks around its text and spellings of its names do not count."""
    return _meant(job.prompt, job.params) == _meant(*_asked_for(request))


def _meant(prompt: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return as_meant({"prompt": prompt, **params})


def _asked_for(request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    given = given_fields(request)
    prompt = str(given.pop("prompt", ""))
    # As the record keeps it, so that a request with text that no store takes is the same one on every try.
    asked: tuple[str, dict[str, Any]] = storable_json(prompt), storable_json(without_inline_media(reduced(given)))
    return asked
