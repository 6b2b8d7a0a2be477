"""Making a job record, or finding the one that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_klingvideo._json import read_json
from airflow_provider_klingvideo._text import without_controls
from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling import GenerationRequest, InvalidRequestError, parse_request, with_texts_read
from airflow_provider_klingvideo.kling.client.fields import as_meant
from airflow_provider_klingvideo.kling.client.unmeant import no_prompt
from airflow_provider_klingvideo.storage.text import storable_json
from airflow_provider_klingvideo.validation import fault_of_json, is_json_text
from airflow_provider_klingvideo.workflow.inputs.reader import without_inline_media
from airflow_provider_klingvideo.workflow.inputs.references import reduced, resolved
from airflow_provider_klingvideo.workflow.job.engine import WorkflowEngine
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.journal import Event
from airflow_provider_klingvideo.workflow.job.sections import Origin
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.transitions import TRANSITIONS

RESUMABLE_ENDS = frozenset({WorkflowState.FAILED, WorkflowState.CANCELLED})


def given_fields(request: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return a request without what counts as not given: forms and files leave fields empty.

    :param request: its fields, or the JSON text of an object, as a template gives it.
    :raises InvalidRequestError: it is neither.
    """
    given = read_json(request) if isinstance(request, str) and _is_object(request) else request
    if not isinstance(given, Mapping):
        wrong = fault_of_json(given) or "it is not an object"
        fault = Fault("the request", f"{quoted(given)} cannot be read: {wrong}", "an object with the request's fields")
        raise InvalidRequestError(fault)
    return {key: value for key, value in given.items() if value is not None and value != ""}


def _is_object(text: str) -> bool:
    return is_json_text(text) and fault_of_json(text) is None


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
    prompt, params = asked_for(request)
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


def request_of(prompt: str, params: Mapping[str, Any]) -> tuple[GenerationRequest, str | None]:
    """Read the typed request of a record, its references to other jobs resolved.

    :param prompt: as :func:`asked_for` returns it, as are
    :param params: the parameters.
    :returns: the request, and the API family that it asks for itself.
    :raises InvalidRequestError: naming every field at fault.
    :raises InputError: a job that it refers to has no such result.
    """
    if reason := no_prompt(prompt):
        # Such as a template of a task that returned nothing.
        raise InvalidRequestError(Fault("prompt", f"{quoted(prompt)} {reason}", "the words of the video"))
    fields = resolved({key: value for key, value in params.items() if key != "api"})
    return parse_request({**fields, "prompt": prompt} if prompt else fields), params.get("api")


def is_same_request(job: WorkflowJob, request: Mapping[str, Any]) -> bool:
    """Whether a job is about this very request; blanks around its text and spellings of its names do not count."""
    return _meant(job.prompt, job.params) == _meant(*asked_for(request))


def _meant(prompt: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return as_meant({"prompt": prompt, **params})


def asked_for(request: Mapping[str, Any] | str) -> tuple[str, dict[str, Any]]:
    """Return the prompt and the parameters that a request's record keeps.

    :raises InvalidRequestError: it is no request.
    """
    given = with_texts_read(given_fields(request))
    # A prompt of another type stays among the parameters, where it is refused: its text means nothing.
    is_text = isinstance(given.get("prompt"), str | int | float) and not isinstance(given["prompt"], bool)
    # A NUL would become the picture of one in the record.
    prompt = without_controls(str(given.pop("prompt"))) if is_text else ""
    # As the record keeps it, so that a request with text that no store takes is the same one on every try.
    asked: tuple[str, dict[str, Any]] = storable_json(prompt), storable_json(without_inline_media(reduced(given)))
    return asked
