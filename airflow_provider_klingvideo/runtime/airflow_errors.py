"""The one place where errors of this project become Airflow's: to be tried again, skipped, or final."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_klingvideo._compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.job.errors import GenerationTimeoutError


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Turn an error of this project into Airflow's: to be tried again, or final."""
    try:
        yield
    except KlingVideoError as error:
        raise (AirflowException if error.retryable else AirflowFailException)(str(error)) from error


def end_of_job(job: WorkflowJob, error: KlingVideoError) -> AirflowException:
    """Return what ends the task of a job that an error has just ended."""
    if job.state is WorkflowState.CANCELLED:
        return AirflowSkipException(job.error)
    if isinstance(error, GenerationTimeoutError):
        return AirflowSensorTimeout(job.error)
    return AirflowFailException(job.error)
