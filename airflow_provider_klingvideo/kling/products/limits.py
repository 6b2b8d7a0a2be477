"""Rules that are rows of data: how long a text, how many of something, how large a number."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.catalogue.capabilities import Capability
from airflow_provider_klingvideo.kling.products.base import Rule


def not_offered(field: str, value: object, legal: str) -> Fault:
    """Say that a value is not one of those that a model offers."""
    return Fault(field, f"{quoted(value)} is not offered", legal)


def too_long(field: str, text: str, limit: int) -> Fault:
    """Say that a text has too many characters."""
    return Fault(field, f"has {len(text)} characters", f"at most {limit} characters")


def too_many(field: str, count: int, legal: str) -> Fault:
    """Say that there are too many of something, or too few."""
    return Fault(field, f"has {count} {'entry' if count == 1 else 'entries'}", legal)


def one_of_two(*fields: str) -> Fault:
    """Say that of several fields none is given, or more than one."""
    return Fault(" or ".join(fields), "none is given, or more than one", "exactly one of them")


def longest(field: str, limit: int) -> Rule[Any]:
    """A text may have so many characters; absent ones do."""

    def rule(request: Any, _can: Capability) -> Iterator[Fault]:
        text = getattr(request, field) or ""
        if len(text) > limit:
            yield too_long(field, text, limit)

    return rule


def counted(field: str, low: int, high: int) -> Rule[Any]:
    """There may be so many of something."""

    def rule(request: Any, _can: Capability) -> Iterator[Fault]:
        count = len(getattr(request, field))
        if not low <= count <= high:
            yield too_many(field, count, f"{low} to {high}")

    return rule


def ranged(field: str, low: float, high: float) -> Rule[Any]:
    """A number lies within bounds; an absent one does."""

    def rule(request: Any, _can: Capability) -> Iterator[Fault]:
        value = getattr(request, field)
        if value is not None and not low <= value <= high:
            yield not_offered(field, value, f"{low:g} to {high:g}")

    return rule


def one_of(field: str, allowed: Collection[Any]) -> Rule[Any]:
    """A value is one of several; an absent one is."""

    def rule(request: Any, _can: Capability) -> Iterator[Fault]:
        value = getattr(request, field)
        if value is not None and value not in allowed:
            yield not_offered(field, value, ", ".join(map(str, allowed)))

    return rule


def exactly_one(*fields: str) -> Rule[Any]:
    """Of several fields one is given, and no other."""

    def rule(request: Any, _can: Capability) -> Iterator[Fault]:
        if sum(bool(getattr(request, field)) for field in fields) != 1:
            yield one_of_two(*fields)

    return rule


def by_url(*fields: str) -> Rule[Any]:
    """Kling takes these by URL only; an absent one is fine."""

    def rule(request: Any, _can: Capability) -> Iterator[Fault]:
        for field in fields:
            value = getattr(request, field)
            if value is not None and not value.strip().lower().startswith(("http://", "https://")):
                yield Fault(field, f"{quoted(value)} is not a web URL", "an http(s) URL")

    return rule
