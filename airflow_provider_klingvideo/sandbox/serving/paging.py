"""Pages of the lists of the legacy generation (kling-api section 7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fastapi import Request

from airflow_provider_klingvideo.sandbox.account.answers import invalid

PAGE_SIZES = range(1, 501)
_PAGES = range(1, 1001)
_FIRST, _USUAL_SIZE = 1, 30

Item = TypeVar("Item")


def page_of(request: Request, items: Sequence[Item], sizes: range = PAGE_SIZES) -> list[Item]:
    """The page that a request asks for.

    :param sizes: that are allowed.
    :raises Refusal: 1201 for numbers out of range.
    """
    page, size = _number(request, "pageNum", _FIRST, _PAGES), _number(request, "pageSize", _USUAL_SIZE, sizes)
    return list(items[(page - 1) * size : page * size])


def _number(request: Request, name: str, default: int, allowed: range) -> int:
    value = request.query_params.get(name, str(default))
    if not (value.isascii() and value.isdigit()) or len(value) > 4 or int(value) not in allowed:
        raise invalid(f"{name} value '{value}' is invalid")
    return int(value)
