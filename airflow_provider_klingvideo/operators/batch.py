"""Batches: the check before anything is spent, and the verdict over all jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_klingvideo._compat import AirflowFailException
from airflow_provider_klingvideo.operators.base import UI_COLORS, KlingVideoOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["KlingVideoBatchVerdictOperator", "KlingVideoCheckBatchOperator"]


class KlingVideoCheckBatchOperator(KlingVideoOperator):
    """Check all requests of a batch, so that none is ordered when one of them is not legal. Sends nothing.

    It checks what the request itself tells: its fields, and what its model can do. Inputs and credentials are looked
    at by each job's own validation.

    :param requests: (templated) the requests of the batch.
    """

    template_fields: Sequence[str] = ("requests", *KlingVideoOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"requests": "json"}

    def __init__(self, *, requests: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.requests = requests

    def execute(self, context: Context) -> list[Mapping[str, Any]]:
        """Return the requests as they are."""
        from airflow_provider_klingvideo import configuration
        from airflow_provider_klingvideo.hooks.klingai import KlingAIHook
        from airflow_provider_klingvideo.operators.runtime import airflow_errors
        from airflow_provider_klingvideo.workflow.batch import faults_of

        hook = KlingAIHook(self.klingai_conn_id)
        with airflow_errors(), hook.get_conn() as client:
            unknown_models = configuration.step_settings(hook.settings, {}).unknown_models
            faults = faults_of(self.requests, client.generation_for, unknown_models=unknown_models)
        if faults:
            told = "\n".join(f"  request {index}: {fault}" for index, fault in faults.items())
            raise AirflowFailException(
                f"{len(faults)} of {len(self.requests)} requests are not legal; nothing was ordered:\n{told}"
            )
        self.log.info("All %d requests are legal", len(self.requests))
        return list(self.requests)


class KlingVideoBatchVerdictOperator(KlingVideoOperator):
    """Judge a batch: write the manifest, and fail when more jobs failed than the policy allows.

    :param requests: (templated) the requests of the batch, in their order.
    :param max_failed_share: the share of FAILED jobs, 0 to 1, up to which the batch counts as a success; 0 lets no job
        fail, 1 lets all fail. Cancelled jobs did not fail.
    """

    template_fields: Sequence[str] = ("requests", *KlingVideoOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"requests": "json"}
    ui_color = UI_COLORS["neutral"]

    def __init__(self, *, requests: Any, max_failed_share: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.requests = requests
        self.max_failed_share = max_failed_share

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the summary: counts by state, and the manifest's path; the manifest itself stays out of XCom."""
        from airflow_provider_klingvideo.operators.runtime import airflow_errors, job_key_of, run_store
        from airflow_provider_klingvideo.workflow.batch import judged, write_manifest
        from airflow_provider_klingvideo.workflow.identity import job_id

        ti = context["ti"]
        if self.requests is None:
            raise AirflowFailException("The batch has no requests: the task that lists them did not succeed.")
        store, key = run_store(context, self.output_path), job_key_of(self)
        with airflow_errors():
            jobs = [store.load(job_id(ti.dag_id, ti.run_id, key, index)) for index in range(len(self.requests))]
            summary = judged(jobs, self.max_failed_share)
            summary["manifest"] = write_manifest(store, key, jobs, summary)
        self.log.info("Batch: %s", summary)
        if not summary["accepted"]:
            raise AirflowFailException(
                f"{summary['failed']} of {summary['total']} jobs failed; the policy lets "
                f"{self.max_failed_share:.0%} fail. Manifest: {summary['manifest']}"
            )
        return summary
