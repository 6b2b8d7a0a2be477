"""Waiting for Kling to finish a video."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_klingvideo._compat import AirflowException, AirflowSkipException
from airflow_provider_klingvideo.operators.base import UI_COLORS, KlingVideoTask

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klingvideo.runtime.job_run import JobRun
    from airflow_provider_klingvideo.workflow import Driver
    from airflow_provider_klingvideo.workflow.job.waits import StateWait
    from airflow_provider_klingvideo.workflow.waiting.watch import GenerationWatch


class KlingVideoGenerationSensor(KlingVideoTask, BaseSensorOperator, task="generation"):
    """Wait until Kling has finished the task of a job in GENERATING.

    Deferrable by default: no worker slot is held. It looks once before it defers. The job fails when Kling says so,
    with its words, or when the deadline comes; Kling's task runs on then, and clearing this task later takes its
    result.

    :param timeout: a sensor's own word for ``generation_timeout``, which counts where both are set at the same place.
    :param poke_interval: without ``deferrable``: seconds between two looks; ``mode`` (``poke`` or ``reschedule``)
        applies, too.
    """

    ui_color = UI_COLORS["wait"]
    deferrable: bool

    def __init__(
        self,
        *,
        generation_timeout: timedelta | float | str | None = None,
        timeout: timedelta | float | None = None,
        poke_interval: timedelta | float = 15,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        given = {"generation_timeout": generation_timeout, "timeout": timeout}
        self.generation_timeout = _nearest(given, kwargs.get("default_args") or {})
        self._watch: GenerationWatch | None = None

    def execute(self, context: Context) -> Any:
        """Return the job once its video is there."""
        if not self.deferrable:
            self.timeout = self.option("generation_timeout")
            return super().execute(context)
        try:
            run, wait = self._look(context)
        except AirflowException as error:
            # Airflow applies soft_fail to pokes of its own loop and to resumed tasks only.
            if self.soft_fail:
                raise AirflowSkipException("Skipping due to soft_fail is set to True.") from error
            raise
        if wait is not None:
            self.wait_for(run, wait, method_name="execute_complete")
        return run.told()

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once."""
        run, wait = self._look(context)
        return PokeReturnValue(is_done=wait is None, xcom_value=run.told())

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write down what the trigger found and return the job.

        :param event: the trigger's event.
        """
        run = self._run(context)
        if not run.hears(event):
            self.log.warning("The job has moved on while this task waited; looking again.")
            return dict(self.execute(context))
        run.hear(event)
        return run.told()

    def _run(self, context: Context) -> JobRun:
        from airflow_provider_klingvideo.runtime.job_run import JobRun
        from airflow_provider_klingvideo.workflow.driver import GENERATION

        run = JobRun.start(self, context)
        run.take_up(GENERATION)
        return run

    def _look(self, context: Context) -> tuple[JobRun, StateWait | None]:
        from airflow_provider_klingvideo.workflow import WorkflowState

        run = self._run(context)
        if run.job.state is not WorkflowState.GENERATING:
            return run, None
        return run, run.work(lambda driver: self._look_once(run, driver))

    async def _look_once(self, run: JobRun, driver: Driver) -> StateWait | None:
        from airflow_provider_klingvideo.workflow.driver import GENERATION
        from airflow_provider_klingvideo.workflow.waiting.following import WaitForTask

        wait = await driver.do(GENERATION, run.job)
        if not isinstance(wait, WaitForTask):
            return wait
        self._watch = self._watch or wait.watch
        return await driver.look(run.job, wait, self._watch)


def _nearest(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Any:
    """Return the first argument that is set at the task itself, else the first that is set at all."""
    known = {name: value for name, value in given.items() if value is not None}
    at_task = [value for name, value in known.items() if value != defaults.get(name)]
    return next(iter([*at_task, *known.values()]), None)
