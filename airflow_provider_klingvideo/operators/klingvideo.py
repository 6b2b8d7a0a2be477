"""One operator per state on a job's way to its video. Each can be run again at any time without paying again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.links.files import FILE_LINKS
from airflow_provider_klingvideo.links.klingvideo import CONSOLE_URL_KEY, KlingConsoleLink
from airflow_provider_klingvideo.operators.base import UI_COLORS, KlingVideoBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_provider_klingvideo.runtime.job_run import JobRun
    from airflow_provider_klingvideo.workflow import Driver
    from airflow_provider_klingvideo.workflow.driver import Phase
    from airflow_provider_klingvideo.workflow.job.waits import StateWait

__all__ = [
    "KlingVideoCompleteOperator",
    "KlingVideoCreateOperator",
    "KlingVideoGenerateOperator",
    "KlingVideoPostProcessOperator",
    "KlingVideoQueueOperator",
    "KlingVideoValidateOperator",
]


class KlingVideoCreateOperator(KlingVideoBaseOperator, task="created"):
    """CREATED: write the job record. Costs nothing.

    Run again with the same request it keeps the record that exists; a job that had failed or was cancelled starts anew.
    With another request (an edited prompt) it starts the job anew, and what was ordered before stays on record.
    """

    request: Any

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the record and return it."""
        from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors
        from airflow_provider_klingvideo.runtime.places import job_id_of, origin_of, session_of, store_of
        from airflow_provider_klingvideo.runtime.xcom import carried
        from airflow_provider_klingvideo.workflow.inputs.creation import created_job

        with airflow_errors():
            session = session_of(self)
            store = store_of(session, context, self.batch)
            wanted, row = job_id_of(session, self, context)
            origin = origin_of(context, batch=self.batch, row=row)
            job = created_job(session.engine(store), wanted, self.request, origin=origin)
        self.called_after(job)
        self.log.info("Job %s is %s; its record lies in %s", job.id, job.state, store.folder(job.id))
        return carried(job, store)


class _PhaseOperator(KlingVideoBaseOperator):
    """An operator that does one phase of :data:`~airflow_provider_klingvideo.workflow.driver.PHASES`."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Do the phase and return the job; defer while it has to wait."""
        from airflow_provider_klingvideo.runtime.job_run import JobRun

        run = JobRun.start(self, context)
        run.take_up(phase_of(self))
        wait = run.work(lambda driver: self.work(run, driver))
        if wait is not None:
            self.wait_for(run, wait)
        self.tell(run)
        return run.told()

    async def work(self, run: JobRun, driver: Driver) -> StateWait | None:
        """Do the phase; what it has to wait for is returned."""
        return await driver.do(phase_of(self), run.job)

    def tell(self, run: JobRun) -> None:
        """Say in the log what was found."""


class KlingVideoValidateOperator(_PhaseOperator, task="validated"):
    """VALIDATED: the request is legal, inputs exist, Kling takes the key, the price is known. Costs nothing."""

    async def work(self, run: JobRun, driver: Driver) -> StateWait | None:
        """Validate, within the budget that this task names."""
        from airflow_provider_klingvideo.runtime.places import budget_of

        run.job.budget = budget_of(run.session, self, run.context)
        return await super().work(run, driver)

    def tell(self, run: JobRun) -> None:
        """Tell the price."""
        from airflow_provider_klingvideo.workflow.ordering.preparation import quote_of

        estimate = run.job.estimate
        self.log.info("Estimated price: %s", quote_of(estimate) if estimate else "unknown")


class KlingVideoQueueOperator(_PhaseOperator, task="queued"):
    """QUEUED: wait, deferred, for a person where one has to approve it, for budget and a free slot. Costs nothing.

    It is the only state in which a job can be cancelled. The task is skipped when the job is cancelled.
    """

    ui_color = UI_COLORS["wait"]

    async def work(self, run: JobRun, driver: Driver) -> StateWait | None:
        """Wait with the priority that this task names; a person is asked as it says."""
        from airflow_provider_klingvideo.runtime.places import approval_rule_of
        from airflow_provider_klingvideo.workflow.gates.consent import with_rule

        run.order_again(self.option("take"))
        run.job.priority = self.option("priority")
        run.job.approval = with_rule(run.job.approval, approval_rule_of(self))
        return await super().work(run, driver)


class KlingVideoGenerateOperator(_PhaseOperator, task="generating"):
    """GENERATING: bring the request to Kling, exactly once. From here on money is spent.

    Run again, after whatever happened, it finds the task that exists and pays nothing. It does not wait for the video:
    that is the sensor's work.
    """

    operator_extra_links: Sequence[BaseOperatorLink] = (KlingConsoleLink(),)

    async def work(self, run: JobRun, driver: Driver) -> StateWait | None:
        """Order, with what Airflow still knows of earlier orders."""
        from airflow_provider_klingvideo.runtime.memory import remember, remind

        run.order_again(self.option("take"))
        run.context["ti"].xcom_push(key=CONSOLE_URL_KEY, value=run.session.connection.settings.console_url)
        remind(run.context, run.job)
        wait = await super().work(run, driver)
        if wait is None:
            remember(run.context, run.job)
        return wait

    def tell(self, run: JobRun) -> None:
        """Tell the task."""
        self.log.info("Job %s is task %s at Kling", run.job.id, run.job.klingai_job_id)

    def on_kill(self) -> None:
        """Say what a kill means: nothing can be cancelled at Kling."""
        self.log.warning("Killed. A task that was created runs on at Kling and is billed; the next run adopts it.")


class KlingVideoPostProcessOperator(_PhaseOperator, task="post_processing"):
    """POST_PROCESSING: load the results, verify and store them, make what the plan says of a video.

    Run again, it keeps what is stored, whole and as planned, and makes what is missing.
    """

    def tell(self, run: JobRun) -> None:
        """Tell what lies in the store."""
        for warning in run.job.files.warnings:
            self.log.warning("%s", warning)
        for artifact in run.job.files.artifacts.values():
            self.log.info("%(path)s: %(size)d bytes, SHA-256 %(sha256)s", artifact)

    def on_kill(self) -> None:
        """End the ffmpeg processes of this task."""
        from airflow_provider_klingvideo.media import terminate_all

        terminate_all()


class KlingVideoCompleteOperator(_PhaseOperator, task="completed"):
    """COMPLETED: prove that every file lies in the store; an ``outlets`` asset gets the video's facts as its extra."""

    ui_color = UI_COLORS["good"]
    operator_extra_links: Sequence[BaseOperatorLink] = FILE_LINKS

    def tell(self, run: JobRun) -> None:
        """Tell the assets."""
        from airflow_provider_klingvideo.runtime.outlets import tell_of_video

        tell_of_video(self.outlets, run.context, run.job)


def phase_of(operator: KlingVideoBaseOperator) -> Phase:
    """Return the phase that an operator does: the one with the name of its task."""
    from airflow_provider_klingvideo.workflow.driver import PHASES

    return next(phase for phase in PHASES if phase.name == operator.task_name)
