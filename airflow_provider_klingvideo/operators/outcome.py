"""The ends of a job: FAILED, CANCELLED, and the verdict that makes the DAG run's state say what the job's record says.

These tasks take no output of another task, since that would add an upstream task to them that always succeeds. They
find their job by its place in the DAG.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo._compat import AirflowFailException, AirflowSkipException
from airflow_provider_klingvideo.links.files import FILE_LINKS
from airflow_provider_klingvideo.operators.base import UI_COLORS, KlingVideoBaseOperator
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_provider_klingvideo.runtime.job_run import JobRun

__all__ = [
    "KlingVideoCancelOperator",
    "KlingVideoFailOperator",
    "KlingVideoVerdictOperator",
]
LEFT_OUT = "The job was left out: the task with which it begins was skipped."


class KlingVideoFailOperator(KlingVideoBaseOperator, task="failed"):
    """FAILED: close the record of a job that failed, with the reason; skipped when the job did not fail.

    Give it the trigger rule ``one_failed`` behind every task in which a job can fail.
    """

    ui_color = UI_COLORS["bad"]

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the failed job."""
        from airflow_provider_klingvideo.runtime.job_run import JobRun, raise_missing
        from airflow_provider_klingvideo.runtime.upstream import Upstream, named
        from airflow_provider_klingvideo.workflow.job.closing import close

        upstream, run = Upstream(self, context), JobRun.find(self, context)
        if run is None and not upstream.has_begun:
            raise AirflowSkipException(f"No job was begun: {upstream.blame or 'none of its own tasks has failed'}.")
        if run is None:
            raise_missing(self, context)
        if not run.job.is_terminal:
            # Airflow below 3.3 calls this task for every index of a mapped group as soon as one has failed.
            failed = upstream.failed
            if not failed:
                raise AirflowSkipException(f"Job {run.job.id} is {run.job.state}; none of its own tasks has failed.")
            names = named(upstream.failed_of_group or failed)
            run.end(close, f"task {names} failed, or was stopped by a person or by Airflow")
        return _entered(run, WorkflowState.FAILED)


class KlingVideoCancelOperator(KlingVideoBaseOperator, task="cancelled"):
    """CANCELLED: close the record of a job that was cancelled in the queue; skipped when the job was not.

    Give it the trigger rule ``all_skipped`` behind the last task in which a job can be cancelled.
    """

    ui_color = UI_COLORS["neutral"]

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the cancelled job."""
        from airflow_provider_klingvideo.runtime.job_run import JobRun
        from airflow_provider_klingvideo.runtime.upstream import Upstream, named
        from airflow_provider_klingvideo.workflow.job.closing import cancel

        upstream = Upstream(self, context)
        if upstream.is_left_out:
            raise AirflowSkipException(LEFT_OUT)
        run = JobRun.start(self, context)
        if not run.job.is_terminal:
            skipped = f"task {named(upstream.skipped)}" if upstream.skipped else "its task"
            run.end(cancel, f"{skipped} was skipped, by a person, a branch or Airflow")
        return _entered(run, WorkflowState.CANCELLED)


class KlingVideoVerdictOperator(KlingVideoBaseOperator, task="verdict"):
    """Judge a job by its record: fail for a FAILED one, return any other; close a record that no handler has closed.

    It fails as well when a task of a job that was COMPLETED before failed as it was run again.

    Give it the trigger rule ``all_done`` behind the tasks of all terminal states, as the only leaf.
    """

    ui_color = UI_COLORS["neutral"]
    operator_extra_links: Sequence[BaseOperatorLink] = FILE_LINKS

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the job, unless it failed."""
        from airflow_provider_klingvideo.runtime.airflow_errors import told_first
        from airflow_provider_klingvideo.runtime.job_run import JobRun, raise_missing
        from airflow_provider_klingvideo.runtime.upstream import Upstream, named
        from airflow_provider_klingvideo.workflow.job.closing import close
        from airflow_provider_klingvideo.workflow.story import told_of

        upstream, run = Upstream(self, context), JobRun.find(self, context)
        # A job that somebody has begun and nobody has ended may be paid: it is ended here, left out or not.
        if (run is None or run.job.is_terminal) and upstream.is_left_out:
            raise AirflowSkipException(LEFT_OUT)
        if run is None and upstream.blame and not upstream.has_begun:
            raise told_first(AirflowFailException(f"No job was begun: {upstream.blame}. Clear it to try again."))
        if run is None:
            raise_missing(self, context)
        if not run.job.is_terminal:
            run.end(close, "its tasks ended without recording a result, or were stopped by a person or by Airflow")
        if run.job.state is WorkflowState.FAILED:
            culprits = upstream.failed_of_group
            advice = f" To go on, clear task {named(culprits)} and what follows it." if culprits else ""
            raise told_first(AirflowFailException(f"{told_of(run.job)}{advice}"))
        if run.job.state is WorkflowState.COMPLETED and (failed := upstream.failed):
            names = named(upstream.failed_of_group or failed)
            raise told_first(
                AirflowFailException(f"Job {run.job.id} was COMPLETED, but {names} failed when run again. Clear it.")
            )
        self.log.info("%s", told_of(run.job))
        return run.told()


def _entered(run: JobRun, state: WorkflowState) -> dict[str, Any]:
    """Return the job when it is in a state, else skip the task: its state is not entered."""
    from airflow_provider_klingvideo.workflow.story import told_of

    if run.job.state is not state:
        raise AirflowSkipException(f"Job {run.job.id} is {run.job.state}, not {state}.")
    logging.getLogger(__name__).info("%s", told_of(run.job))
    return run.told()
