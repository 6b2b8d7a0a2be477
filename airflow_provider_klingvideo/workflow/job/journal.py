"""The journal: the one place through which everything passes that happens to a job.

What wants to know hangs on it as a listener: the log, and whatever a user names in ``[klingvideo] listeners``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, utc_now

log = logging.getLogger(__name__)


class Event(StrEnum):
    """What can happen to a job."""

    CREATED = "created"
    """Its record was made."""
    TRANSITION = "transition"
    """It went from one state to another: ``from``, ``to``, and what is remembered of the step."""
    REOPENED = "reopened"
    """It had ended, or goes on from an earlier state: ``from``, ``to``, ``revision``."""
    CLOSED = "closed"
    """It was ended because nobody works on it any more: ``cause``."""
    ADOPTED = "adopted"
    """A comparison with Kling's list took its paid result: ``task_id``."""
    ASKED = "asked"
    """A person has to approve it: ``price``, ``take``, ``until``."""
    ANSWERED = "answered"
    """That was answered: ``approved``, ``by`` (empty where nobody did and the rule decided), ``price``, ``take``."""
    CALL_INTENDED = "call_intended"
    """A call that costs is about to be sent: ``what``, ``external_task_id``, ``price``."""
    CALL_ANSWERED = "call_answered"
    """Kling took it: ``what``, ``task_id``, ``adopted`` (whether it was found instead of ordered)."""
    CALL_REFUSED = "call_refused"
    """Nothing came of it: ``what``, ``reason``."""
    BILLED = "billed"
    """Kling told how a task ended: ``task_id``, ``verdict``, ``billed``."""


@dataclass(frozen=True)
class JournalEntry:
    """One thing that happened.

    :param event: what.
    :param job: the job as it is then; listeners only read it.
    :param data: what belongs to the event, see :class:`Event`; plain values.
    :param at: when, aware, in UTC.
    """

    event: Event
    job: WorkflowJob
    data: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=utc_now)


Listener = Callable[[JournalEntry], Any]
"""Is told every entry, in the process and on the thread in which it happens; it should return at once."""


class Journal:
    """Tells its listeners what happens to jobs. A listener's fault is logged and harms no job.

    :param listeners: in the order in which they are told.
    """

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners = tuple(listeners)

    def write(self, event: Event, job: WorkflowJob, **data: Any) -> None:
        """Tell all listeners.

        :param event: what happened.
        :param job: to which job.
        :param data: see :class:`Event`.
        """
        entry = JournalEntry(event, job, data)
        for listener in self._listeners:
            try:
                listener(entry)
            except Exception:
                log.exception("Job %s: a listener failed at %s", job.id, event)


def facts_of(call: PaidCall) -> dict[str, Any]:
    """Return what entries tell of a call that costs."""
    return {
        "what": call.what,
        "external_task_id": call.external_task_id,
        "task_id": call.task_id,
        "take": call.take,
        "price": call.price,
        "bill": None if call.bill is None else call.bill.model_dump(mode="json"),
    }


_WORDS: Mapping[Event, Callable[[JournalEntry], str]] = {
    Event.TRANSITION: lambda entry: f"{entry.data['from']} > {entry.data['to']}",
    Event.REOPENED: lambda entry: f"taken up again in {entry.data['to']}; it was {entry.data['from']}",
    Event.CLOSED: lambda entry: f"closed: {entry.data['cause']}",
    Event.ANSWERED: lambda entry: (
        f"{'approved' if entry.data['approved'] else 'rejected'} by {entry.data['by'] or 'the rule: nobody answered'}"
    ),
    Event.CALL_ANSWERED: lambda entry: (
        f"{'found' if entry.data.get('adopted') else 'accepted'}: {entry.data['what']} {entry.data['task_id'] or ''}"
    ),
}


def write_log(entry: JournalEntry) -> None:
    """Write an entry into the log of the process, where a person reads it."""
    words = _WORDS.get(entry.event)
    if words is not None:
        log.info("Job %s: %s", entry.job.id, words(entry).strip())
