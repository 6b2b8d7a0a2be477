"""One operator per state on a job's way to its video. Each can be run again at any time without paying again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_klingvideo.links.klingvideo import CONSOLE_URL_KEY, KlingConsoleLink
from airflow_provider_klingvideo.operators.base import UI_COLORS, KlingVideoOperator
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_provider_klingvideo.runtime.session import JobRun
    from airflow_provider_klingvideo.workflow import VideoSteps
    from airflow_provider_klingvideo.workflow.steps import Obstacle

__all__ = [
    "KlingVideoCompleteOperator",
    "KlingVideoCreateOperator",
    "KlingVideoGenerateOperator",
    "KlingVideoPostProcessOperator",
    "KlingVideoQueueOperator",
    "KlingVideoValidateOperator",
]


class KlingVideoCreateOperator(KlingVideoOperator):
    """CREATED: write the job record. Costs nothing.

    Run again with the same request it keeps the record that exists; a job that had failed or was cancelled starts anew.
    With another request (an edited prompt) it starts the job anew, and what was submitted before stays on record.

    :param request: (templated) the video that is wanted: ``prompt``, and any of ``kind``, ``model``, ``duration``,
        ``resolution``, ``aspect_ratio``, ``audio``, ``first_frame`` ... (see the guide on requests). Values that are
        None or empty count as not given.
    """

    template_fields: Sequence[str] = ("request", *KlingVideoOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"request": "json"}

    def __init__(self, *, request: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request = request

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the record and return it."""
        from airflow_provider_klingvideo.runtime.session import airflow_errors, job_id_of, origin_of, run_store
        from airflow_provider_klingvideo.workflow.inputs.creation import created_job

        store = run_store(context, self.output_path, self.batch)
        with airflow_errors():
            job = created_job(store, job_id_of(self, context), self.request, origin=origin_of(context))
        self.log.info("Job %s is %s; its record lies in %s", job.id, job.state, store.folder(job.id))
        return job.as_json()


class KlingVideoValidateOperator(KlingVideoOperator):
    """VALIDATED: the request is legal, inputs exist, the vendor takes the key, the price is known. Costs nothing.

    :param budget_units: (templated) units that the jobs of a budget may spend together; empty or None for no budget.
        A job that the whole budget cannot cover fails here, one that finds it short waits in the queue.
    :param budget_key: (templated) tells budgets apart: jobs with the same key below the same ``output_path`` share
        one, ``{{ ds[:7] }}`` makes one for each month; default: one for each DAG run.
    :param unknown_price: (templated) what to do with a job of a budget whose price is on no list: ``fail``, or
        ``allow`` it and count what the vendor will have billed.
    :param render_plan: (templated) what will be made of the video, see :class:`KlingVideoPostProcessOperator`: a plan
        that is none fails here, before anything is spent.
    """

    template_fields: Sequence[str] = (
        "budget_units",
        "budget_key",
        "unknown_price",
        "render_plan",
        *KlingVideoOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"render_plan": "json"}

    def __init__(
        self,
        *,
        budget_units: float | str | None = None,
        budget_key: str | None = None,
        unknown_price: str = "fail",
        render_plan: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.budget_units = budget_units
        self.budget_key = budget_key
        self.unknown_price = unknown_price
        self.render_plan = render_plan

    def step_overrides(self) -> dict[str, Any]:
        """Return the render plan."""
        return {"render_plan": self.render_plan}

    def execute(self, context: Context) -> dict[str, Any]:
        """Validate and return the job."""
        from airflow_provider_klingvideo.runtime.session import JobRun, budget_of
        from airflow_provider_klingvideo.workflow import VideoHandlers

        async def work(run: JobRun, steps: VideoSteps) -> None:
            run.job.metadata["budget"] = budget_of(self, context)
            if run.job.state is WorkflowState.CREATED:
                await VideoHandlers(steps).created(run.engine, run.job)
            self.log.info("Estimated price: %s", run.job.metadata.get("estimate") or "unknown")

        run = JobRun.start(self, context)
        run.take_up(WorkflowState.CREATED)
        return run.work(work)


class KlingVideoQueueOperator(KlingVideoOperator):
    """QUEUED: wait, deferred, for a free slot; the only state in which a job can be cancelled. Costs nothing.

    The task is skipped when the job is cancelled.

    :param queue_timeout: seconds after which a job that got no slot is cancelled.
    :param priority: (templated) of the jobs that wait with the same connection, those with a higher number go first,
        and of the same number the older ones.
    """

    template_fields: Sequence[str] = ("priority", *KlingVideoOperator.template_fields)
    ui_color = UI_COLORS["wait"]

    def __init__(self, *, queue_timeout: float = 24 * 3600, priority: int | str = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.queue_timeout = queue_timeout
        self.priority = priority

    def step_overrides(self) -> dict[str, Any]:
        """Return the queue's timeout."""
        return {"queue_seconds": self.queue_timeout}

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the job once it is admitted, else defer and look again."""
        from airflow_provider_klingvideo.runtime import configuration
        from airflow_provider_klingvideo.runtime.session import JobRun, wait_deferred, wait_for_slot

        obstacle: Obstacle | None = None
        seconds_left = 0.0

        async def work(run: JobRun, steps: VideoSteps) -> None:
            nonlocal obstacle, seconds_left
            if run.job.state is WorkflowState.VALIDATED:
                run.job.metadata["priority"] = int(self.priority)
                run.engine.transition(run.job, WorkflowState.QUEUED)
            if run.job.state is WorkflowState.QUEUED:
                obstacle = await steps.admission(run.job)
                seconds_left = steps.queue_seconds_left(run.job)

        run = JobRun.start(self, context)
        run.take_up(WorkflowState.VALIDATED)
        job = run.work(work)
        if obstacle is not None:
            self.log.info("Not admitted yet: %s", obstacle.words)
            if obstacle.is_slot:
                wait_for_slot(run, seconds_left)
            wait_deferred(self, configuration.slot_pause_seconds())
        return job


class KlingVideoGenerateOperator(KlingVideoOperator):
    """GENERATING: bring the request to the vendor, exactly once. From here on money is spent.

    Run again, after whatever happened, it finds the task that exists and pays nothing. It does not wait for the video:
    that is the sensor's work.

    :param generation_number: (templated) the number of this generation; a number higher than that of the last one
        orders, and pays, another video for the same request.
    :param regenerate_failed: order another video where the vendor has confirmed that the last task failed.
    :param on_changed_request: (templated) what to do when the job, run again, asks for something else than the video
        that was paid before: ``order`` another one, or ``fail`` and spend nothing.
    :param slot_timeout: seconds for which the vendor may refuse the job for want of a slot; the wait is deferred.
    """

    template_fields: Sequence[str] = (
        "generation_number",
        "on_changed_request",
        *KlingVideoOperator.template_fields,
    )
    operator_extra_links: Sequence[BaseOperatorLink] = (KlingConsoleLink(),)

    def __init__(
        self,
        *,
        generation_number: int | str = 1,
        regenerate_failed: bool = False,
        on_changed_request: str = "order",
        slot_timeout: float = 24 * 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.generation_number = generation_number
        self.regenerate_failed = regenerate_failed
        self.on_changed_request = on_changed_request
        self.slot_timeout = slot_timeout

    def step_overrides(self) -> dict[str, Any]:
        """Return the timeout of the wait for a slot."""
        return {"slot_seconds": self.slot_timeout}

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the job, the vendor's task id in it; defer while the vendor has no slot."""
        from airflow_provider_klingvideo.kling import ConcurrencyLimitError, RateLimitError
        from airflow_provider_klingvideo.runtime.memory import remember, remind
        from airflow_provider_klingvideo.runtime.session import JobRun, wait_deferred, wait_for_slot
        from airflow_provider_klingvideo.workflow.job.job import utc_now

        number = int(self.generation_number)
        refusal: ConcurrencyLimitError | RateLimitError | None = None
        pause = 0.0

        async def work(run: JobRun, steps: VideoSteps) -> None:
            nonlocal refusal, pause
            context["ti"].xcom_push(key=CONSOLE_URL_KEY, value=run.console_url())
            if run.job.state is WorkflowState.QUEUED:
                run.engine.transition(run.job, WorkflowState.GENERATING)
            if run.job.state is not WorkflowState.GENERATING:
                return
            remind(context, run.job)
            try:
                await steps.submit(
                    run.job,
                    run.engine.save,
                    generation_number=number,
                    regenerate_failed=self.regenerate_failed,
                    on_changed_request=self.on_changed_request,
                )
            except (ConcurrencyLimitError, RateLimitError) as error:
                if steps.slot_timed_out(run.job, utc_now()):
                    raise
                self.log.info("Nothing was created. %s", error)
                refusal, pause = error, max(error.retry_after or 0, steps.settings.slot_pause_seconds)
            else:
                remember(context, run.job)

        run = JobRun.start(self, context)
        run.take_up(WorkflowState.QUEUED)
        run.order_again(number)
        job = run.work(work)
        if isinstance(refusal, ConcurrencyLimitError):
            wait_for_slot(run, self.slot_timeout)
        if refusal is not None:
            wait_deferred(self, pause)
        self.log.info("Job %s is task %s at the vendor", run.job.id, run.job.klingai_job_id)
        return job

    def on_kill(self) -> None:
        """Say what a kill means: nothing can be cancelled at the vendor."""
        self.log.warning("Killed. A task that was created runs on at the vendor and is billed; the next run adopts it.")


class KlingVideoPostProcessOperator(KlingVideoOperator):
    """POST_PROCESSING: load the results, verify and store them, make what the plan says of a video.

    Run again, it keeps what is stored, whole and as planned, and makes what is missing.

    :param render_plan: (templated) what is made of a video, and what is checked about it: the fields of
        :class:`~airflow_provider_klingvideo.media.RenderPlan`, a list of outputs, or the JSON text of either; empty for
        ``[klingvideo] render_plan``, which by default makes master, poster, preview and contact sheet.
    """

    template_fields: Sequence[str] = ("render_plan", *KlingVideoOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"render_plan": "json"}

    def __init__(self, *, render_plan: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.render_plan = render_plan

    def step_overrides(self) -> dict[str, Any]:
        """Return the render plan."""
        return {"render_plan": self.render_plan}

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the job, its files on record."""
        from airflow_provider_klingvideo.runtime.session import JobRun

        async def work(run: JobRun, steps: VideoSteps) -> None:
            if run.job.state is WorkflowState.GENERATING:
                facts = await steps.take_result(run.job)
                run.engine.transition(run.job, WorkflowState.POST_PROCESSING, **facts)
                await run.engine.save(run.job)
            for warning in await steps.post_process(run.job, run.engine.save):
                self.log.warning("%s", warning)
            for artifact in run.job.metadata["artifacts"].values():
                self.log.info("%(path)s: %(size)d bytes, SHA-256 %(sha256)s", artifact)

        run = JobRun.start(self, context)
        run.take_up(WorkflowState.GENERATING)
        return run.work(work)

    def on_kill(self) -> None:
        """End the ffmpeg processes of this task."""
        from airflow_provider_klingvideo.media import terminate_all

        terminate_all()


class KlingVideoCompleteOperator(KlingVideoOperator):
    """COMPLETED: prove that every file lies in the store; an ``outlets`` asset gets the video's facts as its extra."""

    ui_color = UI_COLORS["good"]

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the completed job."""
        from airflow_provider_klingvideo.runtime.session import JobRun

        async def work(run: JobRun, steps: VideoSteps) -> None:
            await steps.complete(run.job)
            if run.job.state is WorkflowState.POST_PROCESSING:
                run.engine.transition(run.job, WorkflowState.COMPLETED)

        run = JobRun.start(self, context)
        run.take_up(WorkflowState.POST_PROCESSING)
        job = run.work(work)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = _asset_facts(run)
        return job


def _asset_facts(run: JobRun) -> dict[str, Any]:
    artifacts = run.job.metadata.get("artifacts", {})
    main: dict[str, Any] = next((one for one in artifacts.values() if one["path"] == run.job.processed_url), {})
    return {
        "job_id": run.job.id,
        "klingai_job_id": run.job.klingai_job_id,
        "path": run.job.processed_url,
        "sha256": main.get("sha256"),
        "seconds": run.job.metadata.get("seconds"),
        "billed_units": run.job.metadata.get("billed_units"),
    }
