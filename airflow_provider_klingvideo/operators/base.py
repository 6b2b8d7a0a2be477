"""What all tasks of a job have in common; light, since DAG files load it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_klingvideo._compat import BACKOFF, HAS_RETRY_POLICIES

if TYPE_CHECKING:
    from airflow.sdk import Context

DEFAULT_CONNECTION = "klingai_default"

RETRY_DEFAULTS: dict[str, Any] = {
    # Every task can be run again without paying again, and a deferral that ends at a bad moment fails its try.
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": BACKOFF,
    "max_retry_delay": timedelta(minutes=10),
}
if HAS_RETRY_POLICIES:
    from airflow_provider_klingvideo.runtime.retries import KlingVideoRetryPolicy

    RETRY_DEFAULTS["retry_policy"] = KlingVideoRetryPolicy()

UI_COLORS = {
    "work": "#e8f0fe",
    "wait": "#fef7e0",
    "good": "#e6f4ea",
    "bad": "#fce8e6",
    "neutral": "#f1f3f4",
}


def with_retry_defaults(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a task with this provider's way of trying again, where nothing else is said.

    :param arguments: those of the constructor; Airflow puts the defaults of DAG and group among them.
    """
    chosen = {**(arguments.get("default_args") or {}), **arguments}
    return {**{name: value for name, value in RETRY_DEFAULTS.items() if name not in chosen}, **arguments}


class KlingVideoTask:
    """The arguments that operators and the sensor share.

    :param job: (templated) the job: the output of an earlier task of it, or its id. Empty: the job of this task group
        and map index.
    :param job_key: (templated) tells several jobs of one DAG run apart; default: the id of the task group, outside of
        groups that of the task.
    :param klingai_conn_id: (templated) the connection.
    :param output_path: (templated) folder for records and videos, a path or object storage URI; default: the option
        ``[klingvideo] output_path``.
    :param transitions: another transition table, state name to names; default: the table of this product.
    :param batch: (templated) name of the batch whose rows the jobs come from: they lie in a folder of this name, not of
        the DAG run, and are known by the keys of their rows. Empty: the job is known by its place in the DAG run.
    """

    task_fields: Sequence[str] = ("job", "job_key", "klingai_conn_id", "output_path", "batch")

    job: Mapping[str, Any] | str | None
    job_key: str | None
    klingai_conn_id: str
    output_path: str | None
    transitions: Mapping[str, Sequence[str]] | None
    batch: str | None

    def set_job_arguments(
        self,
        job: Mapping[str, Any] | str | None,
        job_key: str | None,
        klingai_conn_id: str,
        output_path: str | None,
        transitions: Mapping[str, Sequence[str]] | None,
        batch: str | None,
    ) -> None:
        """Keep the shared arguments as they are: templates are not rendered yet."""
        self.job = job
        self.job_key = job_key
        self.klingai_conn_id = klingai_conn_id
        self.output_path = output_path
        self.transitions = transitions
        self.batch = batch

    def step_overrides(self) -> dict[str, Any]:
        """Return the settings of the workflow that this task sets itself."""
        return {}

    def resume(self, context: Context, event: Any = None) -> Any:
        """Do the task's work again after a wait that ended by the clock."""
        return self.execute(context)  # type: ignore[attr-defined]


class KlingVideoOperator(KlingVideoTask, BaseOperator):
    """Base of the operators: one job, one state."""

    template_fields: Sequence[str] = KlingVideoTask.task_fields
    ui_color = UI_COLORS["work"]

    def __init__(
        self,
        *,
        job: Mapping[str, Any] | str | None = None,
        job_key: str | None = None,
        klingai_conn_id: str = DEFAULT_CONNECTION,
        output_path: str | None = None,
        transitions: Mapping[str, Sequence[str]] | None = None,
        batch: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_defaults(kwargs))
        self.set_job_arguments(job, job_key, klingai_conn_id, output_path, transitions, batch)
