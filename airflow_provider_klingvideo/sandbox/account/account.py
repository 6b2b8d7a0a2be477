"""The imitated account: its tasks, its slots, its units."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_klingvideo.sandbox.account.answers import Refusal, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation, Pack
from airflow_provider_klingvideo.sandbox.account.charges import Tariff, tariff_of
from airflow_provider_klingvideo.sandbox.account.journal import Journal
from airflow_provider_klingvideo.sandbox.account.orders import Order
from airflow_provider_klingvideo.sandbox.account.tasks import Fate, StoredInput, Task, trimmed
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings, SettingsChange

Clock = Callable[[], float]
"""Seconds since the epoch."""

StoreInputs = Callable[[str, Order], list[StoredInput]]
"""Keeps the input files of the task with that id."""

# The names of slots and balance in the settings.
_SETTINGS = {
    Pack.VIDEO: ("slots", "balance"),
    Pack.IMAGE: ("image_slots", "image_balance"),
    Pack.TRY_ON: ("try_on_slots", "try_on_balance"),
}
_ID_EPOCH = 1_500_000_000_000  # makes ids of 18 digits until 2032
_MILLIS = 1000


@dataclass(frozen=True)
class Admission:
    """How an order becomes a task.

    :param fate: what is decided about it.
    :param base_url: how the caller addresses the sandbox.
    :param synchronous: whether it ends at once and takes no slot; its inputs were looked at before.
    """

    fate: Fate
    base_url: str
    store_inputs: StoreInputs
    synchronous: bool = False


@dataclass
class Purse:
    """The slots and units of one kind of resource pack.

    :param slots: how much may be in flight.
    :param granted: units that there were at first.
    :param spent: units of the tasks that succeeded.
    :param max_in_flight: how much there was at most so far.
    """

    slots: int
    granted: Decimal
    spent: Decimal = Decimal(0)
    max_in_flight: int = 0

    @property
    def balance(self) -> Decimal:
        """Units that are left."""
        return self.granted - self.spent


class Account:
    """Holds every task and decides whether one more is accepted.

    Everything happens on the server's event loop without an ``await`` in between, so two requests cannot take the
    same slot or the same external id.

    :param settings: of the sandbox.
    :param clock: tells the time.
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
        self._purses = {
            Pack.VIDEO: Purse(settings.slots, settings.balance),
            Pack.IMAGE: Purse(settings.image_slots, settings.image_balance),
            Pack.TRY_ON: Purse(settings.try_on_slots, settings.try_on_balance),
        }
        self._queue_seconds = settings.queue_seconds
        self._generation_seconds = settings.generation_seconds
        self._jitter = random.Random(settings.seed)  # noqa: S311 - durations, not secrets
        self._owed = Decimal(0)
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
        self._settle()
        for pack, (slots, balance) in _SETTINGS.items():
            purse, wanted_slots, wanted_balance = self._purses[pack], getattr(change, slots), getattr(change, balance)
            purse.slots = purse.slots if wanted_slots is None else wanted_slots
            if wanted_balance is not None:
                purse.granted = wanted_balance + purse.spent
        self._queue_seconds = change.queue_seconds or self._queue_seconds
        self._generation_seconds = change.generation_seconds or self._generation_seconds

    def settings(self) -> dict[str, Any]:
        """The settings that can change, as they are now."""
        self._settle()
        packs = {
            name: value
            for pack, (slots, balance) in _SETTINGS.items()
            for name, value in (
                (slots, self._purses[pack].slots),
                (balance, trimmed(self._purses[pack].balance)),
            )
        }
        return packs | {"queue_seconds": self._queue_seconds, "generation_seconds": self._generation_seconds}

    def _settle(self) -> None:
        """Free the slots of the tasks that ended and deduct what they cost."""
        now = self.now()
        for task in list(self._open.values()):
            status = task.change_at(now).status
            if status.terminal:
                del self._open[task.id]
                charge = task.billed(status)
                self._purses[task.pack].spent += charge.units
                self._owed += charge.cash

    def purse(self, pack: Pack) -> Purse:
        """What is left of one kind of resource pack, everything that ended taken into account."""
        self._settle()
        return self._purses[pack]

    def in_flight(self, pack: Pack) -> int:
        """Slots that are taken."""
        self._settle()
        return sum(task.weight for task in self._open.values() if task.pack is pack)

    def accept(self, order: Order, admission: Admission) -> Task:
        """Make a task of an order.

        :raises Refusal: 1201 for a used external id, 1102 for too few units or 1101 for too much that is owed, 1303 for
            no free slot, in that order.
        """
        if order.external_id and order.external_id in self._by_external_id:
            raise invalid(f"External_task_id {order.external_id} already exists")
        purse, taken = self.purse(order.pack), self.in_flight(order.pack)
        tariff = self._tariff(order, purse)
        if not admission.synchronous:
            if taken + order.weight > purse.slots:
                raise Refusal(1303)
            purse.max_in_flight = max(purse.max_in_flight, taken + order.weight)
        task = self._new_task(order, admission, tariff)
        if self._journal:
            self._journal.write(task)
        self._hold(task)
        return task

    def _tariff(self, order: Order, purse: Purse) -> Tariff:
        """How an order is paid, everything that is not yet taken counted."""
        reserved = [task.reserved for task in self._open.values() if task.pack is order.pack]
        left = purse.balance - sum(charge.units for charge in reserved)
        tariff = tariff_of(self._settings, order.pack, left)
        charge = tariff.charge(order.units)
        if charge.units > left:
            raise Refusal(1102)
        if charge.cash + self._owed + sum(one.cash for one in reserved) > self._settings.credit:
            raise Refusal(1101)
        return tariff

    @property
    def credit_left(self) -> Decimal:
        """Money that the account may still owe."""
        self._settle()
        return self._settings.credit - self._owed

    @property
    def cash(self) -> dict[str, str]:
        """What the account owes, and may owe."""
        self._settle()
        currency = tariff_of(self._settings, Pack.VIDEO, Decimal(0)).currency
        return {"currency": currency, "spent": trimmed(self._owed), "credit": trimmed(self._settings.credit)}

    def _new_task(self, order: Order, admission: Admission, tariff: Tariff) -> Task:
        now, fate = self.now(), admission.fate
        task_id = self._next_id(now)
        generation = fate.generation_seconds
        span = self._generation_seconds if generation is None else (generation, generation)
        processing_at = now if admission.synchronous else now + self._drawn(self._queue_seconds)
        return Task(
            id=task_id,
            external_id=order.external_id,
            generation=order.generation,
            product=order.product,
            path=order.path,
            model=order.model,
            prompt=order.prompt,
            resolution=order.resolution,
            seconds=order.seconds,
            sound=order.sound,
            units=order.units,
            tariff=tariff,
            pack=order.pack,
            weight=order.weight,
            results=[result.model_copy(deep=True) for result in order.results],
            inputs=admission.store_inputs(task_id, order),
            follow=order.follow,
            details=order.details,
            synchronous=admission.synchronous,
            terminal_callbacks_only=order.terminal_callbacks_only,
            watermark=order.watermark,
            callback_url=order.callback_url,
            base_url=admission.base_url,
            fate=fate,
            created_at=now,
            processing_at=processing_at,
            finish_at=now if admission.synchronous else processing_at + self._drawn(span),
            inputs_checked_at=None if order.inputs and not admission.synchronous else now,
        )

    def _next_id(self, now: int) -> str:
        """Ids like Kling's: 18 digits, growing with time."""
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
        """The tasks that queries show, all or those of one legacy path, newest first."""
        tasks = (task for task in self.tasks.values() if path is None or _is_legacy_of(task, path))
        return sorted((task for task in tasks if not task.synchronous), key=lambda task: task.id, reverse=True)

    def everything(self) -> list[Task]:
        """All tasks, those that ended with their request included, newest first."""
        return sorted(self.tasks.values(), key=lambda task: task.id, reverse=True)


def _is_legacy_of(task: Task, path: str) -> bool:
    return task.generation is Generation.LEGACY and task.path == path
