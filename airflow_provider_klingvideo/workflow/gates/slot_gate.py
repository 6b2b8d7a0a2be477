"""The gate that lets as many jobs order as Kling runs at once."""

from __future__ import annotations

from airflow_provider_klingvideo.workflow.gates.gate import GateMeans
from airflow_provider_klingvideo.workflow.gates.slots.slots import Standing, WaitForSlot, place_of
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.waits import StateWait


class SlotGate:
    """Lets a job pass that has a slot, or needs none.

    :param means: the parts that gates work with.
    """

    def __init__(self, means: GateMeans) -> None:
        self._means = means

    async def wait_for(self, job: WorkflowJob, *, looks: bool) -> StateWait | None:
        """Ask Kling what runs, where slots are limited, and take one if it is the job's turn."""
        means, place = self._means, place_of(job)
        if await means.run_blocking(lambda: means.slots.standing(place)) is not Standing.WAITING:
            return None
        if not looks:
            return WaitForSlot("every slot is taken", place=place)
        in_flight = await means.client.in_flight(place.pack)
        granted = await means.run_blocking(lambda: means.slots.grant([place], in_flight))
        if job.id in granted:
            return None
        why = await means.run_blocking(lambda: means.slots.why_full(place, in_flight))
        return WaitForSlot(why, place=place)

    async def release(self, job: WorkflowJob) -> None:
        """Give the slot to others."""
        await self._means.run_blocking(lambda: self._means.slots.give_back(place_of(job)))
