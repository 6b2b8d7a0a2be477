"""Job records as files: ``{base}/{job id}/job.json``, beside the video, so that they outlive every database."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from pydantic import ValidationError

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.writing import read_whole, write_whole
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob, utc_now

RECORD_NAME = "job.json"
CANCEL_NAME = "cancel.json"


class UnreadableRecordError(KlingVideoError):
    """A record exists but cannot be read: not the same as none, since a paid task may be named in it."""

    kind = "record"
    default_advice = "Restore or remove the file; nothing is submitted until it can be read"


class RecordOvertakenError(KlingVideoError):
    """Another worker has brought the job further than this one knows; what this one wanted to write is dropped."""

    kind = "record"
    default_retryable = True
    default_advice = "Nothing is lost: the record is the other worker's, and the next try goes on from there"


class JobStore:
    """The records below one folder.

    :param base: the folder; made when the first record is kept.
    """

    def __init__(self, base: StorePath) -> None:
        self.base = base

    def folder(self, job_id: str) -> StorePath:
        """Return the folder of a job, where its record and its files lie."""
        return self.base / job_id

    def load(self, job_id: str) -> WorkflowJob | None:
        """Read a record.

        :returns: the job, None when there is no record.
        :raises UnreadableRecordError: when there is one that cannot be read.
        """
        path = self.folder(job_id) / RECORD_NAME
        try:
            return WorkflowJob.model_validate_json(read_whole(path))
        except FileNotFoundError:
            return None
        except (ValidationError, UnicodeDecodeError) as error:
            raise UnreadableRecordError(f"The job record {path} cannot be read: {error}") from error

    def save(self, job: WorkflowJob) -> None:
        """Keep a record, whole or not at all.

        :raises RecordOvertakenError: when the stored one has gone further: Airflow may start a second try of a task
            whose first one has only lost touch, and the slower one must not turn an ended job back.
        """
        stored = self.load(job.id)
        if stored is not None and _is_further(stored, job):
            raise RecordOvertakenError(
                f"Job {job.id} is {stored.state} (revision {stored.revision}) on record, "
                f"so that {job.state} (revision {job.revision}) is not written"
            )
        self.write(job.id, RECORD_NAME, job.as_json())

    async def asave(self, job: WorkflowJob) -> None:
        """Keep a record without blocking the event loop."""
        await asyncio.to_thread(self.save, job)

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
        return str(request["reason"]) if request and request["revision"] == revision else None

    def read(self, job_id: str, name: str) -> dict[str, Any] | None:
        """Read a file of a job, None when there is none.

        :raises UnreadableRecordError: when there is one that cannot be read.
        """
        path = self.folder(job_id) / name
        try:
            return dict(json.loads(read_whole(path)))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise UnreadableRecordError(f"The record {path} cannot be read: {error}") from error

    def write(self, job_id: str, name: str, value: dict[str, Any]) -> None:
        """Keep a file of a job, whole or not at all."""
        write_whole(self.folder(job_id) / name, json.dumps(value, ensure_ascii=False, indent=2).encode())


def _is_further(stored: WorkflowJob, job: WorkflowJob) -> bool:
    """Whether a stored record must not be replaced by another one: it is newer, or has ended otherwise."""
    if stored.revision != job.revision:
        return stored.revision > job.revision
    if stored.is_terminal:
        return stored.path != job.path
    return len(stored.history) > len(job.history)
