"""Ending a job that nobody works on any more, by the exit that the table allows from the state it is really in."""

from __future__ import annotations

from airflow_provider_klingvideo.workflow.job.engine import WorkflowEngine
from airflow_provider_klingvideo.workflow.job.failure import abandoned
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.journal import Event
from airflow_provider_klingvideo.workflow.job.states import WorkflowState


def close(engine: WorkflowEngine, job: WorkflowJob, cause: str) -> None:
    """End a job: with the error that its last task left on record, else as abandoned.

    :param cause: what ended it, when the record does not say.
    """
    if job.is_terminal:
        return
    engine.journal.write(Event.CLOSED, job, cause=cause)
    target = engine.table_of(job).error_exit(job.state)
    if job.error is None or target is None:
        engine.fail(job, abandoned(job, cause))
    else:
        engine.transition(job, target, error=job.error, failure=job.failure)


def cancel(engine: WorkflowEngine, job: WorkflowJob, cause: str) -> None:
    """End a job whose place in the queue somebody gave up; one that had not entered the queue yet passes through it."""
    if engine.table_of(job).allows(job.state, WorkflowState.QUEUED):
        engine.transition(job, WorkflowState.QUEUED)
    close(engine, job, cause)
