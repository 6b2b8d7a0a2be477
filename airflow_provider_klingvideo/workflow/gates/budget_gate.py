"""The gate that lets jobs order as long as their budget covers them."""

from __future__ import annotations

from airflow_provider_klingvideo.workflow.gates.budgets.reservations import WaitForBudget
from airflow_provider_klingvideo.workflow.gates.gate import GateMeans
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.waits import StateWait


class BudgetGate:
    """Lets a job pass whose next task is reserved in its budget, or that has none.

    :param means: the parts that gates work with.
    """

    def __init__(self, means: GateMeans) -> None:
        self._means = means

    async def wait_for(self, job: WorkflowJob, *, looks: bool) -> StateWait | None:
        """Reserve what the job's next task will cost."""
        # A task that exists is adopted and costs nothing more; should another one be ordered, it is reserved then.
        if any(not call.is_refused and call.verdict != "failed" for call in job.submissions):
            return None
        reservations = self._means.reservations
        missing: str | None = await self._means.run_blocking(lambda: reservations.shortage(job))
        need = reservations.need(job)
        return None if missing is None or need is None else WaitForBudget(missing, need=need)

    async def release(self, job: WorkflowJob) -> None:
        """Give back what the job has reserved and will not spend."""
        await self._means.run_blocking(lambda: self._means.reservations.settle(job))
