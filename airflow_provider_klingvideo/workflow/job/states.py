"""The states of a video job."""

from __future__ import annotations

from enum import StrEnum


class WorkflowState(StrEnum):
    """What has honestly happened to a job, and what money can have been spent."""

    CREATED = "CREATED"
    """A record exists. No money."""
    VALIDATED = "VALIDATED"
    """The request is legal and priced. No money."""
    QUEUED = "QUEUED"
    """In our own queue, the last state that costs nothing and the only one that can be cancelled."""
    GENERATING = "GENERATING"
    """Entered just before the create request is sent: from here on a paid task may exist."""
    POST_PROCESSING = "POST_PROCESSING"
    """Kling succeeded and has billed; the video is loaded, verified, stored and cut."""
    COMPLETED = "COMPLETED"
    """Stored and verified."""
    FAILED = "FAILED"
    """Ended with a reason; the record says whether money was spent."""
    CANCELLED = "CANCELLED"
    """Stopped in QUEUED: nothing was submitted."""


TERMINAL_STATES = frozenset({WorkflowState.COMPLETED, WorkflowState.FAILED, WorkflowState.CANCELLED})
