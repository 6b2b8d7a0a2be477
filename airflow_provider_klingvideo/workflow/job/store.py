"""Job records as files: ``{base}/{job id}/job.json``, beside the video, so that they outlive every database.

Beside the record lies a note of each call that cost (``calls/``), one file for each try, written by that try alone. So
nothing that a worker knows about money can be lost when two of them write the record at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Self
from uuid import uuid4

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.exclusive import claim
from airflow_provider_klingvideo.storage.listing import entries
from airflow_provider_klingvideo.storage.names import inside, is_safe_segment
from airflow_provider_klingvideo.storage.protocols import StorePath, remove
from airflow_provider_klingvideo.storage.text import storable_json
from airflow_provider_klingvideo.storage.writing import read_whole, write_whole
from airflow_provider_klingvideo.workflow.job.errors import CallInProgressError
from airflow_provider_klingvideo.workflow.job.failure import proven_failure
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, merged_calls, utc_now
from airflow_provider_klingvideo.workflow.job.sections import Approval
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

RECORD_NAME = "job.json"
CANCEL_NAME = "cancel.json"
CALLS = "calls"
NOTE = ".json"
LOSSES = frozenset({WorkflowState.FAILED, WorkflowState.CANCELLED})


Save = Callable[[WorkflowJob], Awaitable[None]]
"""Keeps a job record durably."""


class UnreadableRecordError(KlingVideoError):
    """A record exists but cannot be read: not the same as none, since a paid task may be named in it."""

    kind = "record"
    default_money = Money.MAYBE
    default_advice = "Restore or remove the file; nothing is submitted until it can be read"


class RecordOvertakenError(KlingVideoError):
    """Another worker knows more about the job than this one; what this one wanted to write is dropped."""

    kind = "record"
    default_money = Money.MAYBE
    default_retryable = True
    default_advice = "Nothing is lost: the record is the other worker's, and the next try goes on from there"


class JobStore:
    """The records below one folder.

    :param base: the folder; made when the first record is kept.
    """

    def __init__(self, base: StorePath) -> None:
        self.base = base

    def at(self, base: StorePath) -> Self:
        """Return the store of another folder."""
        return type(self)(base)

    def folder(self, job_id: str) -> StorePath:
        """Return the folder of a job, where its record and its files lie.

        :raises UnsafeNameError: the id would lead out of the store.
        """
        return inside(self.base, job_id)

    def load(self, job_id: str) -> WorkflowJob | None:
        """Read a record, with what the notes know besides.

        :returns: the job, None when there is no record.
        :raises UnreadableRecordError: when there is one that cannot be read, or that belongs to another job.
        :raises NewerRecordError: a newer version of this provider has written it.
        """
        path = self.folder(job_id) / RECORD_NAME
        try:
            job = _parsed(read_whole(path))
        except (FileNotFoundError, IsADirectoryError):
            # The folder of a job that is called as records are is no record of its parent.
            return None
        except ValueError as error:
            raise UnreadableRecordError(f"The job record {path} cannot be read: {error}") from error
        if job.id != job_id:
            raise UnreadableRecordError(f"The record {path} belongs to job {job.id}, not to the folder it lies in")
        _learn(job, self.calls_of(job_id, known=job.calls))
        return job

    def save(self, job: WorkflowJob) -> None:
        """Keep a record, whole or not at all; what others have learned about its calls is taken over.

        :raises RecordOvertakenError: when the stored one has gone further, or this one would end as a loss what another
            worker has ordered: Airflow may start a second try of a task whose first one has only lost touch.
        """
        known = job.sends
        stored = self.load(job.id)
        if stored is not None:
            _learn(job, stored.calls)
            job.hear_of_sends(job.sends - known)
            _hear_answers(job, stored)
            self._require_newest(stored, job)
        self.write(job.id, RECORD_NAME, job.as_json())

    def _require_newest(self, stored: WorkflowJob, job: WorkflowJob) -> None:
        is_lost_order = job.state in LOSSES and job.is_ordered_by_others
        if not is_lost_order and not _is_further(stored, job):
            return
        if stored.calls != job.calls:
            stored.calls = job.calls
            self.write(stored.id, RECORD_NAME, stored.as_json())
        raise RecordOvertakenError(
            f"Another worker has ordered for job {job.id}, so that it does not end as {job.state}"
            if is_lost_order
            else f"Job {job.id} is {stored.state} (revision {stored.revision}) on record, "
            f"so that {job.state} (revision {job.revision}) is not written"
        )

    async def asave(self, job: WorkflowJob) -> None:
        """Keep a record without blocking the event loop."""
        await asyncio.to_thread(self.save, job)

    def note(self, job_id: str, call: PaidCall, token: str, *, first: bool = False) -> None:
        """Keep what one try knows about a call, in a file that nobody else writes.

        :param token: of the try, see :meth:`PaidCall.begin`.
        :param first: whether the call is about to be sent.
        :raises CallInProgressError: another worker is about to send it under the same token, or may be.
        """
        folder = self.folder(job_id) / CALLS
        path = inside(folder, f"{token}{NOTE}")
        value = call.model_copy(update={"sends": {token: call.sends[token]}}).model_dump(mode="json")
        content = json.dumps(storable_json({**value, "worker": uuid4().hex})).encode()
        if first and not call.can_be_asked_about:
            _claim(folder, path.name, content, f"the call {call.what} of {job_id}")
        else:
            write_whole(path, content)

    def forget(self, job_id: str, token: str) -> None:
        """Remove the note of a try, when the record says what came of it."""
        remove(inside(self.folder(job_id) / CALLS, f"{token}{NOTE}"))

    def calls_of(self, job_id: str, *, known: list[PaidCall] | None = None) -> list[PaidCall]:
        """Read the notes about a job's calls, those of several tries of one call as one.

        :param known: what is known already: a note that can tell nothing more is not read.
        :raises UnreadableRecordError: a note cannot be read.
        """
        settled = {
            token
            for call in known or ()
            for token, state in call.sends.items()
            if state == "refused" or (call.was_taken and call.accepted_at)
        }
        return merged_calls([], self._notes(job_id, settled))

    def _notes(self, job_id: str, settled: set[str]) -> Iterator[PaidCall]:
        folder = self.folder(job_id) / CALLS
        for entry in entries(folder):
            token = entry.name.removesuffix(NOTE)
            if token in settled or token == entry.name or not is_safe_segment(entry.name):
                continue
            try:
                yield PaidCall.model_validate_json(read_whole(folder / entry.name))
            except ValueError as error:
                raise UnreadableRecordError(f"The note {folder / entry.name} cannot be read: {error}") from error

    def archive(self, job: WorkflowJob) -> None:
        """Keep an ended record under the number of its revision, before the job is taken up again."""
        self.write(job.id, f"job.r{job.revision}.json", job.as_json())

    def request_cancel(self, job_id: str, reason: str, *, revision: int = 1) -> None:
        """Ask that a job be cancelled; it is heeded as long as the job has not left QUEUED.

        :param reason: who asked and why; it becomes the record's ``error``.
        :param revision: the revision of the job that is meant, so that a job which is taken up again is not hit.
        """
        request = {"reason": reason, "revision": revision, "requested_at": utc_now().isoformat()}
        self.write(job_id, CANCEL_NAME, request)

    def cancel_reason(self, job_id: str, revision: int) -> str | None:
        """Return the reason for which a revision of a job is to be cancelled, None when nobody asked for it."""
        request = self.read(job_id, CANCEL_NAME)
        return str(request.get("reason", "")) if request and request.get("revision") == revision else None

    def read(self, job_id: str, name: str) -> dict[str, Any] | None:
        """Read a file of a job, None when there is none.

        :raises UnreadableRecordError: when there is one that cannot be read, or is no JSON object.
        """
        path = inside(self.folder(job_id), name)
        try:
            value = json.loads(read_whole(path))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise UnreadableRecordError(f"The record {path} cannot be read: {error}") from error
        if not isinstance(value, dict):
            raise UnreadableRecordError(f"The record {path} holds {type(value).__name__} instead of an object")
        return value

    def write(self, job_id: str, name: str, value: dict[str, Any]) -> None:
        """Keep a file of a job, whole or not at all."""
        content = json.dumps(storable_json(value), ensure_ascii=False, indent=2).encode()
        write_whole(inside(self.folder(job_id), name), content)


def _claim(folder: StorePath, name: str, content: bytes, what: str) -> None:
    try:
        is_ours = claim(folder, name, content)
    except (OSError, StorageError) as error:
        # Nothing may be written under this token now: another worker may send under it.
        raise CallInProgressError(
            f"It could not be found out whether another worker is making {what}, so that it was not sent ({error})"
        ) from error
    if not is_ours:
        raise CallInProgressError(f"Another worker is just making {what}")


def _parsed(content: bytes) -> WorkflowJob:
    return WorkflowJob.model_validate(storable_json(json.loads(content)))


def _learn(job: WorkflowJob, calls: list[PaidCall]) -> None:
    """Take over what others know about a job's calls, and follow a task that one of them has made of its order.

    What the record says about an error must not fall behind what the calls prove about money by now.
    """
    job.calls = merged_calls(job.calls, calls)
    job.error, job.failure = proven_failure(job)
    if job.klingai_job_id is None and job.external_task_id is not None:
        made = (call.task_id for call in job.submissions if call.external_task_id == job.external_task_id)
        job.klingai_job_id = next(made, None)


def _hear_answers(job: WorkflowJob, stored: WorkflowJob) -> None:
    """Lose no answer of a person that another worker has put on record meanwhile."""
    if stored.approval is None or not stored.approval.answers:
        return
    job.approval = job.approval or Approval()
    job.approval.learn(stored.approval.answers)


def _is_further(stored: WorkflowJob, job: WorkflowJob) -> bool:
    """Whether a stored record must not be replaced by another one: it is newer, or has ended otherwise."""
    if stored.revision != job.revision:
        return stored.revision > job.revision
    if stored.is_terminal:
        return stored.path != job.path
    if job.state in LOSSES:
        # What was lost was so in a state that the other worker has left.
        return stored.path != job.path[: len(stored.path)]
    return len(stored.history) > len(job.history)
