"""What a job has to pass in QUEUED: each gate is a module, and a row of :data:`~.table.GATES`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_klingvideo.kling import AsyncKlingClient
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import Reservations
from airflow_provider_klingvideo.workflow.gates.slots.slots import Slots
from airflow_provider_klingvideo.workflow.job.blocking import RunBlocking
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.journal import Journal
from airflow_provider_klingvideo.workflow.job.waits import StateWait


@dataclass(frozen=True)
class GateMeans:
    """What gates work with.

    :param client: Kling's API, open.
    :param slots: gives the slots of the connection.
    :param reservations: what jobs have to do with their budgets.
    :param run_blocking: how work that blocks is run.
    :param journal: is told what is asked and answered.
    :param fingerprint_of: hashes what a job asks for, its inputs read.
    :param take: the number of the take that is wanted.
    """

    client: AsyncKlingClient
    slots: Slots
    reservations: Reservations
    run_blocking: RunBlocking
    journal: Journal
    fingerprint_of: Callable[[WorkflowJob], Awaitable[str]]
    take: int


class Gate(Protocol):
    """One condition under which a job may order."""

    async def wait_for(self, job: WorkflowJob, *, looks: bool) -> StateWait | None:
        """Return what the job has to wait for, None when it may pass.

        :param looks: whether to ask Kling; otherwise what is known here has to do, since somebody looks for all.
        :raises KlingVideoError: it never will.
        """

    async def release(self, job: WorkflowJob) -> None:
        """Give back what the job holds here and will not use now."""
