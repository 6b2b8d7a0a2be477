"""``@task.kling_video``: a function that returns a request becomes a task that makes the video."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs
from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, _TaskDecorator, task_decorator_factory
from airflow.sdk.definitions.context import context_merge

from airflow_provider_klingvideo._compat import determine_kwargs
from airflow_provider_klingvideo.operators.base import mapped_defaults
from airflow_provider_klingvideo.operators.video import KlingVideoOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["kling_video_task"]

# Known when the task runs only; nothing is rendered or ordered of it.
NOT_ASKED_YET: Mapping[str, Any] = {}


class _KlingVideoDecoratedOperator(DecoratedOperator, KlingVideoOperator):
    """Asks the function for the request, and takes the video through all its states.

    The function is called when the task begins, and not when it goes on after a wait or a try that failed: it may
    return other words each time, which would be another video to pay. The record says what was asked.
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *KlingVideoOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **KlingVideoOperator.template_fields_renderers,
    }
    custom_operator_name: str = "@task.kling_video"
    overwrite_rtif_after_execution: bool = True

    def __init__(
        self,
        *,
        python_callable: Callable[..., Mapping[str, Any]],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            request=NOT_ASKED_YET,
            **kwargs,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the function, and make the video that it asks for.

        :raises TypeError: the function returns something else than a request.
        """
        from airflow_provider_klingvideo.runtime.job_run import JobRun

        if begun := JobRun.begun(self, context):
            return self._go_on(begun)
        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        request = self.python_callable(*self.op_args, **arguments)
        if not isinstance(request, Mapping):
            raise TypeError(f"A function of @task.kling_video returns a request, not {type(request).__name__}")
        self.request = request
        self.render_template_fields(context)
        return KlingVideoOperator.execute(self, context)


class _KlingVideoTaskDecorator(_TaskDecorator[Any, Any, Any]):
    """Asks for the defaults of DAG and groups where the function is mapped, which may be elsewhere than its module."""

    def _expand(self, expand_input: Any, *, strict: bool) -> Any:
        chosen = attrs.evolve(self, kwargs=mapped_defaults(KlingVideoOperator, self.kwargs))
        return super(_KlingVideoTaskDecorator, chosen)._expand(expand_input, strict=strict)


def kling_video_task(
    python_callable: Callable[..., Mapping[str, Any]] | None = None, **arguments: Any
) -> TaskDecorator:
    """Make a task of a function that returns a request; see :class:`KlingVideoOperator`.

    :param python_callable: the function.
    :param arguments: of the operator: the connection, timeouts, budget ...
    """
    decorated: Any = task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=_KlingVideoDecoratedOperator, **arguments
    )
    made = _expanding(decorated) if python_callable else lambda function: _expanding(decorated(function))
    return cast("TaskDecorator", made)


def _expanding(decorated: Any) -> _KlingVideoTaskDecorator:
    """Return Airflow's decorator of a function as ours."""
    fields: dict[str, Any] = {
        str(one.alias): getattr(decorated, one.name) for one in attrs.fields(_TaskDecorator) if one.init
    }
    return _KlingVideoTaskDecorator(**fields)
