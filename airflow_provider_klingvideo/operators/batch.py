"""Batches: reading their rows, the check before anything is spent, many jobs in one task, the verdict over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_klingvideo._compat import AirflowFailException
from airflow_provider_klingvideo.operators.base import UI_COLORS, KlingVideoOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = [
    "KlingVideoBatchOperator",
    "KlingVideoBatchVerdictOperator",
    "KlingVideoCheckBatchOperator",
    "KlingVideoReadRowsOperator",
]

# The trigger's own deadline must come first: Airflow's asks no code of ours.
BACKSTOP = timedelta(minutes=5)


class KlingVideoReadRowsOperator(KlingVideoOperator):
    """Read the rows of a batch and keep them beside its records; every row gets a key that stays. Costs nothing.

    :param rows: (templated) the path or URI of a CSV, JSONL, JSON or Parquet file, or a list of requests. A column
        ``key`` names each row; without it the key is made of what the row asks for.
    :param chunk_size: rows for each task of a compact batch; None returns the requests, for one task group each.
    """

    template_fields: Sequence[str] = ("rows", *KlingVideoOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"rows": "json"}

    def __init__(self, *, rows: Any, chunk_size: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows
        self.chunk_size = chunk_size

    def execute(self, context: Context) -> list[Any]:
        """Return the requests, or the chunks: ``first`` and ``count``."""
        from airflow_provider_klingvideo.runtime.paths import open_path
        from airflow_provider_klingvideo.runtime.session import airflow_errors, row_book
        from airflow_provider_klingvideo.workflow.batch.rows import keyed, listed_rows, read_rows

        with airflow_errors():
            rows = read_rows(open_path(self.rows)) if isinstance(self.rows, str) else listed_rows(self.rows)
            kept = row_book(self, context).write(keyed(rows))
        self.log.info("The batch has %d rows", len(kept))
        if self.chunk_size is None:
            return [row.request for row in kept]
        return [
            {"first": first, "count": min(self.chunk_size, len(kept) - first)}
            for first in range(0, len(kept), self.chunk_size)
        ]


class KlingVideoBatchOperator(KlingVideoOperator):
    """Make the videos of many rows in one task: the same states, records and guarantees as a task group for each.

    Deferrable: while all jobs wait for the vendor and nothing is due, no worker is held. Killed at any point and run
    again, it goes on from the records; nothing is paid twice. Cleared, it starts what failed or was cancelled anew.

    :param chunk: (templated) which rows, as :class:`KlingVideoReadRowsOperator` returns it; None for all.
    :param max_failed_share: the share of FAILED jobs, 0 to 1, up to which the task succeeds.
    :param budget_units: (templated) see :class:`KlingVideoValidateOperator`, as ``budget_key`` and ``unknown_price``.
    :param priority: (templated) see :class:`KlingVideoQueueOperator`.
    :param queue_timeout: seconds after which a job that got no slot is cancelled.
    :param slot_timeout: seconds for which the vendor may refuse a job for want of a slot.
    :param generation_timeout: seconds that the vendor may take for a video.
    :param generation_number: (templated) see :class:`KlingVideoGenerateOperator`, as ``regenerate_failed`` and
        ``on_changed_request``.
    :param render_plan: (templated) see :class:`KlingVideoPostProcessOperator`.
    :param deferrable: leave the worker while nothing is due.
    :param patience: seconds; what is due sooner is waited for at the worker, since leaving it and coming back takes
        about as long.
    """

    template_fields: Sequence[str] = (
        *("chunk", "budget_units", "budget_key", "unknown_price", "priority"),
        *("generation_number", "on_changed_request", "render_plan"),
        *KlingVideoOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"chunk": "json", "render_plan": "json"}

    def __init__(
        self,
        *,
        chunk: Mapping[str, int] | None = None,
        max_failed_share: float = 0.0,
        budget_units: float | str | None = None,
        budget_key: str | None = None,
        unknown_price: str = "fail",
        priority: int | str = 0,
        queue_timeout: float = 24 * 3600,
        slot_timeout: float = 24 * 3600,
        generation_timeout: float = 3600,
        generation_number: int | str = 1,
        regenerate_failed: bool = False,
        on_changed_request: str = "order",
        render_plan: Any = None,
        deferrable: bool = True,
        patience: float = 45,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.chunk = chunk
        self.max_failed_share = max_failed_share
        self.budget_units = budget_units
        self.budget_key = budget_key
        self.unknown_price = unknown_price
        self.priority = priority
        self.queue_timeout = queue_timeout
        self.slot_timeout = slot_timeout
        self.generation_timeout = generation_timeout
        self.generation_number = generation_number
        self.regenerate_failed = regenerate_failed
        self.on_changed_request = on_changed_request
        self.render_plan = render_plan
        self.deferrable = deferrable
        self.patience = patience

    def step_overrides(self) -> dict[str, Any]:
        """Return the timeouts and the render plan."""
        return {
            "render_plan": self.render_plan,
            "queue_seconds": self.queue_timeout,
            "slot_seconds": self.slot_timeout,
            "generation_seconds": self.generation_timeout,
        }

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the summary: counts by state."""
        from airflow_provider_klingvideo.runtime.chunks import LONGEST_DEFERRAL, Chunk
        from airflow_provider_klingvideo.workflow.batch.judge import judged

        chunk = Chunk.load(self, context)
        suspended = chunk.work()
        if suspended is not None:
            self.log.info(
                "%d tasks run at the vendor, %d jobs wait for a slot; deferred",
                len(suspended.followed),
                len(suspended.queued),
            )
            self.defer(trigger=chunk.trigger(suspended), method_name="resume", timeout=LONGEST_DEFERRAL + BACKSTOP)
        summary = judged(chunk.jobs, self.max_failed_share)
        self.log.info("%s", summary)
        if not summary["accepted"]:
            raise AirflowFailException(f"{summary['failed']} of {summary['total']} jobs failed")
        return summary

    def on_kill(self) -> None:
        """End the ffmpeg processes of this task, and say what a kill means."""
        from airflow_provider_klingvideo.media import terminate_all

        terminate_all()
        self.log.warning(
            "Killed. Tasks that were created run on at the vendor and are billed; the next run adopts them."
        )


class KlingVideoCheckBatchOperator(KlingVideoOperator):
    """Check all requests of a batch, so that none is ordered when one of them is not legal. Sends nothing.

    It checks what the request itself tells: its fields, and what its model can do. Inputs and credentials are looked
    at by each job's own validation.

    :param requests: (templated) the requests of the batch; for a ``batch`` whose rows were read what the task that
        read them has returned.
    """

    template_fields: Sequence[str] = ("requests", *KlingVideoOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"requests": "json"}

    def __init__(self, *, requests: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.requests = requests

    def execute(self, context: Context) -> list[Mapping[str, Any]]:
        """Return the requests as they are."""
        from airflow_provider_klingvideo.hooks.klingai import KlingAIHook
        from airflow_provider_klingvideo.runtime import configuration
        from airflow_provider_klingvideo.runtime.session import airflow_errors, row_book
        from airflow_provider_klingvideo.workflow.batch.judge import faults_of

        hook = KlingAIHook(self.klingai_conn_id)
        with airflow_errors(), hook.get_conn() as client:
            requests = [row.request for row in row_book(self, context).read()] if self.batch else self.requests
            unknown_models = configuration.step_settings(hook.settings, {}).unknown_models
            faults = faults_of(requests, client.family_for, unknown_models=unknown_models)
        if faults:
            told = "\n".join(f"  request {index}: {fault}" for index, fault in faults.items())
            raise AirflowFailException(
                f"{len(faults)} of {len(requests)} requests are not legal; nothing was ordered:\n{told}"
            )
        self.log.info("All %d requests are legal", len(requests))
        return list(self.requests)


class KlingVideoBatchVerdictOperator(KlingVideoOperator):
    """Judge a batch: write the manifest, and fail when more jobs failed than the policy allows.

    :param requests: (templated) the requests of the batch, in their order; for a ``batch`` whose rows were read what
        the task that read them has returned.
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
        from airflow_provider_klingvideo.runtime.session import (
            airflow_errors,
            job_key_of,
            place_of,
            row_book,
            run_store,
        )
        from airflow_provider_klingvideo.workflow.batch.judge import judged
        from airflow_provider_klingvideo.workflow.batch.manifest import write_manifest

        if self.requests is None:
            raise AirflowFailException("The batch has no requests: the task that lists them did not succeed.")
        store, key = run_store(context, self.output_path, self.batch), job_key_of(self)
        with airflow_errors():
            rows = row_book(self, context).read() if self.batch else ()
            ids = [row.job_id for row in rows] or [
                place_of(context, key, map_index=index) for index in range(len(self.requests))
            ]
            jobs = [store.load(one) for one in ids]
            summary = judged(jobs, self.max_failed_share)
            summary["manifest"] = write_manifest(store, key, jobs, summary, keys=[row.key for row in rows] or None)
        self.log.info("Batch: %s", summary)
        if not summary["accepted"]:
            raise AirflowFailException(
                f"{summary['failed']} of {summary['total']} jobs failed; the policy lets "
                f"{self.max_failed_share:.0%} fail. Manifest: {summary['manifest']}"
            )
        return summary
