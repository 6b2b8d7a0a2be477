"""The state machine: enforces the table, records every step, runs one handler per state."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from airflow_provider_klingvideo.storage.text import storable_json
from airflow_provider_klingvideo.workflow.job.failure import failure_data
from airflow_provider_klingvideo.workflow.job.job import ENGINE_FIELDS, HistoryEntry, WorkflowJob
from airflow_provider_klingvideo.workflow.job.journal import Event, Journal
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.reopen import reopened
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.store import JobStore, RecordOvertakenError
from airflow_provider_klingvideo.workflow.job.transitions import (
    TRANSITIONS,
    InvalidTransitionError,
    TransitionTable,
)

log = logging.getLogger(__name__)

Handler = Callable[["WorkflowEngine", WorkflowJob], Awaitable[Any]]
TransitionListener = Callable[[WorkflowJob, WorkflowState, WorkflowState], Any]


class HandlerError(RuntimeError):
    """A state has no handler, or its handler left the job where it was."""


class WorkflowEngine:
    """Moves jobs through the states of a transition table.

    :param transitions: the table to enforce; a plain mapping is checked for soundness.
    :param store: where records are kept; None keeps them in memory only.
    :param on_transition: called as ``on_transition(job, old, new)`` after each transition. Its errors are logged and
        change nothing for the job.
    :param journal: is told everything that happens to a job; default: one without listeners.
    """

    def __init__(
        self,
        transitions: Mapping[Any, Any] = TRANSITIONS,
        *,
        store: JobStore | None = None,
        on_transition: TransitionListener | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.transitions = transitions if isinstance(transitions, TransitionTable) else TransitionTable(transitions)
        self.store = store
        self.journal = journal or Journal()
        self._handlers: dict[WorkflowState, Handler] = {}
        if on_transition is not None:
            self.on_transition = on_transition  # type: ignore[method-assign,assignment]

    def register_handler(self, state: WorkflowState, handler: Handler) -> None:
        """Set the handler that works on a job while it is in ``state``.

        The handler of a state that is not terminal ends by a call of :meth:`transition`. The handler of a terminal
        state is told that the job has ended.

        :param state: the state.
        :param handler: ``async def handler(engine, job)``.
        """
        self._handlers[WorkflowState(state)] = handler

    def table_of(self, job: WorkflowJob) -> TransitionTable:
        """Return the table that a job goes by: its own, where it has one, whoever moves it."""
        return TransitionTable(job.transitions) if job.transitions else self.transitions

    def on_transition(self, job: WorkflowJob, old: WorkflowState, new: WorkflowState) -> None:
        """Do nothing; override it or give ``on_transition`` to the constructor."""

    def transition(self, job: WorkflowJob, new_state: WorkflowState, **data: Any) -> WorkflowJob:
        """Move a job, if the table allows it, and write the step into its history.

        :param job: the job, changed in place.
        :param new_state: where it goes.
        :param data: what is to be remembered of this step; what names a field of the job sets that field, too.
        :returns: the same job.
        :raises InvalidTransitionError: a ValueError that names both states and what would be legal.
        :raises ValueError: when ``data`` names a field that only the engine may change.
        """
        old, new = job.state, WorkflowState(new_state)
        table = self.table_of(job)
        if not table.allows(old, new):
            raise InvalidTransitionError(job.id, old, new, table.get(old, ()))
        if forbidden := ENGINE_FIELDS & data.keys():
            raise ValueError(f"The data of a transition cannot set {', '.join(sorted(forbidden))}.")
        for name in type(job).model_fields.keys() & data.keys():
            setattr(job, name, data[name])
        now = utc_now()
        entry = HistoryEntry(
            from_state=old, to_state=new, timestamp=now, data=storable_json(to_jsonable_python(data, fallback=str))
        )
        job.history.append(entry)
        job.state = new
        job.updated_at = now
        self._tell(job, old, new)
        return job

    def fail(self, job: WorkflowJob, error: BaseException) -> WorkflowJob:
        """Take a job to the exit that its row has for errors, with the reason recorded.

        :param job: a job that has not ended.
        :param error: the reason; of a :class:`KlingVideoError` all facts are kept.
        :raises BaseException: the error itself, when the row has no exit for errors.
        """
        job.error, job.failure = failure_data(job, error)
        target = self.table_of(job).error_exit(job.state)
        if target is None:
            raise error
        return self.transition(job, target, error=job.error, failure=job.failure)

    def reopen(self, job: WorkflowJob, state: WorkflowState) -> WorkflowJob:
        """Take a job up again in a state that it has been in; its present record is kept under its revision's number.

        :returns: the next revision, kept; see :func:`reopened`.
        :raises NotReachedError: when the job never was in that state.
        """
        revived = reopened(job, state)
        if self.store is not None:
            self.store.archive(job)
            self.store.save(revived)
        self.journal.write(
            Event.REOPENED, revived, **{"from": str(job.state), "to": str(state), "revision": revived.revision}
        )
        return revived

    async def process(self, job: WorkflowJob) -> WorkflowJob:
        """Run the handlers until the job has ended, keeping the record after every step.

        A handler that raises takes the job to the exit that its row has for errors. A job that was loaded from its
        record goes on from the state it is in.

        :param job: the job, changed in place.
        :returns: the same job, in a terminal state.
        :raises HandlerError: when a state on the way has no handler.
        :raises RecordOvertakenError: when another worker has brought the job further.
        """
        while not job.is_terminal:
            handler = self._handlers.get(job.state)
            if handler is None:
                raise HandlerError(f"No handler is registered for {job.state}; job {job.id} stays there.")
            before = len(job.history)
            try:
                await handler(self, job)
                if len(job.history) == before:
                    raise HandlerError(f"The handler of {job.state} returned without a transition.")
            except RecordOvertakenError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is the job's fate, and on record
                log.warning("Job %s: %s failed: %s", job.id, job.state, error)
                if not job.is_terminal:
                    self.fail(job, error)
            await self.save(job)
        await self._end(job)
        return job

    async def save(self, job: WorkflowJob) -> None:
        """Keep the record, if the engine has a store; returns when it is durable."""
        if self.store is not None:
            await self.store.asave(job)

    async def _end(self, job: WorkflowJob) -> None:
        handler = self._handlers.get(job.state)
        if handler is None:
            return
        try:
            await handler(self, job)
        except Exception:
            log.exception("Job %s is %s; its handler for that state failed", job.id, job.state)

    def _tell(self, job: WorkflowJob, old: WorkflowState, new: WorkflowState) -> None:
        step = {"from": str(old), "to": str(new), "data": job.history[-1].data}
        self.journal.write(Event.TRANSITION, job, **step)
        try:
            self.on_transition(job, old, new)
        except Exception:
            log.exception("Job %s: the listener of %s > %s failed", job.id, old, new)
