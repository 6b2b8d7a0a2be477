"""Pages of ``POST /tasks`` (kling-api section 6.5)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Pack
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.tasks import Status, Task

_MOST = 500
_DEFAULT_SPAN_MILLIS = 30 * 86_400_000


@dataclass(frozen=True)
class Listing:
    """In what the listings of the families differ.

    :param default_limit: tasks on a page when the request says nothing.
    :param least_limit: what a smaller one becomes; none where that is refused.
    :param filters: key -> values.
    :param end_included: whether a task of the very end of the time is shown.
    """

    default_limit: int
    least_limit: int | None
    filters: Mapping[str, Collection[str]]
    end_included: bool


_STATUSES = frozenset(Status)
TASKS_LISTING = Listing(100, None, {"status": _STATUSES, "product_type": frozenset(Pack)}, end_included=True)
# kling-api section 8.
SOLUTIONS_LISTING = Listing(500, 1, {"status": _STATUSES}, end_included=False)


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
        return self.start <= task.created_at < self.end and (not self.below or task.id < self.below)


def list_tasks(fields: Fields, tasks: list[Task], now: int, listing: Listing = TASKS_LISTING) -> Page:
    """One page of a listing.

    :param tasks: all tasks, newest first.
    :raises Refusal: 1201 for what cannot be understood.
    """
    limit = _limit(fields, listing)
    window = _window(fields, now, listing)
    filters = _filters(fields, listing)
    wanted = [task for task in tasks if window.holds(task) and _passes(task, filters, now)]
    page = wanted[:limit]
    more = len(wanted) > limit
    return Page(page, _cursor(window, page[-1]) if more else None)


def page_view(page: Page, views: list[dict[str, Any]]) -> dict[str, Any]:
    """The ``data`` of an answer; that of an empty page has no ``result`` (kling-api section 6.5)."""
    data: dict[str, Any] = {"count": len(page.tasks), "has_more": page.next_cursor is not None}
    if page.tasks:
        data["result"] = views
    if page.next_cursor is not None:
        data["next_cursor"] = page.next_cursor
    return data


def _limit(fields: Fields, listing: Listing) -> int:
    if listing.least_limit is None:
        return fields.integer("limit", range(1, _MOST + 1), listing.default_limit)
    asked_for = fields.number("limit", listing.default_limit, float("-inf"), _MOST)
    return int(max(asked_for, listing.least_limit))


def _window(fields: Fields, now: int, listing: Listing) -> _Window:
    cursor = fields.text("cursor")
    if not cursor:
        # What was created in this very millisecond is part of a request that names no end.
        last = fields.millis("end_time", now)
        end = last + 1 if listing.end_included or "end_time" not in fields else last
        return _Window(fields.millis("start_time", last - _DEFAULT_SPAN_MILLIS), end, "")
    try:
        start, end, below = json.loads(base64.urlsafe_b64decode(cursor))
        return _Window(int(start), int(end), str(below))
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise invalid("cursor is invalid") from error


def _cursor(window: _Window, last: Task) -> str:
    return base64.urlsafe_b64encode(json.dumps([window.start, window.end, last.id]).encode()).decode()


def _filters(fields: Fields, listing: Listing) -> dict[str, set[str]]:
    filters: dict[str, set[str]] = {}
    for item in fields.objects("filters"):
        key = item.choice("key", listing.filters, "")
        if not key:
            raise item.wrong("key")
        values = item.array("values")
        if not values or not all(isinstance(value, str) and value in listing.filters[key] for value in values):
            raise item.wrong("values")
        filters.setdefault(key, set()).update(values)
    return filters


def _passes(task: Task, filters: dict[str, set[str]], now: int) -> bool:
    facts = {"status": task.change_at(now).status.value, "product_type": task.pack.value}
    return all(facts[key] in values for key, values in filters.items())
