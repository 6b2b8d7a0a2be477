"""The shapes in which a task is shown (kling-api sections 6.4, 7.1 and 10)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from airflow_provider_klingvideo.sandbox.account.catalog import Generation
from airflow_provider_klingvideo.sandbox.account.shapes import Sign, outputs, task_result
from airflow_provider_klingvideo.sandbox.account.tasks import Change, Status, Task, trimmed

CASH_TYPE = "balance"
_LEGACY_WORDS = {Status.SUCCEEDED: "succeed"}


def _word(task: Task, change: Change) -> str:
    if change.status is Status.PROCESSING and task.fate.status_word:
        return task.fate.status_word
    return change.status.value


def new_view(task: Task, change: Change, sign: Sign) -> dict[str, Any]:
    """The task object of the new generation; also the body of its callbacks."""
    view: dict[str, Any] = {
        "id": task.id,
        "status": _word(task, change),
        "message": task.failure if change.status is Status.FAILED else "",
        "create_time": task.created_at,
        "update_time": change.at,
    }
    if task.external_id:
        view["external_id"] = task.external_id
    if change.status is Status.SUCCEEDED:
        view["outputs"] = outputs(task, sign)
        view["billing"] = _entries(task)
    if change.status is Status.FAILED:
        view["outputs"] = []
        view["billing"] = [{"amount": "0"}]
    return view


def _entries(task: Task) -> list[dict[str, Any]]:
    """What a task cost, as the new generation says it: an entry for each thing that pays."""
    charge = task.reserved
    units = {"charge_type": "unit", "amount": trimmed(charge.units), "package_type": task.pack.value}
    cash = {
        "charge_type": "cash",
        "amount": trimmed(charge.cash),
        "cash_type": CASH_TYPE,
        "currency": charge.currency,
        "list_price": trimmed(charge.list_price),
    }
    return [*([units] if charge.units or not charge.cash else []), *([cash] if charge.cash else [])]


def deductions(task: Task, change: Change) -> dict[str, Any]:
    """What a task cost, as the legacy generation says it."""
    billed = task.billed(change.status)
    return {
        "final_unit_deduction": trimmed(billed.units),
        "final_balance_deduction": {"quota": trimmed(billed.cash), "list_price": trimmed(billed.list_price)},
    }


def created_legacy(task: Task) -> dict[str, Any]:
    """The answer to a create request of the legacy generation."""
    return {
        "task_id": task.id,
        "task_status": Status.SUBMITTED.value,
        "task_info": _info(task),
        "created_at": task.created_at,
        "updated_at": task.created_at,
    }


def legacy_view(task: Task, change: Change, sign: Sign) -> dict[str, Any]:
    """The task object of the legacy generation."""
    view: dict[str, Any] = {
        "task_id": task.id,
        "task_status": _LEGACY_WORDS.get(change.status) or _word(task, change),
        "task_status_msg": task.failure if change.status is Status.FAILED else "",
        "task_info": _info(task),
        "created_at": task.created_at,
        "updated_at": change.at,
    }
    # Present and empty until there is one (kling-api section 19).
    view["task_result"] = {}
    if change.status is Status.SUCCEEDED:
        view["task_result"] = task_result(task, sign)
        view["watermark_info"] = {"enabled": task.watermark}
        view |= deductions(task, change)
    return view


def preset(preset_id: str, now: int, result: dict[str, Any]) -> dict[str, Any]:
    """Something that is there from the start, in the form of the task that could have made it."""
    return {
        "task_id": preset_id,
        "task_status": _LEGACY_WORDS[Status.SUCCEEDED],
        "task_status_msg": "",
        "task_info": {},
        "task_result": result,
        "created_at": now,
        "updated_at": now,
    }


def deleted(task: Task) -> dict[str, Any]:
    """The answer to the deletion of what a task made."""
    return {"task_id": task.id, "task_status": _LEGACY_WORDS[Status.SUCCEEDED]}


def callback_body(task: Task, change: Change, sign: Sign) -> dict[str, Any]:
    """What a callback carries: which shape follows from the path that created the task."""
    if task.generation is not Generation.LEGACY:
        return new_view(task, change, sign)
    view = legacy_view(task, change, sign)
    view.pop("watermark_info", None)
    return deductions(task, change) | view


def ledger_row(task: Task, change: Change, sign: Sign) -> dict[str, Any]:
    """What the sandbox's own ledger says about a task."""
    done = change.status is Status.SUCCEEDED and not task.fate.without_outputs
    return {
        "id": task.id,
        "external_id": task.external_id or None,
        "generation": task.generation.value,
        "product": task.product,
        "model": task.model,
        "prompt": task.prompt,
        "resolution": task.resolution,
        "seconds": task.seconds,
        "sound": task.sound.value,
        "status": _word(task, change),
        "message": task.failure if change.status is Status.FAILED else "",
        "quoted_units": trimmed(task.units),
        "units": trimmed(task.billed(change.status).units),
        "cash": trimmed(task.billed(change.status).cash),
        "created_at": task.created_at,
        "updated_at": change.at,
        "pack": task.pack.value,
        "outputs": outputs(task, sign) if done else [],
        "url": _first_url(task, sign) if done else None,
    }


def _first_url(task: Task, sign: Sign) -> str | None:
    entries = outputs(task, sign)
    return next((url for entry in entries for name, url in entry.items() if name in {"url", "mp3_url"}), None)


def _info(task: Task) -> dict[str, Any]:
    """What is known of where a task comes from; ``task_info`` of its details goes first."""
    external = {"external_task_id": task.external_id} if task.external_id else {}
    return {**task.details.get("task_info", {}), **external}


def pack_id(name: str) -> str:
    """The id of the resource pack with this name."""
    return name.lower()


def pack(name: str, total: Decimal, remaining: Decimal, since: int, until: int) -> dict[str, Any]:
    """A resource pack (kling-api section 9)."""
    return {
        "resource_pack_name": name,
        "resource_pack_id": pack_id(name),
        "resource_pack_type": "decreasing_total",
        "total_quantity": float(total),
        "remaining_quantity": float(remaining),
        "purchase_time": since,
        "effective_time": since,
        "invalid_time": until,
        "status": "online" if remaining > 0 else "runOut",
    }
