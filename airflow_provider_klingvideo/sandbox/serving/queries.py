"""What all queries have in common: which tasks are asked for, and which of them an answer leaves out."""

from __future__ import annotations

from fastapi import Request

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.tasks import Task
from airflow_provider_klingvideo.sandbox.serving.routing import ids_in, sandbox_of
from airflow_provider_klingvideo.sandbox.serving.rules import Facts, Stage

_BATCH = 20


def tasks_by_ids(request: Request) -> list[Task]:
    """The tasks of ``task_ids`` or ``external_task_ids``; unknown ones are left out (kling-api section 6.4)."""
    account = sandbox_of(request).account
    ids, external_ids = ids_in(request, "task_ids"), ids_in(request, "external_task_ids")
    if not ids and not external_ids:
        raise invalid("task_ids or external_task_ids is required")
    if ids and external_ids:
        raise invalid("only one of task_ids and external_task_ids is allowed")
    if len(ids) + len(external_ids) > _BATCH:
        raise invalid(f"task_ids and external_task_ids cannot exceed {_BATCH} in total")
    found = [account.tasks.get(key) for key in ids] + [account.by_external_id(key) for key in external_ids]
    return [task for task in found if task and not task.synchronous]


def listed(request: Request, tasks: list[Task]) -> list[Task]:
    """The tasks of an answer, without those that a rule leaves out."""
    rules = sandbox_of(request).rules
    return [task for task in tasks if not any(rules.take(Stage.LISTING, _facts_about(request, task)))]


def _facts_about(request: Request, task: Task) -> Facts:
    return Facts(request.method, request.url.path, (task.prompt,), (task.external_id,))
