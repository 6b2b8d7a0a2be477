"""Pages of ``POST /tasks`` (kling-api section 6.5)."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from airflow_provider_klingvideo.sandbox.answers import invalid
from airflow_provider_klingvideo.sandbox.catalog import Pack
from airflow_provider_klingvideo.sandbox.fields import Fields
from airflow_provider_klingvideo.sandbox.tasks import Status, Task

_DEFAULT_LIMIT = 100
_LIMITS = range(1, 501)
_DEFAULT_SPAN_MILLIS = 30 * 86_400_000
_FILTERS = {"status": frozenset(Status), "product_type": frozenset(Pack)}


@dataclass(frozen=True)
class Page:
    """Some tasks, and how to ask for the next ones."""

    tasks: list[Task]
    next_cursor: str | None


@dataclass(frozen=True)
class _Window:
    """From when to when, and the last id that was shown."""

    start: int
    end: int
    below: str

    def holds(self, task: Task) -> bool:
        return self.start <= task.created_at <= self.end and (not self.below or task.id < self.below)


def list_tasks(fields: Fields, tasks: list[Task], now: int) -> Page:
    """One page of a listing.

    :param tasks: all tasks, newest first.
    :raises Refusal: 1201 for what cannot be understood.
    """
    limit = fields.integer("limit", _LIMITS, _DEFAULT_LIMIT)
    window = _window(fields, now)
    filters = _filters(fields)
    wanted = [task for task in tasks if window.holds(task) and _passes(task, filters, now)]
    page = wanted[:limit]
    more = len(wanted) > limit
    return Page(page, _cursor(window, page[-1]) if more else None)


def _window(fields: Fields, now: int) -> _Window:
    cursor = fields.text("cursor")
    if not cursor:
        end = fields.millis("end_time", now)
        return _Window(fields.millis("start_time", end - _DEFAULT_SPAN_MILLIS), end, "")
    try:
        start, end, below = json.loads(base64.urlsafe_b64decode(cursor))
        return _Window(int(start), int(end), str(below))
    except (ValueError, TypeError, binascii.Error) as error:
        raise invalid("cursor is invalid") from error


def _cursor(window: _Window, last: Task) -> str:
    return base64.urlsafe_b64encode(json.dumps([window.start, window.end, last.id]).encode()).decode()


def _filters(fields: Fields) -> dict[str, set[str]]:
    filters: dict[str, set[str]] = {}
    for item in fields.objects("filters"):
        key = item.choice("key", _FILTERS, "")
        if not key:
            raise item.wrong("key")
        values = item.array("values")
        if not values or not all(isinstance(value, str) and value in _FILTERS[key] for value in values):
            raise item.wrong("values")
        filters.setdefault(key, set()).update(values)
    return filters


def _passes(task: Task, filters: dict[str, set[str]], now: int) -> bool:
    facts = {"status": task.change_at(now).status.value, "product_type": task.pack.value}
    return all(facts[key] in values for key, values in filters.items())
