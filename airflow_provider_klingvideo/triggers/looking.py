"""What the triggers have in common whose task looks for itself afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent


class LookingTrigger(BaseTrigger):
    """Waits, and wakes a task that looks for itself. Nothing is ordered here; arguments are stored in plain text."""

    arguments: ClassVar[tuple[str, ...]] = ()
    minimum_seconds: float

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        given = {name: getattr(self, name) for name in self.arguments}
        return f"{type(self).__module__}.{type(self).__qualname__}", given

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, not before ``minimum_seconds`` have passed."""
        earliest = asyncio.get_running_loop().time() + self.minimum_seconds
        try:
            await self.wait()
        except Exception:
            # The task looks for itself, and tells what is wrong where a person sees it.
            self.log.exception("Waiting failed")
        await asyncio.sleep(max(0.0, earliest - asyncio.get_running_loop().time()))
        yield TriggerEvent(self.told())  # type: ignore[no-untyped-call]

    async def wait(self) -> None:
        """Return when the task is to look."""
        raise NotImplementedError

    def told(self) -> dict[str, Any]:
        """Return what the event tells."""
        return {}
