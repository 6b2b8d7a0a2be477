"""The transition table as a task group: a task per state, an edge per transition, a trigger rule per kind of edge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import TaskGroup, TriggerRule, task_group

from airflow_provider_klingvideo.operators.base import DEFAULT_CONNECTION
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
from airflow_provider_klingvideo.sensors.klingvideo import KlingVideoGenerationSensor
from airflow_provider_klingvideo.workflow.job.states import TERMINAL_STATES, WorkflowState
from airflow_provider_klingvideo.workflow.job.transitions import TRANSITIONS, TransitionTable

if TYPE_CHECKING:
    from airflow.sdk import Asset, BaseOperator

__all__ = ["KlingVideoWorkflow", "kling_video_workflow"]


class UnbuildableTableError(ValueError):
    """A sound transition table that no DAG can follow."""


@dataclass(frozen=True)
class KlingVideoWorkflow:
    """Builds the task group of one video, or of a batch of them.

    Call it for one video, :meth:`expand` it for a batch; :meth:`partial` sets arguments beforehand.

    :param group_id: name of the group.
    :param klingai_conn_id: the connection.
    :param output_path: folder for records and videos, a path or object storage URI.
    :param transitions: another transition table, state name to names.
    :param default_args: arguments for every task of the group, for example ``retries`` or ``pool``.
    :param budget_units: units that the jobs of a budget may spend together; a number, a template, or None for none.
    :param budget_key: tells budgets apart, may be a template; default: one for each DAG run.
    :param unknown_price: ``fail`` a job of a budget whose price is on no list, or ``allow`` it.
    :param queue_timeout: seconds after which a job that got no slot is cancelled.
    :param priority: of jobs that wait for a slot those with a higher number go first; a number or a template.
    :param slot_timeout: seconds for which the vendor may refuse a job for want of a slot.
    :param generation_timeout: seconds that the vendor may take.
    :param generation_number: number of the generation; a higher one than the last orders, and pays, another video.
    :param regenerate_failed: order another video where the vendor has confirmed that the last task failed.
    :param on_changed_request: ``order`` another video, or ``fail``, when a job that is run again asks for something
        else than the one that was paid before.
    :param render_plan: (templated) what is made of a video, see :class:`KlingVideoPostProcessOperator`.
    :param deferrable: wait for the vendor in the triggerer.
    :param outlets: assets that a completed video updates.
    :param all_or_nothing: for a batch: order nothing when a request is not legal; every such request is named.
    :param max_failed_share: for a batch: the share of failed jobs up to which it counts as a success.
    :param batch: for a batch: its name, may be a template; see :func:`kling_video_batch`.
    :param job_key: tells the jobs of one DAG run apart; default: the id of the task group.
    """

    group_id: str = "video"
    klingai_conn_id: str = DEFAULT_CONNECTION
    output_path: str | None = None
    transitions: Mapping[str, Sequence[str]] | None = None
    default_args: Mapping[str, Any] = field(default_factory=dict)
    budget_units: float | str | None = None
    budget_key: str | None = None
    unknown_price: str = "fail"
    queue_timeout: float = 24 * 3600
    priority: int | str = 0
    slot_timeout: float = 24 * 3600
    generation_timeout: float = 3600
    generation_number: int | str = 1
    regenerate_failed: bool = False
    on_changed_request: str = "order"
    render_plan: Any = None
    deferrable: bool = True
    outlets: Sequence[Asset] = ()
    all_or_nothing: bool = False
    max_failed_share: float = 0.0
    batch: str | None = None
    job_key: str | None = None

    def partial(self, **arguments: Any) -> KlingVideoWorkflow:
        """Return a builder with arguments of this class set.

        :raises TypeError: for an argument that there is not.
        """
        unknown = sorted(arguments.keys() - {one.name for one in fields(self)})
        if unknown:
            raise TypeError(f"kling_video_workflow has no argument {', '.join(unknown)}.")
        return replace(self, **arguments)

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
            mapped = self.mapped(self.checked(request))
            judged = self if self.job_key else self.partial(job_key=mapped.group_id)
            mapped >> judged.verdict(request)
        return batch

    def mapped(self, request: Any) -> TaskGroup:
        """Build the group of one video, mapped over requests; call it inside of the group of the batch."""

        @task_group(group_id="jobs", tooltip="One Kling AI video per request")
        def jobs(request: Any) -> None:
            self._tasks(request)

        return cast("TaskGroup", jobs.expand(request=request))

    def checked(self, requests: Any) -> Any:
        """Put the check of all requests before what follows, where ``all_or_nothing`` asks for it."""
        if not self.all_or_nothing:
            return requests
        return KlingVideoCheckBatchOperator(task_id="checked", requests=requests, **self.shared()).output

    def verdict(self, requests: Any) -> BaseOperator:
        """Build the verdict over all jobs of a batch."""
        return KlingVideoBatchVerdictOperator(
            task_id="verdict",
            requests=requests,
            max_failed_share=self.max_failed_share,
            trigger_rule=TriggerRule.ALL_DONE,
            **self.shared(),
        )

    def shared(self) -> dict[str, Any]:
        """Return the arguments that every task of the group gets."""
        return {
            "klingai_conn_id": self.klingai_conn_id,
            "output_path": self.output_path,
            "transitions": self.transitions,
            "batch": self.batch,
            "job_key": self.job_key,
            "default_args": dict(self.default_args),
        }

    def _tasks(self, request: Any) -> None:
        table = TransitionTable(self.transitions) if self.transitions else TRANSITIONS
        tasks: dict[WorkflowState, list[BaseOperator]] = {}
        given = request
        for state in working_path(table):
            tasks[state] = []
            for make in _MAKERS[state]:
                # Each task takes the job from the one before it, which also makes the edge.
                task = make(self, given)
                tasks[state].append(task)
                given = task.output
        _end(self, table, tasks)


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
    left_out = [state for state in _MAKERS if state not in path]
    if left_out:
        raise UnbuildableTableError(f"A DAG cannot follow this table: its way leaves out {', '.join(left_out)}.")
    return path


def _end(build: KlingVideoWorkflow, table: TransitionTable, tasks: dict[WorkflowState, list[BaseOperator]]) -> None:
    ends = [tasks[WorkflowState.COMPLETED][-1]]
    for state, (operator, rule, sources) in _ENDS.items():
        upstream = sources(table, tasks)
        if upstream:
            end = operator(task_id=state.lower(), trigger_rule=rule, **build.shared())
            upstream >> end
            ends.append(end)
    ends >> KlingVideoVerdictOperator(task_id="verdict", trigger_rule=TriggerRule.ALL_DONE, **build.shared())


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

_MAKERS: dict[WorkflowState, list[Callable[[KlingVideoWorkflow, Any], Any]]] = {
    WorkflowState.CREATED: [
        lambda build, request: KlingVideoCreateOperator(task_id="created", request=request, **build.shared())
    ],
    WorkflowState.VALIDATED: [
        lambda build, job: KlingVideoValidateOperator(
            task_id="validated",
            job=job,
            budget_units=build.budget_units,
            budget_key=build.budget_key,
            unknown_price=build.unknown_price,
            render_plan=build.render_plan,
            **build.shared(),
        )
    ],
    WorkflowState.QUEUED: [
        lambda build, job: KlingVideoQueueOperator(
            task_id="queued",
            job=job,
            queue_timeout=build.queue_timeout,
            priority=build.priority,
            **build.shared(),
        )
    ],
    WorkflowState.GENERATING: [
        lambda build, job: KlingVideoGenerateOperator(
            task_id="generating",
            job=job,
            generation_number=build.generation_number,
            regenerate_failed=build.regenerate_failed,
            on_changed_request=build.on_changed_request,
            slot_timeout=build.slot_timeout,
            **build.shared(),
        ),
        lambda build, job: KlingVideoGenerationSensor(
            task_id="generation",
            job=job,
            deferrable=build.deferrable,
            timeout=build.generation_timeout,
            **build.shared(),
        ),
    ],
    WorkflowState.POST_PROCESSING: [
        lambda build, job: KlingVideoPostProcessOperator(
            task_id="post_processing", job=job, render_plan=build.render_plan, **build.shared()
        )
    ],
    WorkflowState.COMPLETED: [
        lambda build, job: KlingVideoCompleteOperator(
            task_id="completed", job=job, outlets=list(build.outlets), **build.shared()
        )
    ],
}

kling_video_workflow = KlingVideoWorkflow()
"""The builder with all arguments at their defaults."""
