"""The transition table as a task group: a task per state, an edge per transition, a trigger rule per kind of edge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import TaskGroup, TriggerRule, task_group

from airflow_provider_klingvideo.operators.base import defaults_around
from airflow_provider_klingvideo.operators.batch import KlingVideoBatchVerdictOperator, KlingVideoCheckBatchOperator
from airflow_provider_klingvideo.operators.klingvideo import (
    KlingVideoCompleteOperator,
    KlingVideoCreateOperator,
    KlingVideoGenerateOperator,
    KlingVideoPostProcessOperator,
    KlingVideoQueueOperator,
    KlingVideoValidateOperator,
)
from airflow_provider_klingvideo.operators.outcome import (
    KlingVideoCancelOperator,
    KlingVideoFailOperator,
    KlingVideoVerdictOperator,
)
from airflow_provider_klingvideo.runtime.options import ENDS, OPTIONS, STATE_TASKS, WHOLE, documented, options_of
from airflow_provider_klingvideo.sensors.klingvideo import KlingVideoGenerationSensor
from airflow_provider_klingvideo.workflow.job.states import TERMINAL_STATES, WorkflowState
from airflow_provider_klingvideo.workflow.job.transitions import TRANSITIONS, TransitionTable

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

__all__ = ["KlingVideoWorkflow", "kling_video_workflow"]


class UnbuildableTableError(ValueError):
    """A sound transition table that no DAG can follow."""


NOT_SET_HERE = frozenset({"job", "request", "requests", "rows", "chunk", "chunk_size", "patience"})
GROUP_ARGUMENTS: Mapping[str, str] = {
    "group_id": "name of the group; default: ``video``.",
    "default_args": "arguments for every task of the group, for example ``retries`` or ``pool``.",
    "outlets": "assets that a completed video updates.",
    "all_or_nothing": "for a batch: order nothing when a request is not legal; every such request is named.",
}
GROUP_TASKS = (*STATE_TASKS, *ENDS, "rows", "checked", "batch_verdict", *WHOLE)
GROUP_OPTIONS = tuple(one for one in OPTIONS if one.name not in NOT_SET_HERE and set(one.tasks) & set(GROUP_TASKS))


WITHIN: Mapping[str, Any] = {"trigger_rule": TriggerRule.ALL_SUCCESS}
"""Of a task behind another one of its group: a rule that ``default_args`` have for branches must not break it."""
MAPPED_OVER: Mapping[str, Any] = {"do_xcom_push": True}
"""Of a task over whose output others are mapped, whatever ``default_args`` say."""


class KlingVideoWorkflow:
    """Builds the task group of one video, or of a batch of them.

    Call it for one video, :meth:`expand` it for a batch; :meth:`partial` sets arguments beforehand. What is not set is
    decided by the ``default_args`` of this group, of the groups around it and of the DAG, then by the default. What is
    set counts, None and False too.

    :param given: the arguments that are set; see the list.
    """

    __doc__ = f"{__doc__}\n" + "\n".join(
        [
            *(f"    :param {name}: {words}" for name, words in GROUP_ARGUMENTS.items()),
            documented(GROUP_OPTIONS),
        ]
    )

    def __init__(self, **given: Any) -> None:
        unknown = sorted(given.keys() - GROUP_ARGUMENTS.keys() - {one.name for one in GROUP_OPTIONS})
        if unknown:
            raise TypeError(f"kling_video_workflow has no argument {', '.join(unknown)}.")
        self.given: Mapping[str, Any] = given

    def partial(self, **arguments: Any) -> KlingVideoWorkflow:
        """Return a builder with arguments of this class set.

        :raises TypeError: for an argument that there is not.
        """
        return KlingVideoWorkflow(**{**self.given, **arguments})

    def __call__(self, request: Any, **arguments: Any) -> TaskGroup:
        """Build the group of one video.

        :param request: (templated) the video that is wanted: ``prompt``, ``model``, ``duration`` ...
        :param arguments: arguments of this class.
        :returns: the group; its only leaf is the task ``verdict``, which returns the job.
        """
        build = self.partial(**arguments)
        with TaskGroup(build.group_id, add_suffix_on_collision=True, tooltip="One Kling AI video") as group:
            build._tasks(request)
        return group

    def expand(self, *, request: Any) -> TaskGroup:
        """Build the group of a batch: the group of one video, mapped, and behind it the verdict over all.

        :param request: the requests, a list or the output of a task that returns one.
        :returns: the group; its only leaf is the task ``verdict``, which returns the summary.
        """
        with TaskGroup(self.group_id, add_suffix_on_collision=True, tooltip="A batch of Kling AI videos") as batch:
            checked = self.checked(request)
            mapped = self.mapped(checked, **({} if checked is request else WITHIN))
            judged = self.partial(job_key=self.chosen("job_key") or mapped.group_id)
            mapped >> judged.verdict(request)
        return batch

    def chosen(self, name: str) -> Any:
        """Return an argument that the group itself needs: as it is set, else as Airflow's ``default_args`` have it.

        :param name: of the argument.
        :returns: its value, None where nobody has set it.
        """
        around = {**defaults_around(), **(self.given.get("default_args") or {})}
        return {**around, **self.given}.get(name)

    @property
    def group_id(self) -> str:
        """Name of the group."""
        return str(self.given.get("group_id") or "video")

    def mapped(self, request: Any, **first: Any) -> TaskGroup:
        """Build the group of one video, mapped over requests; call it inside of the group of the batch.

        :param request: the requests.
        :param first: further arguments of the first task.
        """

        @task_group(group_id="jobs", tooltip="One Kling AI video per request")
        def jobs(request: Any) -> None:
            self._tasks(request, **first)

        return cast("TaskGroup", jobs.expand(request=request))

    def checked(self, requests: Any, **first: Any) -> Any:
        """Put the check of all requests before what follows, where ``all_or_nothing`` asks for it.

        :param requests: the requests.
        :param first: further arguments of the check.
        """
        if not self.chosen("all_or_nothing"):
            return requests
        arguments = {**self.arguments("checked"), **MAPPED_OVER, **first}
        return KlingVideoCheckBatchOperator(task_id="checked", requests=requests, **arguments).output

    def verdict(self, requests: Any) -> BaseOperator:
        """Build the verdict over all jobs of a batch."""
        return KlingVideoBatchVerdictOperator(
            task_id="verdict",
            requests=requests,
            trigger_rule=TriggerRule.ALL_DONE,
            **self.arguments("batch_verdict"),
        )

    def arguments(self, task: str) -> dict[str, Any]:
        """Return the arguments that are set of those that a task takes.

        :param task: its name in the table of options.
        """
        taken = {one.name for one in options_of(task)} | {"default_args"} | _ARGUMENTS_BESIDES.get(task, set())
        chosen = {name: self.given[name] for name in taken & self.given.keys()}
        return {name: list(value or ()) if name == "outlets" else value for name, value in chosen.items()}

    def _tasks(self, request: Any, **first: Any) -> None:
        transitions = self.chosen("transitions")
        table = TransitionTable(transitions) if transitions else TRANSITIONS
        tasks: dict[WorkflowState, list[BaseOperator]] = {}
        given: dict[str, Any] = {"request": request, **first}
        for state in working_path(table):
            tasks[state] = []
            for name, operator in _OPERATORS[state].items():
                # Each task takes the job from the one before it, which also makes the edge.
                task = operator(task_id=name, **given, **self.arguments(name))
                tasks[state].append(task)
                given = {"job": task.output, **WITHIN}
        _end(self, table, tasks)


_ARGUMENTS_BESIDES: Mapping[str, set[str]] = {
    "completed": {"outlets"},
    "video": {"outlets"},
    "videos": {"outlets"},
}


def working_path(table: TransitionTable) -> list[WorkflowState]:
    """Return the states from CREATED to COMPLETED, in order.

    :raises UnbuildableTableError: when the table branches or loops on the way, which a DAG cannot, or does not end in
        COMPLETED.
    """
    path = [WorkflowState.CREATED]
    while path[-1] not in TERMINAL_STATES:
        forward = table.forward(path[-1])
        if len(forward) != 1 or forward[0] in path:
            ways = ", ".join(forward) or "nowhere"
            raise UnbuildableTableError(
                f"A DAG cannot follow this table: from {path[-1]} it leads to {ways}; "
                "one way on, and none back, is needed."
            )
        path.append(forward[0])
    left_out = [state for state in _OPERATORS if state not in path]
    if left_out:
        raise UnbuildableTableError(f"A DAG cannot follow this table: its way leaves out {', '.join(left_out)}.")
    return path


def _end(build: KlingVideoWorkflow, table: TransitionTable, tasks: dict[WorkflowState, list[BaseOperator]]) -> None:
    ends = [tasks[WorkflowState.COMPLETED][-1]]
    for state, (operator, rule, sources) in _ENDS.items():
        upstream = sources(table, tasks)
        if upstream:
            end = operator(task_id=state.lower(), trigger_rule=rule, **build.arguments(state.lower()))
            upstream >> end
            ends.append(end)
    ends >> KlingVideoVerdictOperator(
        task_id="verdict", trigger_rule=TriggerRule.ALL_DONE, **build.arguments("verdict")
    )


def _can_fail(table: TransitionTable, tasks: dict[WorkflowState, list[BaseOperator]]) -> list[BaseOperator]:
    """Return every task in which the table lets a job become FAILED: by its own row, or on its way into its state."""
    path = list(tasks)
    return [
        task
        for before, state in zip([WorkflowState.CREATED, *path], path, strict=False)
        if table.allows(before if state in TERMINAL_STATES else state, WorkflowState.FAILED)
        for task in tasks[state]
    ]


def _can_be_cancelled(table: TransitionTable, tasks: dict[WorkflowState, list[BaseOperator]]) -> list[BaseOperator]:
    """Return the last task in which the table lets a job become CANCELLED.

    A skip further up arrives there by propagation, while with an edge from each task, a success further up would keep
    ``all_skipped`` from ever holding.
    """
    able = [task for state in tasks if table.allows(state, WorkflowState.CANCELLED) for task in tasks[state]]
    return able[-1:]


_ENDS: dict[WorkflowState, tuple[Any, TriggerRule, Callable[..., list[BaseOperator]]]] = {
    WorkflowState.FAILED: (KlingVideoFailOperator, TriggerRule.ONE_FAILED, _can_fail),
    WorkflowState.CANCELLED: (KlingVideoCancelOperator, TriggerRule.ALL_SKIPPED, _can_be_cancelled),
}

_OPERATORS: dict[WorkflowState, dict[str, Any]] = {
    WorkflowState.CREATED: {"created": KlingVideoCreateOperator},
    WorkflowState.VALIDATED: {"validated": KlingVideoValidateOperator},
    WorkflowState.QUEUED: {"queued": KlingVideoQueueOperator},
    WorkflowState.GENERATING: {"generating": KlingVideoGenerateOperator, "generation": KlingVideoGenerationSensor},
    WorkflowState.POST_PROCESSING: {"post_processing": KlingVideoPostProcessOperator},
    WorkflowState.COMPLETED: {"completed": KlingVideoCompleteOperator},
}

kling_video_workflow = KlingVideoWorkflow()
"""The builder with all arguments at their defaults."""
