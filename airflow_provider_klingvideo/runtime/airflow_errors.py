"""The one place where errors of this project become Airflow's: to be tried again, skipped, or final."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from airflow_provider_klingvideo._compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState
from airflow_provider_klingvideo.workflow.job.errors import GenerationTimeoutError
from airflow_provider_klingvideo.workflow.story import told_of

log = logging.getLogger(__name__)

E = TypeVar("E", bound=BaseException)


def told_first(error: E) -> E:
    """Write the reason into the task's log, and return the error to be raised.

    Airflow logs a traceback before the words of an error: a person would have to look for them.
    """
    log.error("%s", error)
    return error


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Turn an error of this project into Airflow's: to be tried again, or final."""
    try:
        yield
    except KlingVideoError as error:
        raise told_first((AirflowException if error.retryable else AirflowFailException)(str(error))) from error


def end_of_job(job: WorkflowJob, error: KlingVideoError) -> AirflowException:
    """Return what ends the task of a job that an error has just ended."""
    if job.state is WorkflowState.CANCELLED:
        log.info("%s", told_of(job))
        return AirflowSkipException(job.error)
    if isinstance(error, GenerationTimeoutError):
        return told_first(AirflowSensorTimeout(job.error))
    return told_first(AirflowFailException(job.error))
