"""Comparing the vendor's tasks with the job records from Airflow: for a maintenance DAG, and for the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_klingvideo.operators.base import DEFAULT_CONNECTION, UI_COLORS, with_retry_defaults

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klingvideo.workflow import WorkflowJob
    from airflow_provider_klingvideo.workflow.reconcile.reconciler import Report

__all__ = ["KlingVideoReconcileOperator"]

ENDED_RUNS = frozenset({"success", "failed"})


class KlingVideoReconcileOperator(BaseOperator):
    """Compare the vendor's tasks of the last 30 days with the job records; it never orders anything.

    Returns counts by finding, how many are left to a person (``open``), and where the whole report lies.

    :param adopt: load and store the videos that were paid and not taken.
    :param close_stale: end, as abandoned, the records of jobs whose DAG run has ended, which happens when a person
        marks a run as failed or successful.
    :param stale_after: seconds after which a record counts as left behind when its DAG run is not known any more.
    :param klingai_conn_id: (templated) the connection.
    :param output_path: (templated) folder of the records, a path or object storage URI; default: the option
        ``[klingvideo] output_path``.
    """

    template_fields: Sequence[str] = ("klingai_conn_id", "output_path")
    ui_color = UI_COLORS["neutral"]

    def __init__(
        self,
        *,
        adopt: bool = False,
        close_stale: bool = True,
        stale_after: float = 24 * 3600,
        klingai_conn_id: str = DEFAULT_CONNECTION,
        output_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_defaults(kwargs))
        self.adopt = adopt
        self.close_stale = close_stale
        self.stale_after = stale_after
        self.klingai_conn_id = klingai_conn_id
        self.output_path = output_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare and return the summary."""
        from airflow_provider_klingvideo.runtime.session import airflow_errors, output_folder
        from airflow_provider_klingvideo.storage.names import safe_name

        with airflow_errors():
            report = asyncio.run(
                reconciled(
                    self.klingai_conn_id,
                    self.output_path,
                    adopt=self.adopt,
                    close_stale=self.close_stale,
                    stale_after=self.stale_after,
                    is_over=_run_has_ended(context),
                )
            )
        for row in report.open_rows:
            self.log.warning("%s: job %s, task %s. %s", row.finding, row.job_id, row.task_id, row.next_step)
        path = output_folder(self.output_path) / "reconcile" / f"{safe_name(context['ti'].run_id)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
        self.log.info("%s; the report lies in %s", report.counts, path)
        return {"counts": report.counts, "open": len(report.open_rows), "report": str(path)}


async def reconciled(
    klingai_conn_id: str,
    output_path: str | None,
    *,
    adopt: bool,
    close_stale: bool,
    stale_after: float,
    is_over: Callable[[WorkflowJob], bool | None] = lambda job: None,
) -> Report:
    """Compare, see :class:`~airflow_provider_klingvideo.workflow.reconcile.reconciler.Reconciler`.

    :param klingai_conn_id: the connection.
    :param output_path: folder of the records, None for the configured one.
    """
    from airflow_provider_klingvideo.hooks.klingai import KlingAIHook
    from airflow_provider_klingvideo.runtime import configuration
    from airflow_provider_klingvideo.runtime.paths import open_path
    from airflow_provider_klingvideo.runtime.session import output_folder
    from airflow_provider_klingvideo.workflow import VideoSteps
    from airflow_provider_klingvideo.workflow.reconcile.reconciler import Reconciler
    from airflow_provider_klingvideo.workflow.steps import inline

    hook = KlingAIHook(klingai_conn_id)
    settings = configuration.step_settings(hook.settings, {})
    async with hook.get_async_conn() as client:
        reconciler = Reconciler(
            client,
            output_folder(output_path),
            steps_for=lambda store: VideoSteps(
                client,
                store,
                outputs=hook.task_outputs,
                settings=settings,
                open_path=open_path,
                run_blocking=inline,
            ),
            is_over=is_over,
            stale_after=stale_after,
        )
        return await reconciler.compare(adopt=adopt, close_stale=close_stale)


def _run_has_ended(context: Context) -> Callable[[WorkflowJob], bool | None]:
    ti = context["ti"]

    def has_ended(job: WorkflowJob) -> bool | None:
        dag_id, run_id = job.metadata.get("dag_id"), job.metadata.get("run_id")
        if not dag_id or not run_id:
            return None
        try:
            return str(getattr(state := ti.get_dagrun_state(dag_id, run_id), "value", state)) in ENDED_RUNS
        except Exception:  # noqa: BLE001 - Airflow raises what the API says of a run that was deleted
            return None

    return has_ended
