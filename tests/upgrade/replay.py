"""DAG runs that another version began: what had ended then ends again without being run, the rest is run.

Airflow's ``dag.test()`` begins each run anew. So the operators are wrapped: a task instance that had succeeded
returns the XCom that it had returned, one that was deferred hands over the trigger that Airflow had kept, with the
arguments it had kept, and only what had died or had not begun does its work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import Any

import pytest
from airflow.exceptions import AirflowFailException, AirflowSkipException

from upgrade.fixture_files import Instance, Loaded

PACKAGE = "airflow_provider_klingvideo"
RETURNED = "return_value"


def imported(path: str) -> Any:
    """Return a class, as Airflow finds one that its database names."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


class Replay:
    """What Airflow knew about the runs of a fixture.

    :param loaded: the fixture.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.values: dict[Instance, dict[str, Any]] = {}
        for row in loaded.of_airflow("xcom"):
            self.values.setdefault(Instance.of(row), {})[row["key"]] = row["value"]
        self.deferred = {Instance.of(row): row for row in loaded.of_airflow("deferred")}
        self.stored = {Instance.of(row): (row["key"], row["value"]) for row in loaded.of_airflow("state_store")}
        self.ended = _ended(loaded)
        self.is_cleared = False

    def clear(self) -> None:
        """Forget what tasks had done, as after a person has cleared the runs; the store of task states stays."""
        self.ended.clear()
        self.deferred.clear()
        self.is_cleared = True

    def begin(self, task: Any, context: Any, work: Callable[[Any, Any], Any]) -> Any:
        """Do what a task instance has left to do."""
        ti = context["ti"]
        instance = Instance(ti.dag_id, ti.run_id, task.task_id, -1 if ti.map_index is None else ti.map_index)
        if state := self.ended.get(instance):
            return self._ended_again(ti, instance, state)
        if not self.is_cleared:
            # The try that the old version began has died; this is the next one, and no person has asked for it.
            ti.try_number += 1
        self._fill_store(context, instance)
        kept = self.deferred.pop(instance, None)
        if kept is None:
            return work(task, context)
        if not kept["classpath"].startswith(PACKAGE):
            # A trigger of Airflow's own, whose time is over.
            return getattr(task, kept["method_name"])(context)
        return task.defer(trigger=imported(kept["classpath"])(**kept["kwargs"]), method_name=kept["method_name"])

    def _ended_again(self, ti: Any, instance: Instance, state: str) -> Any:
        if state == "skipped":
            raise AirflowSkipException("as before")
        if state == "failed":
            raise AirflowFailException("as before")
        values = self.values.get(instance, {})
        for key, value in values.items():
            if key != RETURNED:
                ti.xcom_push(key=key, value=value)
        return values.get(RETURNED)

    def _fill_store(self, context: Any, instance: Instance) -> None:
        store = context.get("task_state_store")
        if store is not None and instance in self.stored:
            store.set(*self.stored[instance])

    def run(self, monkeypatch: pytest.MonkeyPatch, dag: Any, run: dict[str, Any]) -> Any:
        """Run a DAG to its end."""
        with monkeypatch.context() as patched:
            patched.setattr(time, "sleep", _briefly(time.sleep))
            for one in _operators(dag):
                patched.setattr(one, "execute", self._wrapped(one.execute))
            date = datetime.fromisoformat(run["run_id"].removeprefix("manual__"))
            dag_run = dag.test(logical_date=date, run_after=date, run_conf=run["conf"])
        assert dag_run.run_id == run["run_id"]
        return dag_run

    def _wrapped(self, work: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def execute(task: Any, context: Any) -> Any:
            return self.begin(task, context, work)

        return execute


def _briefly(sleep: Callable[[float], None]) -> Callable[[float], None]:
    """Shorten the second for which ``dag.test()`` sleeps in every turn in which Airflow only skips tasks."""
    return lambda seconds: sleep(0.01 if seconds == 1 else seconds)


def _ended(loaded: Loaded) -> dict[Instance, str]:
    """Return what is not run again: where a process died, of the tasks of its job those alone that had succeeded."""
    states = {Instance.of(row): row["state"] for row in loaded.of_airflow("task")}
    dead = {_of_job(one) for one, state in states.items() if state == "died"}
    final = {one: {"success"} if _of_job(one) in dead else {"success", "skipped", "failed"} for one in states}
    return {one: state for one, state in states.items() if state in final[one]}


def _of_job(one: Instance) -> tuple[str, str, int]:
    return one.dag_id, one.run_id, one.map_index


def _operators(dag: Any) -> set[type]:
    classes = {getattr(task, "operator_class", type(task)) for task in dag.tasks}
    return {one for one in classes if one.__module__.startswith(PACKAGE)}
