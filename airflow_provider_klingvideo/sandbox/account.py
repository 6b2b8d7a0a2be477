"""The imitated account: its tasks, its slots, its units."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from airflow_provider_klingvideo.sandbox.answers import Refusal, invalid
from airflow_provider_klingvideo.sandbox.catalog import Generation
from airflow_provider_klingvideo.sandbox.journal import Journal
from airflow_provider_klingvideo.sandbox.orders import Order
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings, SettingsChange
from airflow_provider_klingvideo.sandbox.tasks import Fate, InputImage, Task, trimmed

Clock = Callable[[], float]
"""Seconds since the epoch."""

StoreImages = Callable[[str, Order], list[InputImage]]
"""Keeps the input images of the task with that id."""

_ID_EPOCH = 1_500_000_000_000  # makes ids of 18 digits until 2032
_MILLIS = 1000


class Account:
    """Holds every task and decides whether one more is accepted.

    Everything happens on the server's event loop without an ``await`` in between, so two requests cannot take the
    same slot or the same external id.

    :param settings: of the sandbox.
    :param clock: tells the time.

    ``slots`` is how many tasks may be in flight, ``granted`` how many units the pack had at first.
    """

    def __init__(self, settings: SandboxSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._journal: Journal | None = None
        self._start()

    def _start(self) -> None:
        settings = self._settings
        self.tasks: dict[str, Task] = {}
        self._by_external_id: dict[str, Task] = {}
        self._open: dict[str, Task] = {}
        self.slots = settings.slots
        self._queue_seconds = settings.queue_seconds
        self._generation_seconds = settings.generation_seconds
        self.granted = settings.balance
        self._spent = Decimal(0)
        self.max_in_flight = 0
        self._jitter = random.Random(settings.seed)  # noqa: S311 - durations, not secrets
        self._last_id = 0

    def open(self) -> None:
        """Read what an earlier run kept."""
        if self._settings.state is None:
            return
        self._start()
        self._journal = Journal(self._settings.state)
        for task in self._journal.read():
            self._hold(task)

    def close(self) -> None:
        """Close what is kept."""
        if self._journal:
            self._journal.close()

    def reset(self) -> None:
        """Forget every task and every change of the settings."""
        self._start()
        if self._journal:
            self._journal.clear()

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return int(self._clock() * _MILLIS)

    def change(self, change: SettingsChange) -> None:
        """Apply new settings; a balance is what is left from now on."""
        self.slots = self.slots if change.slots is None else change.slots
        self._queue_seconds = change.queue_seconds or self._queue_seconds
        self._generation_seconds = change.generation_seconds or self._generation_seconds
        if change.balance is not None:
            self.granted = change.balance + self.spent

    def settings(self) -> dict[str, Any]:
        """The settings that can change, as they are now."""
        return {
            "slots": self.slots,
            "balance": trimmed(self.balance),
            "queue_seconds": self._queue_seconds,
            "generation_seconds": self._generation_seconds,
        }

    def _settle(self) -> None:
        """Free the slots of the tasks that ended and deduct what they cost."""
        now = self.now()
        for task in list(self._open.values()):
            status = task.change_at(now).status
            if status.terminal:
                del self._open[task.id]
                self._spent += task.billed(status)

    @property
    def spent(self) -> Decimal:
        """Units of all succeeded tasks."""
        self._settle()
        return self._spent

    @property
    def balance(self) -> Decimal:
        """Units that are left."""
        return self.granted - self.spent

    @property
    def in_flight(self) -> int:
        """Tasks that hold a slot."""
        self._settle()
        return len(self._open)

    def accept(self, order: Order, fate: Fate, base_url: str, store_images: StoreImages) -> Task:
        """Make a task of an order.

        :raises Refusal: 1201 for a used external id, 1102 for too few units, 1303 for no free slot, in that order.
        """
        if order.external_id and order.external_id in self._by_external_id:
            raise invalid(f"External_task_id {order.external_id} already exists")
        left = self.balance - sum(task.units for task in self._open.values())
        if left < order.units:
            raise Refusal(1102)
        if len(self._open) >= self.slots:
            raise Refusal(1303)
        task = self._new_task(order, fate, base_url, store_images)
        if self._journal:
            self._journal.write(task)
        self._hold(task)
        self.max_in_flight = max(self.max_in_flight, len(self._open))
        return task

    def _new_task(self, order: Order, fate: Fate, base_url: str, store_images: StoreImages) -> Task:
        now = self.now()
        task_id = self._next_id(now)
        processing_at = now + self._drawn(self._queue_seconds)
        generation = fate.generation_seconds
        span = self._generation_seconds if generation is None else (generation, generation)
        return Task(
            id=task_id,
            external_id=order.external_id,
            generation=order.generation,
            product=order.product,
            path=order.path,
            model=order.model,
            prompt=order.prompt,
            resolution=order.resolution,
            aspect_ratio=order.aspect_ratio,
            seconds=order.seconds,
            sound=order.sound,
            units=order.units,
            images=store_images(task_id, order),
            watermark=order.watermark,
            callback_url=order.callback_url,
            base_url=base_url,
            fate=fate,
            created_at=now,
            processing_at=processing_at,
            finish_at=processing_at + self._drawn(span),
            inputs_checked_at=None if order.images else now,
        )

    def _next_id(self, now: int) -> str:
        """Ids like the vendor's: 18 digits, growing with time."""
        self._last_id = max((now - _ID_EPOCH) << 21, self._last_id + 1)
        return str(self._last_id)

    def _drawn(self, span: tuple[float, float]) -> int:
        return round(self._jitter.uniform(*span) * _MILLIS)

    def _hold(self, task: Task) -> None:
        self._last_id = max(self._last_id, int(task.id))
        self.tasks[task.id] = task
        self._open[task.id] = task
        if task.external_id:
            self._by_external_id[task.external_id] = task

    def keep(self, task: Task) -> None:
        """Keep what changed about a task."""
        if self._journal and task.id in self.tasks:
            self._journal.write(task)

    def find(self, key: str) -> Task | None:
        """The task with this id or external id."""
        return self.tasks.get(key) or self._by_external_id.get(key)

    def by_external_id(self, key: str) -> Task | None:
        """The task with this external id."""
        return self._by_external_id.get(key)

    def listing(self, path: str | None = None) -> list[Task]:
        """All tasks, or those of one legacy path, newest first."""
        tasks = (task for task in self.tasks.values() if path is None or _is_legacy_of(task, path))
        return sorted(tasks, key=lambda task: task.id, reverse=True)


def _is_legacy_of(task: Task, path: str) -> bool:
    return task.generation is Generation.LEGACY and task.path == path
