"""States, transition table, job record and engine; knows no Airflow.

The names are loaded when they are first used, so that DAG files which import the provider stay quick to parse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klingvideo._lazy import lazily

if TYPE_CHECKING:
    from airflow_provider_klingvideo.workflow.engine import Handler, HandlerError, WorkflowEngine
    from airflow_provider_klingvideo.workflow.handlers import VideoHandlers
    from airflow_provider_klingvideo.workflow.job import HistoryEntry, Submission, WorkflowJob
    from airflow_provider_klingvideo.workflow.reopen import reopened
    from airflow_provider_klingvideo.workflow.states import TERMINAL_STATES, WorkflowState
    from airflow_provider_klingvideo.workflow.steps import StepSettings, VideoSteps
    from airflow_provider_klingvideo.workflow.store import JobStore
    from airflow_provider_klingvideo.workflow.transitions import (
        TRANSITIONS,
        InvalidTransitionError,
        TransitionTable,
        UnsoundTableError,
    )
    from airflow_provider_klingvideo.workflow.watch import GenerationWatch, PollPolicy

_HOMES = {
    "engine": ("Handler", "HandlerError", "WorkflowEngine"),
    "handlers": ("VideoHandlers",),
    "job": ("HistoryEntry", "Submission", "WorkflowJob"),
    "reopen": ("reopened",),
    "states": ("TERMINAL_STATES", "WorkflowState"),
    "steps": ("StepSettings", "VideoSteps"),
    "store": ("JobStore",),
    "transitions": ("TRANSITIONS", "InvalidTransitionError", "TransitionTable", "UnsoundTableError"),
    "watch": ("GenerationWatch", "PollPolicy"),
}
__all__ = [
    "TERMINAL_STATES",
    "TRANSITIONS",
    "GenerationWatch",
    "Handler",
    "HandlerError",
    "HistoryEntry",
    "InvalidTransitionError",
    "JobStore",
    "PollPolicy",
    "StepSettings",
    "Submission",
    "TransitionTable",
    "UnsoundTableError",
    "VideoHandlers",
    "VideoSteps",
    "WorkflowEngine",
    "WorkflowJob",
    "WorkflowState",
    "reopened",
]


__getattr__ = lazily(__name__, _HOMES)
