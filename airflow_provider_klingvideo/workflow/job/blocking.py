"""How work that blocks is run beside an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
RunBlocking = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs it and returns its result: :func:`asyncio.to_thread`, or :func:`inline`."""


async def inline(work: Callable[[], T]) -> T:
    """Run blocking work right here, for a process that has nothing else to do and wants signals to reach the work."""
    return work()
