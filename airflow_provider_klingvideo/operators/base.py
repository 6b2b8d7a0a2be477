"""What all tasks of a job have in common; light, since DAG files load it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.definitions._internal.contextmanager import DagContext, TaskGroupContext

from airflow_provider_klingvideo._compat import BACKOFF, HAS_RETRY_POLICIES
from airflow_provider_klingvideo.operators.labels import TEMPLATE, label_of_chunk, label_of_job, label_of_request
from airflow_provider_klingvideo.runtime.options import (
    Option,
    Required,
    documented,
    options_of,
    settings_from,
    untemplated,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klingvideo.runtime.job_run import JobRun
    from airflow_provider_klingvideo.workflow import WorkflowJob
    from airflow_provider_klingvideo.workflow.job.waits import StateWait

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


# Where the name of a mapped task comes from while its job is not known.
LABELS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "job": label_of_job,
    "request": label_of_request,
    "chunk": label_of_chunk,
}


def with_retry_defaults(arguments: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """Return the arguments of a task with this provider's way of trying again, where nothing else is said.

    :param arguments: those of the constructor; Airflow puts the defaults of DAG and group among them.
    :param others: further defaults of this provider.
    """
    chosen = {**(arguments.get("default_args") or {}), **arguments}
    ours = {**RETRY_DEFAULTS, **others}
    return {**{name: value for name, value in ours.items() if name not in chosen}, **arguments}


def mapped_defaults(operator: type, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a task that is mapped, with those that come from ``default_args``.

    Airflow asks no constructor when it maps: it takes its own defaults before those of this provider could count, and
    of the task's ``default_args`` its own arguments only.

    :param operator: the class with the arguments of ours.
    :param arguments: of its constructor, as far as they are not mapped.
    """
    given = arguments.get("default_args") or {}
    around = defaults_around(arguments.get("dag"), arguments.get("task_group"))
    own = {name: given[name] for name in inspect.signature(operator).parameters if name in given}
    label = {"map_index_template": TEMPLATE} if issubclass(operator, KlingVideoTask) else {}
    return with_retry_defaults({**own, **arguments, "default_args": {**around, **given}}, **label)


class TriedAgain:
    """An operator that is tried again as this provider has it, also where it is mapped."""

    @classmethod
    def partial(cls, **arguments: Any) -> Any:
        """Return the operator with arguments set, to be expanded over others.

        :param arguments: of the constructor.
        """
        return super().partial(**mapped_defaults(cls, arguments))  # type: ignore[misc]


def defaults_around(dag: Any = None, group: Any = None) -> Mapping[str, Any]:
    """Return the ``default_args`` of the DAG and the groups in which a task is being made."""
    dag = dag or DagContext.get_current()
    group = group or (dag and TaskGroupContext.get_current(dag))
    return {**(dag.default_args if dag else {}), **(group.default_args if group else {})}


class KlingVideoTask(TriedAgain):
    """A task with options of :mod:`~airflow_provider_klingvideo.runtime.options`.

    A class that names a task of that table, ``class MyOperator(..., task="queued")``, gets from it the arguments of its
    constructor, its template fields, and the lines of its docstring about them.
    """

    task_name: ClassVar[str] = ""
    _job_label: str = ""
    options: ClassVar[tuple[Option, ...]] = ()

    if TYPE_CHECKING:
        job: Mapping[str, Any] | str | None
        job_key: str | None
        klingai_conn_id: str
        output_path: str | None
        transitions: Mapping[str, Sequence[str]] | None
        batch: str | None

    def __init_subclass__(cls, *, task: str | None = None, **kwargs: Any) -> None:
        """Make what the table says of a task."""
        super().__init_subclass__(**kwargs)
        if task is None:
            return
        cls.task_name = task
        cls.options = tuple(options_of(task))
        templated = [one.name for one in cls.options if one.is_templated]
        renderers = {one.name: "json" for one in cls.options if one.is_json}
        cls.template_fields = (*templated, *vars(cls).get("template_fields", ()))  # type: ignore[attr-defined]
        cls.template_fields_renderers = renderers  # type: ignore[attr-defined]
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{inspect.cleandoc(documented(cls.options))}\n"
        cls.__init__ = _constructor(cls, vars(cls).get("__init__"))  # type: ignore[method-assign]

    @classmethod
    def partial(cls, **arguments: Any) -> Any:
        """Return the operator with arguments set, to be expanded over others.

        :param arguments: of the constructor.
        :raises OptionError: one that is not templated makes no sense.
        """
        untemplated(cls.options, arguments)
        return super().partial(**arguments)

    def _do_render_template_fields(self, parent: Any, template_fields: Any, *args: Any, **kwargs: Any) -> None:
        """Render, and hide what signs addresses before Airflow keeps and shows the rendered fields.

        Airflow calls this, and no public method, for mapped tasks, too.
        """
        super()._do_render_template_fields(parent, template_fields, *args, **kwargs)  # type: ignore[misc]
        if parent is self:
            from airflow_provider_klingvideo.operators.signatures import hide_signatures

            hide_signatures(self)

    @property
    def map_label(self) -> str:
        """What a mapped task is called: by its job, before that is known by its request, or by its rows."""
        return self._job_label or next(
            (label(given) for name, label in LABELS.items() if isinstance(given := getattr(self, name, None), Mapping)),
            "",
        )

    def called_after(self, job: WorkflowJob) -> None:
        """Call the task after its job."""
        self._job_label = label_of_job(job.as_json())

    def option(self, name: str) -> Any:
        """Return the value of an option, read as the table says.

        :raises OptionError: it makes no sense.
        """
        return next(one for one in self.options if one.name == name).value(getattr(self, name))

    def settings(self) -> dict[str, Any]:
        """Return the settings of the workflow that this task sets itself.

        :raises OptionError: a value makes no sense.
        """
        return settings_from(self, self.options)

    def resume(self, context: Context, event: Any = None) -> Any:
        """Do the task's work again after a wait whose event tells nothing."""
        return self.execute(context)  # type: ignore[attr-defined]

    def answered(self, context: Context, event: Any = None, asked: Any = None) -> Any:
        """Keep what a person has answered on the job's record, and go on.

        :param event: Airflow's: the answer, or that nobody has given one.
        :param asked: what the question was about.
        """
        from airflow_provider_klingvideo.runtime.job_run import JobRun
        from airflow_provider_klingvideo.triggers.approvals import keep_event

        keep_event(JobRun.start(self, context), asked or {}, event or {})  # type: ignore[arg-type]
        return self.resume(context)

    def wait_for(self, run: JobRun, wait: StateWait, *, method_name: str = "resume") -> NoReturn:
        """Leave the worker until what the job waits for has come; this spends no retry.

        :param method_name: what is called then.
        """
        from airflow_provider_klingvideo.triggers.waits import leave

        self.log.info("Waiting, deferred: %s", wait.words)  # type: ignore[attr-defined]
        leave(self, run, wait, method_name)


def _constructor(cls: Any, own: Callable[..., None] | None) -> Callable[..., None]:
    """Return a constructor with the options as keyword arguments, and what the class itself takes besides."""
    taken_by_class = inspect.signature(own).parameters if own else {}
    options = tuple(one for one in cls.options if one.name not in taken_by_class)

    def __init__(self: Any, **kwargs: Any) -> None:  # noqa: N807 - it becomes one
        given = {one.name: kwargs.pop(one.name, one.default) for one in options}
        label = {"map_index_template": TEMPLATE} if _is_mapped(kwargs.get("task_group")) else {}
        if own is None:
            super(cls, self).__init__(**with_retry_defaults(kwargs, **label))
        else:
            own(self, **with_retry_defaults(kwargs, **label))
        for name, value in {**given, **untemplated(options, given)}.items():
            setattr(self, name, value)

    keyword, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    arguments = {
        one.name: inspect.Parameter(one.name, keyword, default=empty if one.default is Required else one.default)
        for one in options
    }
    for parameter in taken_by_class.values():
        if parameter.kind is keyword:
            arguments[parameter.name] = parameter
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    rest = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    in_order = sorted(arguments.values(), key=lambda one: one.default is not empty)
    __init__.__signature__ = inspect.Signature([first, *in_order, rest])  # type: ignore[attr-defined]
    return __init__


def _is_mapped(group: Any) -> bool:
    """Whether a group, or one around it, is mapped."""
    return group is not None and any(True for _ in group.iter_mapped_task_groups())


class KlingVideoBaseOperator(KlingVideoTask, BaseOperator):
    """Base of the operators."""

    ui_color = UI_COLORS["work"]
