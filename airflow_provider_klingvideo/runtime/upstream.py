"""What Airflow says of the tasks before one: which failed, and whether the work was left out altogether."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

FAILED = frozenset({"failed", "upstream_failed"})
# The tasks with which a job or a batch begins, by their names in the table of options.
BEGINNINGS = frozenset({"rows", "checked", "created", "video", "videos"})
SHOWN = 5


@dataclass
class Upstream:
    """The tasks before a task instance, in its DAG run.

    :param task: the operator.
    :param context: Airflow's context.
    """

    task: Any
    context: Context

    @property
    def failed(self) -> list[str]:
        """The direct upstream tasks that failed, or did not run for one that failed; a mapped one with its index."""
        return sorted(name for name, state in self._states(self.task.upstream_task_ids).items() if state in FAILED)

    @property
    def is_left_out(self) -> bool:
        """Whether all tasks with which the job or the batch begins were skipped: by a branch, or with their input."""
        return self._beginnings == {"skipped"}

    @property
    def has_begun(self) -> bool:
        """Whether a task with which the job or the batch begins has done its work."""
        return "success" in self._beginnings

    @cached_property
    def _beginnings(self) -> set[str]:
        begin = [one.task_id for one in self._before if _name_of(one) in BEGINNINGS and self._is_of_group(one)]
        return set(self._states(begin).values())

    @cached_property
    def culprits(self) -> list[str]:
        """The tasks that failed themselves, however far up; a mapped one with its index."""
        names = {one.task_id for one in self._before}
        states = {**self._asked(names - {one.task_id for one in self._group}), **self._states_of_group}
        return sorted(name for name, state in states.items() if state == "failed")

    @property
    def failed_of_group(self) -> list[str]:
        """The tasks of the group that failed themselves: those behind them never ran, and are no reason."""
        return sorted(name for name, state in self._states_of_group.items() if state == "failed")

    @property
    def skipped(self) -> list[str]:
        """The tasks of the group where its skip began: those behind them never ran."""
        names = {name for name, state in self._states_of_group.items() if state == "skipped"}
        skipped = {one.task_id: found for one in self._group if (found := names & set(self._names(one.task_id)))}
        begun = [one for one in self._group if one.task_id in skipped and not one.upstream_task_ids & skipped.keys()]
        return sorted(name for one in begun for name in skipped[one.task_id])

    @property
    def blame(self) -> str:
        """Name the tasks that failed themselves, for a person; empty where none did."""
        return f"task {named(self.culprits)} failed" if self.culprits else ""

    @cached_property
    def _before(self) -> Iterable[Any]:
        return list(self.task.get_flat_relatives(upstream=True))

    @cached_property
    def _group(self) -> list[Any]:
        return [one for one in self._before if self._is_of_group(one)]

    @cached_property
    def _states_of_group(self) -> Mapping[str, str]:
        return self._states(one.task_id for one in self._group)

    def _names(self, task_id: str) -> tuple[str, str]:
        """By which Airflow may call a task when it tells its state: a mapped one by its index, too."""
        return task_id, f"{task_id}_{self.context['ti'].map_index}"

    def _is_of_group(self, task: Any) -> bool:
        group = self.task.task_group and self.task.task_group.group_id
        return not group or task.task_id.startswith(f"{group}.")

    def _states(self, task_ids: Iterable[str]) -> Mapping[str, str]:
        """Return the states of tasks for this very map index; of one that was never mapped, its only one."""
        wanted, index = set(task_ids), self.context["ti"].map_index
        if index in (None, -1):
            return self._asked(wanted)
        found = self._asked(wanted, index)
        return {**found, **self._asked({one for one in wanted if f"{one}_{index}" not in found}, -1)}

    def _asked(self, task_ids: Iterable[str], map_index: int | None = None) -> Mapping[str, str]:
        names, ti = sorted(task_ids), self.context["ti"]
        if not names:
            return {}
        answer = ti.get_task_states(dag_id=ti.dag_id, task_ids=names, map_index=map_index, run_ids=[ti.run_id])
        return {name: str(getattr(state, "value", state)) for name, state in answer.get(ti.run_id, {}).items()}


def _name_of(task: Any) -> str:
    """The name of a task, mapped or not, in the table of options; empty for one of another class."""
    return str(getattr(getattr(task, "operator_class", task), "task_name", ""))


def named(task_ids: Sequence[str]) -> str:
    """Name tasks for a person: the first ones, and how many more there are."""
    return ", ".join(shown(task_ids))


def shown(task_ids: Sequence[str]) -> list[str]:
    """Return the first of some names, and how many more there are."""
    more = len(task_ids) - SHOWN
    return [*task_ids[:SHOWN], *([f"{more} more"] if more > 0 else [])]
