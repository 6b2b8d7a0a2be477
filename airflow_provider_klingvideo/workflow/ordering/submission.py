"""The submission protocol: at most one paid task per job and generation number, whatever breaks on the way.

1. The external id is a function of job, request and generation number, never of the try.
2. The intent is on record before anything is sent; the vendor's id is on record right after.
3. After any doubt the vendor is asked by external id first. Found: adopted. The look-up fails: unknown, nothing is
   sent. Absent: sent again with the same id, which the vendor refuses for free should the first one have arrived
   after all (kling-api section 5.1).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import (
    AmbiguousSubmissionError,
    AsyncKlingClient,
    InvalidRequestError,
    NetworkError,
)
from airflow_provider_klingvideo.workflow.job.errors import ChangedRequestError, SubmissionUnknownError
from airflow_provider_klingvideo.workflow.job.job import Submission, WorkflowJob, utc_now

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import Generation, GenerationRequest, Task

log = logging.getLogger(__name__)

Save = Callable[[WorkflowJob], Awaitable[None]]
Prepare = Callable[[WorkflowJob, "Order"], Awaitable["GenerationRequest"]]
"""Completes a request by what the product needs before a create, just before it is sent."""

ON_CHANGED_REQUEST = ("order", "fail")

MAX_SENDS = 3
# What does not change the video does not change the task.
NOT_PART_OF_FINGERPRINT = {"callback_url"}


def fingerprint(request: GenerationRequest) -> str:
    """Hash what is asked for.

    Fields at their defaults do not count, so that a new optional field changes no hash; nor does the API generation, so
    that other credentials order no second video.
    """
    content = request.model_dump(mode="json", exclude_defaults=True, exclude=NOT_PART_OF_FINGERPRINT)
    canonical = json.dumps({"kind": request.kind, **content}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Order:
    """What a job wants from the vendor.

    :param request: what is sent, inputs included.
    :param identity: what it is recognised by; see :class:`~airflow_provider_klingvideo.workflow.inputs.reader.Inputs`.
    :param generation: the API generation to use.
    """

    request: GenerationRequest
    identity: GenerationRequest
    generation: Generation

    @property
    def fingerprint(self) -> str:
        """Hash of what is asked for."""
        return fingerprint(self.identity)


async def as_it_is(_job: WorkflowJob, order: Order) -> GenerationRequest:
    """Prepare nothing."""
    return order.request


class SubmissionProtocol:
    """Brings one job's request to the vendor exactly once.

    :param client: asks and creates.
    :param save: keeps the job record durably.
    :param prepare: see :data:`Prepare`; called only when a create request is really to be sent.
    """

    def __init__(self, client: AsyncKlingClient, save: Save, prepare: Prepare = as_it_is) -> None:
        self._client = client
        self._save = save
        self._prepare = prepare

    async def ensure_task(
        self,
        job: WorkflowJob,
        order: Order,
        *,
        generation_number: int = 1,
        regenerate_failed: bool = False,
        on_changed_request: str = "order",
    ) -> Submission:
        """Make sure that the vendor has the task of this job, and that the record names it.

        :param job: the job in GENERATING; its ``submissions``, ``external_task_id`` and ``klingai_job_id`` are kept up.
        :param order: what to generate.
        :param generation_number: a number higher than that of the last task orders, and pays, another one.
        :param regenerate_failed: order another task where the vendor has confirmed that the last one failed.
        :param on_changed_request: ``order`` another task, or ``fail``, when what may be paid was for another request.
        :returns: the submission, its ``task_id`` set.
        :raises InvalidRequestError: for another word than these two.
        :raises ChangedRequestError: as ``on_changed_request`` says; nothing was sent.
        :raises ConcurrencyLimitError: every slot is taken; nothing was created; call again later.
        :raises SubmissionUnknownError: it could not be found out whether a task exists; call again later.
        :raises KlingVideoError: the vendor refused; nothing was created.
        """
        if on_changed_request not in ON_CHANGED_REQUEST:
            legal = ", ".join(ON_CHANGED_REQUEST)
            raise InvalidRequestError(f"on_changed_request is {on_changed_request!r}, legal: {legal}")
        if on_changed_request == "fail":
            _require_same_request(job, order.fingerprint)
        submission, is_new = self._submission_for(job, order.fingerprint, generation_number, regenerate_failed)
        job.external_task_id, job.klingai_job_id = submission.external_task_id, submission.task_id
        if submission.task_id is None:
            in_doubt = not is_new and submission.outcome is None
            if submission.outcome == "refused":
                submission.intended_at = utc_now()
            submission.outcome = None
            await self._save(job)
            task = await self._look_up(submission, order.request) if in_doubt else None
            task = task or await self._send(job, submission, order, in_doubt=in_doubt)
            submission.task_id = job.klingai_job_id = task.id
            submission.accepted_at = _by_our_clock(task.created_at, submission.intended_at)
            await self._save(job)
        return submission

    def _submission_for(
        self, job: WorkflowJob, wanted: str, least_number: int, regenerate_failed: bool
    ) -> tuple[Submission, bool]:
        same = [one for one in job.submissions if one.fingerprint == wanted]
        last = max(same, key=lambda one: one.generation_number, default=None)
        number = max(least_number, last.generation_number if last else 1)
        if last and last.outcome == "failed" and regenerate_failed:
            number = max(number, last.generation_number + 1)
        if last and last.generation_number == number:
            return last, False
        submission = Submission(
            external_task_id=f"{job.id}-{wanted}-g{number}", fingerprint=wanted, generation_number=number
        )
        job.submissions.append(submission)
        return submission, True

    async def _send(self, job: WorkflowJob, submission: Submission, order: Order, *, in_doubt: bool) -> Task:
        """Send until the vendor has the task.

        :param in_doubt: whether a create with this id may have been sent before. Then no refusal proves that nothing
            exists: the vendor's list may lag behind, so that the doubt stays on record for the next try.
        """
        request = await self._prepared(job, submission, order, in_doubt=in_doubt)
        doubt: KlingVideoError | None = None
        for _ in range(MAX_SENDS):
            try:
                return await self._client.create(
                    request, external_task_id=submission.external_task_id, generation=order.generation
                )
            except AmbiguousSubmissionError as error:
                log.warning("Job %s: %s Looking the task up by its external id.", job.id, error)
                doubt, in_doubt = error, True
                task = await self._look_up(submission, request)
            except (InvalidRequestError, NetworkError) as error:
                # A refused duplicate has the same code as any other invalid parameter, and a connection that fails may
                # follow one that did not: only the vendor's list tells.
                task = await self._after_refusal(job, submission, request, error, in_doubt=in_doubt)
            except KlingVideoError:
                await self._refused(job, submission, in_doubt=in_doubt)
                raise
            if task is not None:
                return task
        raise SubmissionUnknownError(
            f"{MAX_SENDS} create requests for {submission.external_task_id} were not answered"
        ) from doubt

    async def _prepared(
        self, job: WorkflowJob, submission: Submission, order: Order, *, in_doubt: bool
    ) -> GenerationRequest:
        try:
            return await self._prepare(job, order)
        except KlingVideoError:
            await self._refused(job, submission, in_doubt=in_doubt)
            raise

    async def _after_refusal(
        self,
        job: WorkflowJob,
        submission: Submission,
        request: GenerationRequest,
        error: KlingVideoError,
        *,
        in_doubt: bool,
    ) -> Task:
        is_invalid = isinstance(error, InvalidRequestError)
        if in_doubt or is_invalid:
            task = await self._look_up(submission, request)
            if task is not None:
                return task
        if in_doubt and is_invalid:
            raise _unknown(
                f"The vendor refuses {submission.external_task_id}, as a duplicate or as illegal, and does not list it",
                error,
            ) from error
        await self._refused(job, submission, in_doubt=in_doubt)
        raise error

    async def _refused(self, job: WorkflowJob, submission: Submission, *, in_doubt: bool) -> None:
        if not in_doubt:
            submission.outcome = "refused"
            await self._save(job)

    async def _look_up(self, submission: Submission, request: GenerationRequest) -> Task | None:
        try:
            task = await self._client.find_by_external_id(submission.external_task_id, kind=request.kind)
        except KlingVideoError as error:
            raise _unknown(
                f"Whether the task {submission.external_task_id} exists could not be asked: {error.message}", error
            ) from error
        if task is not None:
            log.info("Task %s exists already at the vendor as %s; adopted.", submission.external_task_id, task.id)
        return task


def _unknown(message: str, error: KlingVideoError) -> SubmissionUnknownError:
    return SubmissionUnknownError(
        message,
        code=error.code,
        vendor_message=error.vendor_message,
        http_status=error.http_status,
        request_id=error.request_id,
        retry_after=error.retry_after,
    )


def _by_our_clock(moment: datetime | None, earliest: datetime) -> datetime:
    """Bring a time that the vendor told between the intent and now: its clock may differ, and deadlines are ours."""
    now = utc_now()
    return min(max(moment or now, earliest), now)


def _require_same_request(job: WorkflowJob, wanted: str) -> None:
    """Refuse to pay a second time for a job because somebody has edited its request."""
    if any(one.fingerprint == wanted for one in job.submissions):
        return
    paid = [one for one in job.submissions if one.outcome not in ("refused", "failed")]
    if paid:
        handles = ", ".join(one.task_id or one.external_task_id for one in paid)
        raise ChangedRequestError(f"The request of job {job.id} is not the one that {handles} was ordered with")
