"""The one place where a wait becomes a trigger."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_klingvideo._compat import TaskAwaitingInput
from airflow_provider_klingvideo.runtime import configuration
from airflow_provider_klingvideo.runtime.batches.chunks import LONGEST_DEFERRAL
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.triggers.approvals import OPTIONS, open_action
from airflow_provider_klingvideo.triggers.batch import KlingVideoBatchTrigger
from airflow_provider_klingvideo.triggers.budgets import KlingVideoBudgetTrigger
from airflow_provider_klingvideo.triggers.klingvideo import KlingVideoTaskTrigger
from airflow_provider_klingvideo.triggers.slots import KlingVideoSlotTrigger
from airflow_provider_klingvideo.workflow import GenerationWatch, WorkflowJob
from airflow_provider_klingvideo.workflow.batch.run import Suspended
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import WaitForBudget
from airflow_provider_klingvideo.workflow.gates.consent import WaitForPerson
from airflow_provider_klingvideo.workflow.gates.slots.slots import WaitForSlot
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.waits import StateWait, WaitForMoment
from airflow_provider_klingvideo.workflow.waiting.following import WaitForTask
from airflow_provider_klingvideo.workflow.waiting.timings import timing_key

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_klingvideo.runtime.job_run import JobRun

# The trigger's own deadline must come first: Airflow's asks no code of ours.
BACKSTOP = timedelta(minutes=5)
# Jobs that were refused together shall not come back together.
JITTER = 0.25
# Of those that wait for a slot, the first ones stand for all: when one may go, the batch looks for the rest.
HEADS = 20


def leave(task: Any, run: JobRun, wait: StateWait, method_name: str) -> NoReturn:
    """Make a task leave its worker until what a job waits for has come.

    :param method_name: what is called then; after a wait for a person ``answered``.
    """
    way: Callable[[Any, JobRun, Any, str], None] = _WAYS.get(type(wait), _defer)
    way(task, run, wait, method_name)
    raise AssertionError("neither deferring nor parking returns")


def _defer(task: Any, run: JobRun, wait: StateWait, method_name: str) -> None:
    trigger, timeout = deferral_of(run, wait)
    task.defer(trigger=trigger, method_name=method_name, timeout=timeout)


def _ask(task: Any, run: JobRun, wait: WaitForPerson, _method_name: str) -> None:
    open_action(run, wait)
    told = {"asked": wait.question.about.model_dump(mode="json")}
    if TaskAwaitingInput is not None:
        raise TaskAwaitingInput(method_name="answered", kwargs=told, timeout=timedelta(seconds=wait.seconds))
    trigger, timeout = deferral_of(run, wait)
    task.defer(trigger=trigger, method_name="answered", kwargs=told, timeout=timeout)


def deferral_of(run: JobRun, wait: StateWait) -> tuple[BaseTrigger, timedelta]:
    """Return the trigger that waits for what a job waits for, and when Airflow is to end it in any case.

    :param run: the task instance at work on the job.
    :param wait: what it waits for.
    """
    return _TRIGGERS[type(wait)](run, wait), timedelta(seconds=wait.seconds) + BACKSTOP


def batch_trigger(session: Session, jobs: Sequence[WorkflowJob], suspended: Suspended) -> KlingVideoBatchTrigger:
    """Return the trigger that waits for what the jobs of a batch wait for.

    :param jobs: all of the batch.
    :param suspended: what they wait for.
    """
    known = {job.id: job for job in jobs}
    followed = [_followed(known[job_id], watch) for job_id, watch in suspended.followed.items()]
    deadlines = [watch.deadline for watch in suspended.followed.values()]
    return KlingVideoBatchTrigger(
        klingai_conn_id=session.klingai_conn_id,
        followed=followed,
        queued=[asdict(place) for place in suspended.queued[:HEADS]],
        short=[asdict(need) for need in suspended.short[:HEADS]],
        board_path=str(session.board_folder),
        until=min([*deadlines, utc_now() + LONGEST_DEFERRAL]).isoformat(),
        pause_seconds=configuration.slot_pause_seconds(),
        minimum_seconds=configuration.minimum_deferral_seconds(),
    )


def _followed(job: WorkflowJob, watch: GenerationWatch) -> dict[str, Any]:
    return {
        "task_id": watch.task_id,
        "kind": job.kind,
        "submitted_at": watch.submitted_at.isoformat(),
        "deadline": watch.deadline.isoformat(),
        "window": list(watch.window),
        "timing": timing_key(job),
    }


def moment(seconds: float) -> BaseTrigger:
    """Return a trigger that waits for a moment."""
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    pause = max(seconds, configuration.minimum_deferral_seconds()) * (1 + JITTER * random.random())  # noqa: S311
    return DateTimeTrigger(utc_now() + timedelta(seconds=pause))


def _slot(run: JobRun, wait: WaitForSlot) -> BaseTrigger:
    place = wait.place
    return KlingVideoSlotTrigger(
        klingai_conn_id=run.session.klingai_conn_id,
        job_id=place.job_id,
        pack=place.pack,
        model=place.model,
        since=place.since,
        until=(utc_now() + timedelta(seconds=wait.seconds)).isoformat(),
        board_path=str(run.session.board_folder),
        records_path=str(run.store.base),
        priority=place.priority,
        revision=run.job.revision,
        pause_seconds=configuration.slot_pause_seconds(),
        minimum_seconds=configuration.minimum_deferral_seconds(),
    )


def _budget(run: JobRun, wait: WaitForBudget) -> BaseTrigger:
    return KlingVideoBudgetTrigger(
        klingai_conn_id=run.session.klingai_conn_id,
        need=asdict(wait.need),
        until=(utc_now() + timedelta(seconds=wait.seconds)).isoformat(),
        records_path=str(run.store.base),
        revision=run.job.revision,
        pause_seconds=configuration.slot_pause_seconds(),
        minimum_seconds=configuration.minimum_deferral_seconds(),
    )


def _task(run: JobRun, wait: WaitForTask) -> BaseTrigger:
    watch = wait.watch
    return KlingVideoTaskTrigger(
        klingai_conn_id=run.session.klingai_conn_id,
        vendor_task_id=watch.task_id,
        kind=run.job.kind,
        submitted_at=watch.submitted_at.isoformat(),
        deadline=watch.deadline.isoformat(),
        typical_seconds=watch.typical_seconds,
        window=list(watch.window),
        timing=timing_key(run.job),
        poll_min_seconds=watch.policy.min_seconds,
        poll_max_seconds=watch.policy.max_seconds,
        minimum_seconds=configuration.minimum_deferral_seconds(),
        job_id=run.job.id,
        records_path=str(run.store.base),
    )


def _person(run: JobRun, wait: WaitForPerson) -> BaseTrigger:
    from airflow.providers.standard.triggers.hitl import HITLTrigger

    return HITLTrigger(
        ti_id=run.context["ti"].id,
        options=list(OPTIONS),
        params={},
        timeout_datetime=utc_now() + timedelta(seconds=wait.seconds),
    )


_TRIGGERS: Mapping[type[StateWait], Callable[[JobRun, Any], BaseTrigger]] = {
    WaitForSlot: _slot,
    WaitForTask: _task,
    WaitForBudget: _budget,
    WaitForPerson: _person,
    WaitForMoment: lambda _run, wait: moment(wait.seconds),
}

_WAYS: Mapping[type[StateWait], Callable[[Any, JobRun, Any, str], None]] = {WaitForPerson: _ask}
