"""What the triggers have in common whose task looks for itself afterwards, and those of one job in a queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_klingvideo.triggers.loading import load_modules


class LookingTrigger(BaseTrigger):
    """Waits, and wakes a task that looks for itself. Nothing is ordered here; arguments are stored in plain text."""

    arguments: ClassVar[tuple[str, ...]] = ()
    klingai_conn_id: str
    until: str
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

    @property
    def seconds_left(self) -> float:
        """For how long it still waits."""
        return (datetime.fromisoformat(self.until) - datetime.now(UTC)).total_seconds()


class QueueTrigger(LookingTrigger):
    """Waits for what one job queues for, or until somebody has cancelled it."""

    records_path: str
    revision: int

    @property
    def waits_for(self) -> str:
        """The id of the job that waits."""
        raise NotImplementedError

    def told(self) -> dict[str, Any]:
        """Return the job's id."""
        return {"job_id": self.waits_for}

    async def wait(self) -> None:
        """Return when the task is to look."""
        await load_modules()
        from asgiref.sync import sync_to_async

        from airflow_provider_klingvideo.runtime.session import Session

        store = await sync_to_async(Session(self.klingai_conn_id).store_at)(self.records_path)
        await self.queue(lambda: store.cancel_reason(self.waits_for, self.revision) is not None)

    async def queue(self, is_cancelled: Callable[[], bool]) -> None:
        """Wait in the queue.

        :param is_cancelled: tells whether somebody has cancelled the job; it may block.
        """
        raise NotImplementedError
