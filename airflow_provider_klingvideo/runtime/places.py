"""Which job a task instance is about, where its record lies, and what Airflow knows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_klingvideo.runtime.options import ALWAYS
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.storage.names import job_id
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow.batch.row_book import RowBook
from airflow_provider_klingvideo.workflow.batch.run import JobTerms
from airflow_provider_klingvideo.workflow.job.sections import ApprovalRule, Budget, Origin

if TYPE_CHECKING:
    from airflow.sdk import Context


class JobTask(Protocol):
    """What is needed of a task: the operators and the sensor of this provider have it."""

    job_key: str | None
    klingai_conn_id: str
    output_path: str | None
    transitions: Mapping[str, Sequence[str]] | None
    batch: str | None
    task_id: str
    task_group: Any
    upstream_task_ids: Any

    def settings(self) -> dict[str, Any]:
        """Return the settings of the workflow that the task sets itself."""

    def called_after(self, job: WorkflowJob) -> None:
        """Call the task after its job."""


def session_of(task: JobTask) -> Session:
    """Return what a task works with."""
    return Session(task.klingai_conn_id, task.output_path, task.settings, transitions=task.transitions)


def store_of(session: Session, context: Context, batch: str | None = None) -> JobStore:
    """Return the records of a DAG run, or of a batch of its DAG."""
    ti = context["ti"]
    return session.store(ti.dag_id, batch or ti.run_id)


def row_book_of(session: Session, task: JobTask, context: Context) -> RowBook:
    """Return the rows of the batch that a task is about."""
    return session.row_book(store_of(session, context, task.batch), job_key_of(task))


def job_id_of(session: Session, task: JobTask, context: Context) -> tuple[str, str | None]:
    """Return the id of the job that a task instance is about: of the job given to it, else of its place in the DAG.

    :returns: the id, and the key of its row where the rows of a batch were asked for it.
    """
    given = getattr(task, "job", None)
    if given:
        return str(given["id"] if isinstance(given, Mapping) else given), None
    if task.batch:
        row = row_book_of(session, task, context).read()[context["ti"].map_index or 0]
        return row.job_id, row.key
    return name_of(context, job_key_of(task)), None


def name_of(context: Context, key: str, *, map_index: int | None = None) -> str:
    """Return the name of what a task instance makes, the same on every try.

    :param key: tells several things of one run apart.
    :param map_index: of another task instance.
    """
    ti = context["ti"]
    index = ti.map_index if map_index is None else map_index
    return job_id(ti.dag_id, ti.run_id, key, -1 if index is None else index)


def job_key_of(task: JobTask) -> str:
    """Return what tells the jobs of a run apart: the task's ``job_key``, else its task group, else the task itself."""
    group = task.task_group
    return task.job_key or (group.group_id if group else None) or task.task_id


def origin_of(context: Context, **known: Any) -> Origin:
    """Return where a job comes from.

    :param known: further fields of the section.
    """
    ti = context["ti"]
    return Origin(dag_id=ti.dag_id, run_id=ti.run_id, map_index=ti.map_index, **known)


def turn_of(task: Any, context: Context) -> str:
    """Name what a person has started: a run, or a clear of it. Airflow's own tries do not count."""
    return f"{context['ti'].run_id}#{_tries_before(task, context)}"


def is_beginning(task: Any, context: Context) -> bool:
    """Whether this is the first try since a person has started the task.

    A run that was deleted and made again has the same turns as the old one, whose jobs must not stay failed for that.
    """
    tries: int = context["ti"].try_number
    return tries == _tries_before(task, context) + 1


def _tries_before(task: Any, context: Context) -> int:
    """The number of tries before a person has cleared the task last."""
    return (context["ti"].max_tries or 0) - (task.retries or 0)


def terms_of(session: Session, task: Any, context: Context) -> JobTerms:
    """Return under what the jobs of a task may be ordered.

    :param task: with the options of the tasks ``validated`` and ``queued``.
    :raises OptionError: an argument makes no sense.
    """
    return JobTerms(budget_of(session, task, context), task.option("priority"), approval_rule_of(task))


def budget_of(session: Session, task: Any, context: Context) -> Budget | None:
    """Return the budget of a task, None when there is none.

    :raises OptionError: it makes no sense.
    """
    units = task.option("budget_units")
    if units is None:
        return None
    ti = context["ti"]
    name = task.budget_key or f"{ti.dag_id} {ti.run_id}"
    folder = str(session.budget_folder(name))
    return Budget(name=name, units=units, folder=folder, unknown_price=task.option("unknown_price"))


def approval_rule_of(task: Any) -> ApprovalRule | None:
    """Return when a person is asked about the jobs of a task, None for never.

    :raises OptionError: it makes no sense.
    """
    above = task.option("ask_above")
    if above is None:
        return None
    return ApprovalRule(
        above=None if above == ALWAYS else above,
        users=task.option("assigned_users") or [],
        seconds=task.option("answer_timeout"),
        on_no_answer=task.option("on_no_answer"),
    )
