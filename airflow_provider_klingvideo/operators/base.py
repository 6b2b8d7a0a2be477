"""What all tasks of a job have in common; light, since DAG files load it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    pass

DEFAULT_CONNECTION = "klingai_default"
# Every task can be run again without paying again, and a deferral that ends at a bad moment fails its try.
DEFAULT_RETRIES = 2

UI_COLORS = {
    "work": "#e8f0fe",
    "wait": "#fef7e0",
    "good": "#e6f4ea",
    "bad": "#fce8e6",
    "neutral": "#f1f3f4",
}


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
    """

    task_fields: Sequence[str] = ("job", "job_key", "klingai_conn_id", "output_path")

    job: Mapping[str, Any] | str | None
    job_key: str | None
    klingai_conn_id: str
    output_path: str | None
    transitions: Mapping[str, Sequence[str]] | None

    def set_job_arguments(
        self,
        job: Mapping[str, Any] | str | None,
        job_key: str | None,
        klingai_conn_id: str,
        output_path: str | None,
        transitions: Mapping[str, Sequence[str]] | None,
    ) -> None:
        """Keep the shared arguments as they are: templates are not rendered yet."""
        self.job = job
        self.job_key = job_key
        self.klingai_conn_id = klingai_conn_id
        self.output_path = output_path
        self.transitions = transitions

    def step_overrides(self) -> dict[str, Any]:
        """Return the settings of the workflow that this task sets itself."""
        return {}


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
        retries: int = DEFAULT_RETRIES,
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, **kwargs)
        self.set_job_arguments(job, job_key, klingai_conn_id, output_path, transitions)
