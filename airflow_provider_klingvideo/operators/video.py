"""One video in one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo._compat import AirflowFailException, AirflowSkipException
from airflow_provider_klingvideo.links.files import FILE_LINKS
from airflow_provider_klingvideo.links.klingvideo import CONSOLE_URL_KEY, KlingConsoleLink
from airflow_provider_klingvideo.operators.base import KlingVideoBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_provider_klingvideo.runtime.job_run import JobRun
    from airflow_provider_klingvideo.workflow import Driver
    from airflow_provider_klingvideo.workflow.job.waits import StateWait

__all__ = ["KlingVideoOperator"]


class KlingVideoOperator(KlingVideoBaseOperator, task="video"):
    """Take one video through all its states in one task: the same records, guarantees and gates as the task group.

    Deferrable: while the job waits for a slot, for budget or for Kling, no worker is held. Killed at any point and run
    again, it goes on from the record; nothing is paid twice. A cancelled job skips the task, a failed one fails it.
    Cleared, it starts a job anew that failed or was cancelled, and adopts what was paid.

    ``KlingVideoOperator.partial(task_id="video", ...).expand(request=[...])`` makes a task for each video.
    """

    operator_extra_links: Sequence[BaseOperatorLink] = (KlingConsoleLink(), *FILE_LINKS)

    request: Any
    deferrable: bool

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the completed job; defer while it has to wait."""
        from airflow_provider_klingvideo.runtime.job_run import JobRun

        return self._go_on(JobRun.create(self, context, self.request))

    def resume(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Go on with the job on record.

        :param event: the trigger's; of a task of Kling it tells how it ended.
        """
        from airflow_provider_klingvideo.runtime.job_run import JobRun

        run = JobRun.start(self, context)
        if run.hears(event):
            run.hear(event or {})
        return self._go_on(run)

    def _go_on(self, run: JobRun) -> dict[str, Any]:
        from airflow_provider_klingvideo.runtime.airflow_errors import told_first
        from airflow_provider_klingvideo.runtime.outlets import tell_of_video
        from airflow_provider_klingvideo.workflow import WorkflowState
        from airflow_provider_klingvideo.workflow.story import told_of

        wait = run.work(lambda driver: self._work(run, driver))
        if wait is not None:
            self.wait_for(run, wait)
        job = run.job
        # A job that ended in an earlier try of this very turn stays as it is.
        if job.state is WorkflowState.FAILED:
            raise told_first(AirflowFailException(told_of(job)))
        if job.state is WorkflowState.CANCELLED:
            self.log.info("%s", told_of(job))
            raise AirflowSkipException(told_of(job))
        for warning in job.files.warnings:
            self.log.warning("%s", warning)
        self.log.info("%s", told_of(job))
        tell_of_video(self.outlets, run.context, job)
        return run.told()

    async def _work(self, run: JobRun, driver: Driver) -> StateWait | None:
        from airflow_provider_klingvideo.runtime.memory import remember, remind

        run.order_again(self.option("take"))
        run.context["ti"].xcom_push(key=CONSOLE_URL_KEY, value=run.session.connection.settings.console_url)
        remind(run.context, run.job)
        try:
            return await run.go_on(driver)
        finally:
            remember(run.context, run.job)

    def on_kill(self) -> None:
        """End the ffmpeg processes of this task, and say what a kill means."""
        from airflow_provider_klingvideo.media import terminate_all

        terminate_all()
        self.log.warning("Killed. A task that was created runs on at Kling and is billed; the next run adopts it.")
