"""How Airflow providers usually wait for a vendor: one trigger, one client and one timer for each job.

The pattern of the official openai provider's batch trigger, with an asynchronous client in place of its blocking hook.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

TERMINAL = {"succeeded", "failed"}


class UsualTrigger(BaseTrigger):
    """Asks about one task at Kling at a fixed interval until it has ended.

    :param klingai_conn_id: the connection.
    :param vendor_task_id: Kling's id of the task.
    :param poll_interval: seconds between two questions.
    """

    def __init__(self, klingai_conn_id: str, vendor_task_id: str, poll_interval: float = 10) -> None:
        super().__init__()
        self.klingai_conn_id = klingai_conn_id
        self.vendor_task_id = vendor_task_id
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        names = ("klingai_conn_id", "vendor_task_id", "poll_interval")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: ``vendor_task_id`` and ``outcome``."""
        connection = await asyncio.to_thread(BaseHook.get_connection, self.klingai_conn_id)
        headers = {"Authorization": f"Bearer {connection.password}"}
        async with httpx.AsyncClient(base_url=connection.host or "", headers=headers, timeout=30) as client:
            status = await self._status(client)
            while status not in TERMINAL:
                await asyncio.sleep(self.poll_interval)
                status = await self._status(client)
        yield TriggerEvent({"vendor_task_id": self.vendor_task_id, "outcome": status})

    async def _status(self, client: httpx.AsyncClient) -> str:
        response = await client.get("/tasks", params={"task_ids": self.vendor_task_id})
        (task,) = response.raise_for_status().json()["data"]
        return str(task["status"])
