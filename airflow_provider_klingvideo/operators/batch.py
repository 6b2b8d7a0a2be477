"""Batches: reading their rows, the check before anything is spent, many jobs in one task, the verdict over all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo._compat import AirflowFailException, AirflowSkipException
from airflow_provider_klingvideo.operators.base import UI_COLORS, KlingVideoBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klingvideo.runtime.upstream import Upstream

__all__ = [
    "KlingVideoBatchOperator",
    "KlingVideoBatchVerdictOperator",
    "KlingVideoCheckBatchOperator",
    "KlingVideoReadRowsOperator",
]


class KlingVideoReadRowsOperator(KlingVideoBaseOperator, task="rows"):
    """Read the rows of a batch, check all of them, and keep them beside its records. Costs nothing.

    Every row gets a key that stays. When one cannot be ordered, none is, or it is left out: see ``on_invalid_rows``.
    Checked are fields, the rules of the model, the price where there is a budget, the files that are named by path, and
    the render plan. Addresses and credentials are looked at by each job's own validation.
    """

    rows: Any
    chunk_size: int | None

    def execute(self, context: Context) -> list[Any]:
        """Return the requests, or the chunks: ``first`` and ``count``."""
        from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors
        from airflow_provider_klingvideo.runtime.batches.checks import checked_batch
        from airflow_provider_klingvideo.runtime.places import budget_of, row_book_of, session_of, store_of

        with airflow_errors():
            session = session_of(self)
            store, book = store_of(session, context, self.batch), row_book_of(session, self, context)
            budget, policy = budget_of(session, self, context), self.option("on_invalid_rows")
            rows = checked_batch(session, store, book, self.rows, policy, budget)
        kept = [row for row in rows if row.refused is None]
        self.log.info("The batch has %s", _counted(len(rows), len(kept)))
        if self.chunk_size is None:
            return [row.request for row in kept]
        return [
            {"first": first, "count": min(self.chunk_size, len(kept) - first)}
            for first in range(0, len(kept), self.chunk_size)
        ]


class KlingVideoBatchOperator(KlingVideoBaseOperator, task="videos"):
    """Make the videos of many rows in one task: the same states, records and guarantees as a task group for each.

    Deferrable: while all jobs wait and nothing is due, no worker is held. Killed at any point and run again, it goes on
    from the records; nothing is paid twice. Cleared, it starts what failed or was cancelled anew.
    """

    chunk: Mapping[str, int] | None
    max_failed_share: float
    patience: float
    deferrable: bool

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the summary: counts by state.

        :raises AirflowFailException: a person is to be asked, which a task with many jobs cannot do.
        """
        if self.option("ask_above") is not None:
            raise AirflowFailException(
                'A compact batch cannot ask a person about its jobs: remove ask_above, or use mode="single" or '
                'mode="mapped". Nothing was ordered'
            )
        from airflow_provider_klingvideo.runtime.places import is_beginning

        return self._go_on(context, is_beginning=is_beginning(self, context))

    def resume(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on with the jobs on record."""
        return self._go_on(context, is_beginning=False)

    def _go_on(self, context: Context, *, is_beginning: bool) -> dict[str, Any]:
        from airflow_provider_klingvideo.runtime.airflow_errors import told_first
        from airflow_provider_klingvideo.runtime.batches.chunks import LONGEST_DEFERRAL, Chunk
        from airflow_provider_klingvideo.runtime.outlets import tell_of_videos
        from airflow_provider_klingvideo.triggers.waits import BACKSTOP, batch_trigger
        from airflow_provider_klingvideo.workflow.batch.judge import judged
        from airflow_provider_klingvideo.workflow.story import told_counts, told_of_failed

        chunk = Chunk.load(self, context, is_beginning=is_beginning)
        suspended = chunk.work()
        if suspended is not None:
            self.log.info("Waiting, deferred: %s", suspended.words)
            trigger = batch_trigger(chunk.session, chunk.jobs, suspended)
            self.defer(trigger=trigger, method_name="resume", timeout=LONGEST_DEFERRAL + BACKSTOP)
        summary = judged(chunk.jobs, self.max_failed_share)
        # Whether the batch is accepted its verdict says, over all chunks.
        self.log.info("The jobs of this task: %s", told_counts(summary["states"]))
        for line in told_of_failed((job.origin.row or job.id, job) for job in chunk.jobs):
            self.log.warning("%s", line)
        tell_of_videos(self.outlets, context, chunk.jobs)
        if not summary["accepted"]:
            raise told_first(AirflowFailException(f"{summary['failed']} of {summary['total']} jobs failed"))
        return summary

    def on_kill(self) -> None:
        """End the ffmpeg processes of this task, and say what a kill means."""
        from airflow_provider_klingvideo.media import terminate_all

        terminate_all()
        self.log.warning("Killed. Tasks that were created run on at Kling and are billed; the next run adopts them.")


class KlingVideoCheckBatchOperator(KlingVideoBaseOperator, task="checked"):
    """Check all requests of a batch, so that none is ordered when one of them is not legal. Sends nothing.

    It checks what :class:`KlingVideoReadRowsOperator` does.
    """

    requests: Any

    def execute(self, context: Context) -> list[Mapping[str, Any]]:
        """Return the requests as they are."""
        from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors
        from airflow_provider_klingvideo.runtime.batches.checks import require_legal_rows
        from airflow_provider_klingvideo.runtime.places import budget_of, row_book_of, session_of, store_of
        from airflow_provider_klingvideo.workflow.batch.row_book import Row

        with airflow_errors():
            session = session_of(self)
            store, book = store_of(session, context, self.batch), row_book_of(session, self, context)
            ids = self._ids(context)
            rows = (
                book.read()
                if self.batch
                else [
                    Row("", job_id, request, f"entry {number}")
                    for number, (job_id, request) in enumerate(zip(ids, self.requests, strict=True), start=1)
                ]
            )
            require_legal_rows(session, store, book, rows, budget_of(session, self, context))
        self.log.info("All %d requests are legal", len(rows))
        return list(self.requests)

    def _ids(self, context: Context) -> list[str]:
        from airflow_provider_klingvideo.runtime.places import job_key_of, name_of

        key = job_key_of(self)
        return [name_of(context, key, map_index=index) for index in range(len(self.requests))]


class KlingVideoBatchVerdictOperator(KlingVideoBaseOperator, task="batch_verdict"):
    """Judge a batch: close what nobody has brought to its end, write the manifest, and fail when more jobs did not
    succeed than the policy allows.
    """  # noqa: D205

    ui_color = UI_COLORS["neutral"]

    requests: Any
    max_failed_share: float

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the summary: counts by state, and the manifest's path; the manifest itself stays out of XCom."""
        from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors, told_first
        from airflow_provider_klingvideo.runtime.batches.verdict import BatchVerdict
        from airflow_provider_klingvideo.runtime.upstream import Upstream, shown
        from airflow_provider_klingvideo.workflow.story import told_counts

        upstream = Upstream(self, context)
        if self.requests != [] and upstream.is_left_out:
            raise AirflowSkipException("The batch was left out: the tasks with which it begins were skipped.")
        if self.requests is None:
            why = upstream.blame or "the task that lists them has returned none"
            raise told_first(AirflowFailException(f"The batch has no requests: {why}."))
        with airflow_errors():
            verdict = BatchVerdict.over(self, context)
            summary = verdict.summary()
        if not summary["accepted"]:
            error = AirflowFailException(
                f"{summary['failed']} of {summary['total']} jobs did not succeed{_reason(summary, upstream)}; the "
                f"policy lets {self.max_failed_share:.0%} fail. Rows that were refused: {summary['refused']}. "
                f"Manifest: {summary['manifest']}"
            )
            told_first(error)
            for line in verdict.failed:
                self.log.error("%s", line)
            raise error
        self.log.info("Batch accepted: %s. Manifest: %s", told_counts(summary["states"]), summary["manifest"])
        for line in verdict.failed:
            self.log.warning("%s", line)
        if summary["refused"]:
            self.log.warning("%d of the rows were refused and not ordered", summary["refused"])
        return {**summary, "failed_tasks": shown(summary["failed_tasks"])}


def _reason(summary: Mapping[str, Any], upstream: Upstream) -> str:
    """Say which tasks failed: of a batch that was never begun those that kept it from that."""
    from airflow_provider_klingvideo.runtime.upstream import named
    from airflow_provider_klingvideo.workflow.batch.judge import NO_RECORD

    if set(summary["states"]) == {NO_RECORD} and upstream.blame:
        return f", none was begun: {upstream.blame}"
    return f"; failed tasks: {named(summary['failed_tasks'])}" if summary["failed_tasks"] else ""


def _counted(rows: int, kept: int) -> str:
    if not rows:
        return "no rows: there is nothing to do"
    return f"{rows} rows" if kept == rows else f"{rows} rows, of which {rows - kept} are left out"
