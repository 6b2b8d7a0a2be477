"""Rules that are rows of data: how long a text, how many of something, how large a number."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from airflow_provider_klingvideo.kling.catalogue.capabilities import Capability
from airflow_provider_klingvideo.kling.products.base import Rule


def longest(field: str, limit: int) -> Rule[Any]:
    """A text may have so many characters; absent ones do."""

    def rule(request: Any, _can: Capability) -> Iterator[str]:
        length = len(getattr(request, field) or "")
        if length > limit:
            yield f"{field} has {length} characters, at most {limit}"

    return rule


def counted(field: str, low: int, high: int) -> Rule[Any]:
    """There may be so many of something."""

    def rule(request: Any, _can: Capability) -> Iterator[str]:
        count = len(getattr(request, field))
        if not low <= count <= high:
            yield f"{field} are {count}, legal: {low} to {high}"

    return rule


def ranged(field: str, low: float, high: float) -> Rule[Any]:
    """A number lies within bounds; an absent one does."""

    def rule(request: Any, _can: Capability) -> Iterator[str]:
        value = getattr(request, field)
        if value is not None and not low <= value <= high:
            yield f"{field} is {value:g}, legal: {low:g} to {high:g}"

    return rule


def one_of(field: str, allowed: Collection[Any]) -> Rule[Any]:
    """A value is one of several; an absent one is."""

    def rule(request: Any, _can: Capability) -> Iterator[str]:
        value = getattr(request, field)
        if value is not None and value not in allowed:
            yield f"{field} is {value}, legal: {', '.join(map(str, allowed))}"

    return rule


def exactly_one(*fields: str) -> Rule[Any]:
    """Of several fields one is given, and no other."""

    def rule(request: Any, _can: Capability) -> Iterator[str]:
        if sum(bool(getattr(request, field)) for field in fields) != 1:
            yield f"exactly one of {' and '.join(fields)} is needed"

    return rule


def by_url(*fields: str) -> Rule[Any]:
    """The vendor takes these by URL only; an absent one is fine."""

    def rule(request: Any, _can: Capability) -> Iterator[str]:
        for field in fields:
            value = getattr(request, field)
            if value is not None and not value.strip().lower().startswith(("http://", "https://")):
                yield f"{field} must be an http(s) URL"

    return rule
