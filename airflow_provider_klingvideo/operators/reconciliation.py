"""Comparing Kling's tasks with the job records from Airflow: for a maintenance DAG, and for the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_klingvideo.operators.base import UI_COLORS, TriedAgain, with_retry_defaults
from airflow_provider_klingvideo.runtime.options import DEFAULT_CONNECTION

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klingvideo.workflow import WorkflowJob

__all__ = ["KlingVideoReconcileOperator"]

ENDED_RUNS = frozenset({"success", "failed"})


class KlingVideoReconcileOperator(TriedAgain, BaseOperator):
    """Compare Kling's tasks of the last 30 days with the job records; it never orders anything.

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
        from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors
        from airflow_provider_klingvideo.runtime.session import Session, compared
        from airflow_provider_klingvideo.storage.names import safe_name
        from airflow_provider_klingvideo.storage.text import storable_json
        from airflow_provider_klingvideo.storage.writing import write_whole

        session = Session(self.klingai_conn_id, self.output_path)
        with airflow_errors():
            report = asyncio.run(
                compared(
                    session,
                    adopt=self.adopt,
                    close_stale=self.close_stale,
                    stale_after=self.stale_after,
                    is_over=_run_has_ended(context),
                )
            )
        for row in report.open_rows:
            self.log.warning("%s: job %s, task %s. %s", row.finding, row.job_id, row.task_id, row.next_step)
        path = session.output / "reconcile" / f"{safe_name(context['ti'].run_id)}.json"
        write_whole(path, json.dumps(storable_json(report.as_json()), ensure_ascii=False, indent=2).encode())
        self.log.info("%s; the report lies in %s", report.counts, path)
        return {"counts": report.counts, "open": len(report.open_rows), "report": str(path)}


def _run_has_ended(context: Context) -> Callable[[WorkflowJob], bool | None]:
    ti = context["ti"]

    def has_ended(job: WorkflowJob) -> bool | None:
        dag_id, run_id = job.origin.dag_id, job.origin.run_id
        if not dag_id or not run_id:
            return None
        try:
            return str(getattr(state := ti.get_dagrun_state(dag_id, run_id), "value", state)) in ENDED_RUNS
        except Exception:  # noqa: BLE001 - Airflow raises what the API says of a run that was deleted
            return None

    return has_ended
