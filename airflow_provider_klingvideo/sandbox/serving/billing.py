"""The ledgers of the account: what was taken from resource packs, and what from its balance (kling-api section 9)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_klingvideo.sandbox.account.account import Account
from airflow_provider_klingvideo.sandbox.account.answers import Answer, Refusal, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Pack, Sound
from airflow_provider_klingvideo.sandbox.account.fields import Fields, parse_object
from airflow_provider_klingvideo.sandbox.account.limits import Kind
from airflow_provider_klingvideo.sandbox.account.tasks import Status, Task
from airflow_provider_klingvideo.sandbox.account.views import CASH_TYPE, pack_id
from airflow_provider_klingvideo.sandbox.serving.core import Sandbox
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, sandbox_of

_LIMITS = range(1, 501)
_PRODUCT_TYPES = {Pack.VIDEO: "video", Pack.IMAGE: "image", Pack.TRY_ON: "try-on"}
_SOUNDS = {Sound.SILENT: "off", Sound.NATIVE: "native", Sound.VOICE: "native", Sound.ORIGINAL: "original"}
_BALANCE_FILTERS = frozenset({"api_key_name"})
_PACKAGE_FILTERS = _BALANCE_FILTERS | {"product_type", "package_name", "package_id"}

router = APIRouter(route_class=VendorRoute)


def pack_name(sandbox: Sandbox, pack: Pack) -> str:
    """The name of a resource pack, which says how much it holds and how much may be in flight."""
    purse = sandbox.account.purse(pack)
    words = pack.value.replace("_", " ").title().replace(" ", "-")
    return f"{sandbox.settings.account_name}-{words}-{purse.granted.normalize():f}Units-{purse.slots}Con"


@dataclass(frozen=True)
class _Query:
    """What a caller asks a ledger.

    :param filters: key -> values, one of which is wanted.
    :param below: where the page before ended: a time and a task's id.
    """

    start: int
    end: int
    limit: int
    filters: Mapping[str, Sequence[str]]
    below: tuple[int, str] | None = None

    def cursor(self, below: tuple[int, str]) -> str:
        """How to ask for the next page."""
        filters = [{"key": key, "values": values} for key, values in self.filters.items()]
        query = {"start_time": self.start, "end_time": self.end, "limit": self.limit, "filters": filters}
        return base64.urlsafe_b64encode(json.dumps([query, *below]).encode()).decode()


def _read(fields: Fields, keys: frozenset[str]) -> _Query:
    """The query in a body; a cursor overrides everything else."""
    cursor = fields.text("cursor")
    if not cursor:
        return _read_first(fields, keys)
    try:
        query, at, task_id = json.loads(base64.urlsafe_b64decode(cursor))
        first = _read_first(Fields(dict(query)), keys)
        return _Query(first.start, first.end, first.limit, first.filters, (int(at), str(task_id)))
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error, Refusal) as error:
        raise invalid("cursor is invalid") from error


def _read_first(fields: Fields, keys: frozenset[str]) -> _Query:
    for name in ("start_time", "end_time"):
        if fields.millis(name, 0) == 0:
            raise invalid(f"{name} is required")
    limit = fields.integer("limit", _LIMITS, _LIMITS[-1])
    filters: dict[str, list[str]] = {}
    for item in fields.objects("filters"):
        key = item.choice("key", keys, "")
        if not key:
            raise item.wrong("key")
        values = item.array("values")
        known = _PRODUCT_TYPES.values() if key == "product_type" else values
        if not all(isinstance(value, str) and value in known for value in values):
            raise item.wrong("values")
        if values:  # none at all filter nothing (kling-api section 19)
            filters.setdefault(key, []).extend(values)
    if {"package_name", "package_id"} <= filters.keys():
        raise invalid("only one of package_name and package_id is allowed")
    return _Query(fields.millis("start_time", 0), fields.millis("end_time", 0), limit, filters)


@dataclass(frozen=True)
class _Deduction:
    """What a task took from its resource pack, or from the balance.

    :param at: when, in milliseconds.
    :param left: what was left then: units, or money.
    """

    task: Task
    at: int
    left: Decimal

    @property
    def key(self) -> tuple[int, str]:
        """The place in the ledger."""
        return self.at, self.task.id


def _paid(account: Account) -> list[tuple[int, Task]]:
    """The tasks that cost something and when they did, newest first."""
    now = account.now()
    ended = ((task, task.change_at(now)) for task in account.everything() if task.units)
    paid = [(change.at, task) for task, change in ended if change.status is Status.SUCCEEDED]
    return sorted(paid, key=lambda entry: (entry[0], entry[1].id), reverse=True)


def _of_packs(account: Account) -> list[_Deduction]:
    """Everything that was ever taken from packs, newest first."""
    left, found = {pack: account.purse(pack).balance for pack in Pack}, []
    for at, task in _paid(account):
        if task.reserved.units:
            found.append(_Deduction(task, at, left[task.pack]))
            left[task.pack] += task.reserved.units
    return found


def _of_balance(account: Account) -> list[_Deduction]:
    """Everything that was ever taken from the balance, newest first."""
    left, found = account.credit_left, []
    for at, task in _paid(account):
        if task.reserved.cash:
            found.append(_Deduction(task, at, left))
            left += task.reserved.cash
    return found


def _row(sandbox: Sandbox, deduction: _Deduction) -> dict[str, Any]:
    """What both ledgers say of a task."""
    task = deduction.task
    seconds = next((result.seconds for result in task.results if result.seconds), 0)
    return {
        "task_id": task.id,
        "api_key_name": sandbox.settings.account_name,
        "product_function": _function(task.product),
        "model_name": task.model,
        "resolution": task.resolution,
        "duration": f"{seconds:.2f}" if seconds else "",
        "refer_video_input": any(item.limits.kind is Kind.VIDEO for item in task.inputs),
        "video_sound": _SOUNDS[task.sound],
        "voice_control": task.sound is Sound.VOICE,
        "deduction_time": str(deduction.at),
    }


def _function(product: str) -> str:
    """A product as the ledgers print it: ``Image to Video`` (kling-api section 19)."""
    return re.sub("[-_]", " ", product).title().replace(" To ", " to ")


def _pack_row(sandbox: Sandbox, deduction: _Deduction) -> dict[str, Any]:
    task, units = deduction.task, deduction.task.reserved.units
    return _row(sandbox, deduction) | {
        "package_id": pack_id(pack_name(sandbox, task.pack)),
        "product_type": _PRODUCT_TYPES[task.pack],
        "unit_before_deduction": float(deduction.left + units),
        "deduction_amount": float(units),
        "unit_after_deduction": float(deduction.left),
    }


def _balance_row(sandbox: Sandbox, deduction: _Deduction) -> dict[str, Any]:
    charge = deduction.task.reserved
    return _row(sandbox, deduction) | {
        "cash_type": CASH_TYPE,
        "balance_before_deduction": float(deduction.left + charge.cash),
        "deduction_amount": float(charge.cash),
        "balance_after_deduction": float(deduction.left),
        "list_price": float(charge.list_price),
        "currency": charge.currency,
    }


def _passes(sandbox: Sandbox, deduction: _Deduction, query: _Query) -> bool:
    """Whether a deduction is asked for: one value of each key (kling-api section 17)."""
    name = pack_name(sandbox, deduction.task.pack)
    facts = {
        "api_key_name": sandbox.settings.account_name,
        "product_type": _PRODUCT_TYPES[deduction.task.pack],
        "package_name": name,
        "package_id": pack_id(name),
    }
    within = query.start <= deduction.at <= query.end and (query.below is None or deduction.key < query.below)
    return within and all(facts[key] in values for key, values in query.filters.items())


@router.post("/account/billing/package")
async def package_ledger(request: Request) -> Response:
    """What tasks took from resource packs, newest first."""
    return await _ledger(request, _PACKAGE_FILTERS, _of_packs, _pack_row)


@router.post("/account/billing/balance")
async def balance_ledger(request: Request) -> Response:
    """What tasks took from the balance, newest first."""
    return await _ledger(request, _BALANCE_FILTERS, _of_balance, _balance_row)


async def _ledger(
    request: Request,
    keys: frozenset[str],
    taken: Callable[[Account], list[_Deduction]],
    row: Callable[[Sandbox, _Deduction], dict[str, Any]],
) -> Response:
    sandbox = sandbox_of(request)
    query = _read(Fields(parse_object(await request.body())), keys)
    wanted = [found for found in taken(sandbox.account) if _passes(sandbox, found, query)]
    page, more = wanted[: query.limit], len(wanted) > query.limit
    return Answer(_page([row(sandbox, one) for one in page], query.cursor(page[-1].key) if more else ""))


def _page(rows: list[dict[str, Any]], next_cursor: str) -> dict[str, Any]:
    result = {"detail": rows, "count": len(rows)}
    return {"result": result, "next_cursor": next_cursor, "has_more": bool(next_cursor)}
