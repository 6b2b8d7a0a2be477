"""Waiting for the vendor to finish a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_klingvideo._compat import AirflowException, AirflowSkipException
from airflow_provider_klingvideo.operators.base import (
    DEFAULT_CONNECTION,
    UI_COLORS,
    KlingVideoTask,
    with_retry_defaults,
)
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klingvideo.runtime.session import JobRun
    from airflow_provider_klingvideo.workflow import VideoSteps
    from airflow_provider_klingvideo.workflow.waiting.watch import Ended, GenerationWatch, Wait

# The trigger's own deadline must come first: Airflow's asks no code of ours.
BACKSTOP = timedelta(minutes=5)


class KlingVideoGenerationSensor(KlingVideoTask, BaseSensorOperator):
    """Wait until the vendor has finished the task of a job in GENERATING.

    Deferrable by default: no worker slot is held. It looks once before it defers. The job fails when the vendor says
    so, with its words, or when the deadline comes; the vendor's task runs on then, and clearing this task later takes
    its result.

    :param deferrable: wait in the triggerer; otherwise ``mode`` (``poke`` or ``reschedule``) and ``poke_interval``
        apply.
    :param timeout: seconds that the vendor may take, counted from the moment when it accepted the task, over all tries.
    """

    template_fields: Sequence[str] = KlingVideoTask.task_fields
    ui_color = UI_COLORS["wait"]

    def __init__(
        self,
        *,
        job: Mapping[str, Any] | str | None = None,
        job_key: str | None = None,
        klingai_conn_id: str = DEFAULT_CONNECTION,
        output_path: str | None = None,
        transitions: Mapping[str, Sequence[str]] | None = None,
        batch: str | None = None,
        deferrable: bool = True,
        timeout: timedelta | float = 3600,
        poke_interval: timedelta | float = 15,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, poke_interval=poke_interval, **with_retry_defaults(kwargs))
        self.set_job_arguments(job, job_key, klingai_conn_id, output_path, transitions, batch)
        self.deferrable = deferrable
        self._watch: GenerationWatch | None = None

    def step_overrides(self) -> dict[str, Any]:
        """Return the deadline's distance."""
        return {"generation_seconds": self.timeout}

    def execute(self, context: Context) -> Any:
        """Return the job once its video is there."""
        if not self.deferrable:
            return super().execute(context)
        try:
            found = self.poke(context)
        except AirflowException as error:
            # Airflow applies soft_fail to pokes of its own loop and to resumed tasks only.
            if self.soft_fail:
                raise AirflowSkipException("Skipping due to soft_fail is set to True.") from error
            raise
        job: dict[str, Any] = found.xcom_value or {}
        if not found.is_done:
            self._defer(context, job)
        return job

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once."""
        from airflow_provider_klingvideo.workflow.waiting.following import kind_of, poll_once
        from airflow_provider_klingvideo.workflow.waiting.watch import Wait

        decision: Wait | Ended | None = None

        async def work(run: JobRun, steps: VideoSteps) -> None:
            nonlocal decision
            if self._watch is None:
                self._watch = await steps.watch(run.job)
            decision = await poll_once(steps.client, self._watch, kind_of(run.job))
            if not isinstance(decision, Wait):
                await self._conclude(run, steps, decision)

        run = self._run(context)
        if run.job.state is not WorkflowState.GENERATING:
            return PokeReturnValue(is_done=True, xcom_value=run.job.as_json())
        job = run.work(work)
        return PokeReturnValue(is_done=not isinstance(decision, Wait), xcom_value=job)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write down what the trigger found and return the job.

        :param event: the trigger's event.
        """
        from airflow_provider_klingvideo.workflow.waiting.watch import Ended

        async def work(run: JobRun, steps: VideoSteps) -> None:
            await self._conclude(run, steps, Ended.from_event(event))

        run = self._run(context)
        if run.job.state is not WorkflowState.GENERATING or run.job.klingai_job_id != event.get("vendor_task_id"):
            self.log.warning("The job has moved on while this task waited; looking again.")
            return dict(self.execute(context))
        return run.work(work)

    def _run(self, context: Context) -> JobRun:
        from airflow_provider_klingvideo.runtime.session import JobRun

        run = JobRun.start(self, context)
        run.take_up(WorkflowState.GENERATING)
        return run

    async def _conclude(self, run: JobRun, steps: VideoSteps, ended: Ended) -> None:
        facts = await steps.conclude(run.job, ended)
        self.log.info("Task %s succeeded at the vendor: %s", run.job.klingai_job_id, facts)

    def _defer(self, context: Context, job: Mapping[str, Any]) -> None:
        from airflow_provider_klingvideo.runtime import configuration
        from airflow_provider_klingvideo.runtime.session import run_store
        from airflow_provider_klingvideo.triggers.klingvideo import KlingVideoTaskTrigger
        from airflow_provider_klingvideo.workflow.job.job import WorkflowJob, utc_now
        from airflow_provider_klingvideo.workflow.waiting.timings import timing_key

        watch = self._watch
        assert watch is not None  # noqa: S101 - poke() has made it
        self.log.info(
            "Task %s runs at the vendor; waiting for it in the triggerer until %s", watch.task_id, watch.deadline
        )
        self.defer(
            trigger=KlingVideoTaskTrigger(
                klingai_conn_id=self.klingai_conn_id,
                vendor_task_id=watch.task_id,
                kind=job["metadata"]["kind"],
                submitted_at=watch.submitted_at.isoformat(),
                deadline=watch.deadline.isoformat(),
                typical_seconds=watch.typical_seconds,
                window=list(watch.window),
                timing=timing_key(WorkflowJob.model_validate(job)),
                poll_min_seconds=watch.policy.min_seconds,
                poll_max_seconds=watch.policy.max_seconds,
                minimum_seconds=configuration.minimum_deferral_seconds(),
                job_id=job["id"],
                # A trigger knows the product's own table only.
                records_path=None if self.transitions else str(run_store(context, self.output_path, self.batch).base),
            ),
            method_name="execute_complete",
            timeout=max(watch.deadline - utc_now(), timedelta(0)) + BACKSTOP,
        )
