"""Where processes of the old code die while the fixtures are made.

It knows the old code's inside, and has no other use.

A death is named by its point, and each job of a scene dies at one point at most:

==================  ==================================================================================
``task:NAME``       before the task of that name
``unvalidated``     the record was made, nothing was looked at (jobs that share a process)
``after:STATE``     when the record of that state has been kept (jobs that share a process)
``intent``          the create request is on record, nothing was sent
``lost``            Kling has accepted the task, its answer was not heard
``accepted``        Kling's answer is on record (jobs that share a process)
``defer:NAME``      the task of that name has handed its trigger to Airflow
``rendering``       a file was made and has not got its name
``spoken``          a speech is on record, its task has not returned
``unheard``         a speech was paid, its answer was not heard
==================  ==================================================================================
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

POSTER_PART = ".poster.jpg."
Deaths = Mapping[str, str]
"""Job to point. A job is named by its prompt, up to the colon, or by its product."""


class Killed(BaseException):
    """The process is dead: no handler of the product may hear of it."""


def name_of(prompt: str, kind: str) -> str:
    """Return what a scene calls a job."""
    return prompt.partition(":")[0] or kind


class Reaper:
    """Lets jobs die, and writes down what Airflow was told last.

    :param told: file that gets a line for every task that died and every trigger that was handed over.
    """

    def __init__(self, told: Path) -> None:
        self.deaths: Deaths = {}
        self.dead: set[str] = set()
        # Jobs that share a process stand still until all of them have come to their points; then it is killed.
        self.share_a_process = False
        self._told = told
        self._task: dict[str, Any] = {}
        self._job = ""

    def tell(self, what: str, **facts: Any) -> None:
        """Write a line."""
        with self._told.open("a") as file:
            file.write(json.dumps({"what": what, **self._task, **facts}) + "\n")

    def is_due(self, job: str, point: str) -> bool:
        """Whether a job dies at a point."""
        return self.deaths.get(job) == point

    def kill_at(self, point: str, job: str) -> None:
        """End the work on a job that dies at a point."""
        if self.is_due(job, point):
            self._note(job)
            if self.share_a_process:
                threading.Event().wait()
            raise Killed(job)

    async def akill_at(self, point: str, job: str) -> None:
        """End the work on a job that dies at a point of an event loop."""
        if self.is_due(job, point):
            self._note(job)
            if self.share_a_process:
                await asyncio.Event().wait()
            raise Killed(job)

    def _note(self, job: str) -> None:
        self.dead.add(job)
        self.tell("died")

    def before_task(self, context: Mapping[str, Any]) -> None:
        """Note which task comes; nothing more happens to a dead job, nor to what is told about it."""
        ti = context["ti"]
        self._task = {"run_id": ti.run_id, "dag_id": ti.dag_id, "task_id": ti.task_id, "map_index": ti.map_index}
        job, label = _job_of_task(context), ti.task_id.rpartition(".")[2]
        self._job = job
        is_about_dead = job in self.dead if job else bool(self.dead)
        if is_about_dead or self.is_due(job, f"task:{label}"):
            self._note(job)
            raise Killed(job)

    def before_defer(self, trigger: Any, method_name: str) -> None:
        """Note a trigger, and let its job die."""
        point = f"defer:{self._task['task_id'].rpartition('.')[2]}"
        if self.is_due(self._job, point):
            path, arguments = trigger.serialize()
            kept = json.loads(json.dumps(arguments, default=str))
            self.tell("deferred", classpath=path, kwargs=kept, method_name=method_name)
            self.kill_at(point, self._job)


def _job_of_task(context: Mapping[str, Any]) -> str:
    """Name the job that a task instance is about; empty for one that is about several."""
    ti, params = context["ti"], context["params"]
    group = ti.task_id.partition(".")[0]
    if ti.dag_id in {"upgrade_chain", "upgrade_things"}:
        return str(group)
    several = params.get("requests") or params.get("rows") or [params.get("request") or {}]
    if ti.dag_id == "upgrade_speech":
        return str(ti.task_id)
    if len(several) > 1 and (ti.map_index is None or ti.map_index < 0):
        return ""
    if ti.task_id == "videos.videos":
        return f"chunk_{ti.map_index}"
    request = several[max(ti.map_index or 0, 0)]
    return name_of(request.get("prompt", ""), request.get("kind", ""))


def _job_named(job: Any) -> str:
    return name_of(job.prompt, str(job.params.get("kind")))


def _is_accepted(job: Any) -> bool:
    """Whether the newest task of a job is known to run."""
    newest = job.submissions[-1] if job.submissions else None
    return bool(job.state == "GENERATING" and newest and newest.task_id and newest.outcome is None)


def install(reaper: Reaper) -> None:
    """Wrap the functions of Airflow and of the old code at which jobs die."""
    for wrap in (_between_tasks, _at_records, _at_orders, _at_files, _at_speeches):
        wrap(reaper)


def _between_tasks(reaper: Reaper) -> None:
    from airflow.sdk import BaseOperator
    from airflow.sdk.execution_time import task_runner

    @_around(task_runner, "_execute_task")
    def _execute_task(original: Callable[..., Any], *, context: Any, **named: Any) -> Any:
        reaper.before_task(context)
        return original(context=context, **named)

    @_around(BaseOperator, "defer")
    def _defer(original: Callable[..., Any], self: Any, *, trigger: Any, method_name: str, **others: Any) -> Any:
        reaper.before_defer(trigger, method_name)
        return original(self, trigger=trigger, method_name=method_name, **others)


def _at_records(reaper: Reaper) -> None:
    from airflow_provider_klingvideo.workflow import VideoSteps, WorkflowEngine

    @_around(VideoSteps, "validate")
    async def _validate(original: Callable[..., Any], self: Any, job: Any) -> Any:
        await reaper.akill_at("unvalidated", _job_named(job))
        return await original(self, job)

    @_around(WorkflowEngine, "save")
    async def _save(original: Callable[..., Any], self: Any, job: Any) -> None:
        await original(self, job)
        await reaper.akill_at(f"after:{job.state}", _job_named(job))
        if _is_accepted(job):
            await reaper.akill_at("accepted", _job_named(job))


def _at_orders(reaper: Reaper) -> None:
    from airflow_provider_klingvideo.kling import AsyncKlingClient

    @_around(AsyncKlingClient, "create")
    async def _create(original: Callable[..., Any], self: Any, request: Any, **others: Any) -> Any:
        job = name_of(getattr(request, "prompt", ""), request.kind)
        await reaper.akill_at("intent", job)
        task = await original(self, request, **others)
        await reaper.akill_at("lost", job)
        return task


def _at_files(reaper: Reaper) -> None:
    from airflow.sdk import ObjectStoragePath

    @_around(ObjectStoragePath, "replace")
    def _replace(original: Callable[..., Any], self: Any, target: Any) -> Any:
        record = self.parent / "job.json"
        if self.name.startswith(POSTER_PART) and record.exists():
            reaper.kill_at("rendering", name_of(json.loads(record.read_text())["prompt"], ""))
        return original(self, target)


def _at_speeches(reaper: Reaper) -> None:
    from airflow_provider_klingvideo.hooks.klingai import KlingAIHook
    from airflow_provider_klingvideo.workflow import speech

    @_around(speech, "spoken_once")
    def _spoken_once(original: Callable[..., Any], store: Any, speech_id: str, *others: Any, **named: Any) -> Any:
        answer = original(store, speech_id, *others, **named)
        reaper.kill_at("spoken", speech_id.partition("-")[0])
        return answer

    def speak(self: Any, text: str, **others: Any) -> Any:
        with self.get_conn() as client:
            answer = client.speak(text, **others)
        reaper.kill_at("unheard", text.rpartition(" ")[2])
        return answer

    # Its class looks the call up and does not have it.
    KlingAIHook.speak = speak


def _around(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function around another one, which it gets as its first argument."""
    original = getattr(owner, name)

    def decorate(around: Callable[..., Any]) -> Callable[..., Any]:
        setattr(owner, name, lambda *arguments, **named: around(original, *arguments, **named))
        return around

    return decorate
