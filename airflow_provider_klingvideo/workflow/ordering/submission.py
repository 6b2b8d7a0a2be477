"""Ordering: at most one paid task per job, request and take, whatever breaks on the way; see :mod:`paid_once`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling import AsyncKlingClient, InvalidRequestError
from airflow_provider_klingvideo.workflow.job.errors import ChangedRequestError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, utc_now
from airflow_provider_klingvideo.workflow.ordering.external_id import ExternalId
from airflow_provider_klingvideo.workflow.ordering.paid_once import Means, PaidOnce

if TYPE_CHECKING:
    from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling import ApiFamily, GenerationRequest, Task

Prepare = Callable[["WantedVideo"], Awaitable["GenerationRequest"]]
"""Completes a request by what the product needs before a create, just before it is sent."""

ON_CHANGED_REQUEST = ("order", "fail")
# What does not change the video does not change the task.
NOT_PART_OF_FINGERPRINT = {"callback_url"}


def fingerprint(request: GenerationRequest) -> str:
    """Hash what is asked for.

    Fields at their defaults do not count, so that a new optional field changes no hash; nor does the API family, so
    that other credentials order no second video.
    """
    content = request.model_dump(mode="json", exclude_defaults=True, exclude=NOT_PART_OF_FINGERPRINT)
    canonical = json.dumps({"kind": request.kind, **content}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class WantedVideo:
    """What a job wants from Kling.

    :param request: what is sent, inputs included.
    :param identity: what it is recognised by; see :class:`~airflow_provider_klingvideo.workflow.inputs.reader.Inputs`.
    :param family: the API family to use.
    """

    request: GenerationRequest
    identity: GenerationRequest
    family: ApiFamily

    @property
    def fingerprint(self) -> str:
        """Hash of what is asked for."""
        return fingerprint(self.identity)


@dataclass(frozen=True)
class TakeRules:
    """When another paid task may be ordered for a job.

    :param take: the number of this take; one higher than that of the last task orders, and pays, another one.
    :param regenerate_failed: order another task where Kling has confirmed that the last one failed.
    :param on_changed_request: ``order`` another task, or ``fail``, when what may be paid was for another request.
    """

    take: int = 1
    regenerate_failed: bool = False
    on_changed_request: str = "order"

    def require_legal(self) -> None:
        """Refuse words that mean nothing.

        :raises InvalidRequestError: naming the legal ones.
        """
        if self.on_changed_request not in ON_CHANGED_REQUEST:
            wrong = f"{quoted(self.on_changed_request)} is not known"
            raise InvalidRequestError(
                Fault("on_changed_request", wrong, ", ".join(ON_CHANGED_REQUEST)), advice="Correct the argument"
            )


def call_for(job: WorkflowJob, wanted: WantedVideo, rules: TakeRules) -> PaidCall:
    """Return the create that a job's request stands for: one on record, or a new one, which is added to the record.

    :raises ChangedRequestError: as ``on_changed_request`` says.
    """
    rules.require_legal()
    if rules.on_changed_request == "fail":
        _require_same_request(job, wanted.fingerprint)
    same = [call for call in job.submissions if call.fingerprint == wanted.fingerprint]
    last = max(same, key=lambda call: call.take, default=None)
    take = max(rules.take, last.take if last else 1)
    if last and last.verdict == "failed" and rules.regenerate_failed:
        take = max(take, last.take + 1)
    if last and last.take == take:
        return last
    external_id = str(ExternalId(job.id, wanted.fingerprint, take))
    call = PaidCall(fingerprint=wanted.fingerprint, take=take, external_task_id=external_id)
    job.calls.append(call)
    return call


async def ensure_task(
    client: AsyncKlingClient, job: WorkflowJob, call: PaidCall, wanted: WantedVideo, prepare: Prepare, once: PaidOnce
) -> None:
    """Make sure that Kling has the task of a call, and that the record names it.

    :param job: the job in GENERATING; its ``external_task_id`` and ``klingai_job_id`` are kept up.
    :param call: see :func:`call_for`.
    :param prepare: see :data:`Prepare`; called only when a create request is really to be sent.
    :raises ConcurrencyLimitError: every slot is taken; nothing was created; call again later.
    :raises SubmissionUnknownError: it could not be found out whether a task exists; call again later.
    :raises KlingVideoError: Kling refused; nothing was created.
    """
    external_id, request = str(call.external_task_id), wanted.request
    job.external_task_id, job.klingai_job_id = external_id, call.task_id

    async def prepared() -> None:
        nonlocal request
        request = await prepare(wanted)

    async def send() -> Task:
        return await client.create(request, external_task_id=external_id, family=wanted.family)

    async def look_up() -> Task | None:
        return await client.find_by_external_id(external_id, kind=request.kind)

    def take(call: PaidCall, task: Task) -> None:
        call.task_id = job.klingai_job_id = task.id
        call.accepted_at = _by_our_clock(task.created_at, call.intended_at)

    await once.make(call, Means(send, take, look_up, prepared))
    job.klingai_job_id = call.task_id


def _by_our_clock(moment: datetime | None, earliest: datetime) -> datetime:
    """Bring a time that Kling told between the intent and now: its clock may differ, and deadlines are ours."""
    now = utc_now()
    return min(max(moment or now, earliest), now)


def _require_same_request(job: WorkflowJob, wanted: str) -> None:
    """Refuse to pay a second time for a job because somebody has edited its request."""
    if any(call.fingerprint == wanted for call in job.submissions):
        return
    paid = [call for call in job.submissions if not call.is_refused and call.verdict != "failed"]
    if paid:
        handles = ", ".join(str(call.task_id or call.external_task_id) for call in paid)
        raise ChangedRequestError(f"The request of job {job.id} is not the one that {handles} was ordered with")
