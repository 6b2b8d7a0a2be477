"""What all triggers of one event loop share that wait with the same connection: one client, one loop of questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async

from airflow_provider_klingvideo.kling import AsyncKlingClient
from airflow_provider_klingvideo.runtime.connections.connection import KlingConnection, KlingSettings, async_client
from airflow_provider_klingvideo.runtime.paths import open_path
from airflow_provider_klingvideo.runtime.session import slots_at
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.workflow.gates.budgets.queue import BudgetQueue
from airflow_provider_klingvideo.workflow.gates.slots.queue import SlotQueue
from airflow_provider_klingvideo.workflow.gates.slots.slots import SlotRules, Slots
from airflow_provider_klingvideo.workflow.waiting.broker import Broker
from airflow_provider_klingvideo.workflow.waiting.shared_client import SharedClient

# A triggerer has one event loop; a test has one after another.
_stations: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Station]] = WeakKeyDictionary()


class Station:
    """The shared parts of one connection in one event loop.

    :param klingai_conn_id: the connection; read when the first trigger needs the client, and anew when it was refused.
    """

    def __init__(self, klingai_conn_id: str) -> None:
        self._conn_id = klingai_conn_id
        self._settings: KlingSettings | None = None
        self._client = SharedClient(self._open)
        self._queues: dict[str, SlotQueue] = {}
        self._budgets: dict[float, BudgetQueue] = {}
        self.broker = Broker(self._client)

    async def queue(self, board_path: str, pause: float) -> SlotQueue:
        """Return the queue for slots.

        :param board_path: folder of the notices about slots, a path or URI.
        :param pause: seconds between two looks.
        """
        board = await sync_to_async(open_path)(board_path)
        if board_path not in self._queues:
            self._queues[board_path] = SlotQueue(
                self._client, lambda: self._slots(board), pause=pause, on_look=self.broker.hear_of_running
            )
        return self._queues[board_path]

    def budgets(self, pause: float) -> BudgetQueue:
        """Return the queue for budgets.

        :param pause: seconds between two looks.
        """
        if pause not in self._budgets:
            self._budgets[pause] = BudgetQueue(sync_to_async(open_path), pause=pause)
        return self._budgets[pause]

    def _slots(self, board: StorePath) -> Slots:
        settings = self._settings
        rules = SlotRules(settings.concurrency_limit, settings.model_limits) if settings else SlotRules()
        return slots_at(board, rules)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[AsyncKlingClient]:
        self._settings = await KlingConnection(self._conn_id).fresh_settings()
        async with async_client(self._settings) as client:
            yield client


def station_of(klingai_conn_id: str) -> Station:
    """Return the station of a connection in the running event loop."""
    stations = _stations.setdefault(asyncio.get_running_loop(), {})
    if klingai_conn_id not in stations:
        stations[klingai_conn_id] = Station(klingai_conn_id)
    return stations[klingai_conn_id]
