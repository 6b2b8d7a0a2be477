"""One running sandbox: the account, the rules, the clips, and what goes on in the background."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections import Counter, deque
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from airflow_provider_klingvideo.sandbox.account.account import Account, Admission, Clock
from airflow_provider_klingvideo.sandbox.account.answers import Refusal, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Pack
from airflow_provider_klingvideo.sandbox.account.library import Library
from airflow_provider_klingvideo.sandbox.account.orders import Order
from airflow_provider_klingvideo.sandbox.account.shapes import Sign
from airflow_provider_klingvideo.sandbox.account.tasks import Fate, StoredInput, Task, trimmed
from airflow_provider_klingvideo.sandbox.account.views import callback_body, ledger_row
from airflow_provider_klingvideo.sandbox.drawing.results import Results
from airflow_provider_klingvideo.sandbox.files.media_facts import MediaFacts
from airflow_provider_klingvideo.sandbox.serving.callbacks import send_callback
from airflow_provider_klingvideo.sandbox.serving.inputs import inspect_inputs, look_at, store_input, store_inputs
from airflow_provider_klingvideo.sandbox.serving.rules import Facts, RuleBook, decide_fate, read_markers
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings

_REMEMBERED_REQUESTS = 200
_SECOND_MILLIS = 1000
_LOOK_AGAIN = 0.2
"""Seconds between two looks at a task whose next change is not certain yet."""


class RequestLog:
    """The last requests, and how many there were of each kind."""

    def __init__(self) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED_REQUESTS)
        self.counts: Counter[str] = Counter()

    def note(self, at: int, method: str, path: str, route: str, result: str) -> None:
        """Note a request.

        :param route: the path without what differs from task to task.
        :param result: HTTP status and business code (``429/1303``), or ``dropped``.
        """
        self.counts[f"{method} {route} {result}"] += 1
        self.recent.appendleft({"at": at, "method": method, "path": path, "result": result})


class Sandbox:
    """The imitated vendor.

    :param settings: see :class:`SandboxSettings`.
    :param clock: tells the time; every status follows from it.
    """

    def __init__(self, settings: SandboxSettings, clock: Clock) -> None:
        self.settings = settings
        self.account = Account(settings, clock)
        self.library = Library(settings, self.account)
        self.rules = RuleBook()
        self.requests = RequestLog()
        self._costs_shown_at = 0
        self._temporary = tempfile.TemporaryDirectory(prefix="klingvideo-sandbox-") if not settings.state else None
        self._folder = Path(self._temporary.name) if self._temporary else Path(f"{settings.state}.media")

    async def open(self) -> None:
        """Start: read what is kept, and take up what was going on."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.account.open()
        self.results = Results(self.settings, self._folder)
        self._client = httpx.AsyncClient(timeout=self.settings.fetch_timeout, follow_redirects=True, trust_env=False)
        self._errands: set[asyncio.Task[None]] = set()
        for task in self.account.tasks.values():
            self._follow(task)

    async def close(self) -> None:
        """Stop."""
        for errand in self._errands:
            errand.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)
        await self._client.aclose()
        self.account.close()

    def accept(self, order: Order, facts: Facts, base_url: str) -> Task:
        """Make a task of an order.

        :raises Refusal: where a marker in the prompt or the account says no.
        """
        markers = read_markers(order.prompt)
        if markers.refuse_code is not None:
            raise Refusal(markers.refuse_code)
        fate = decide_fate(self.rules, facts, markers.fate)
        task = self.account.accept(order, Admission(fate, base_url, partial(store_inputs, self._folder)))
        self._follow(task)
        return task

    async def perform(self, order: Order, base_url: str) -> Task:
        """Make a task that ends with its request: its inputs are looked at now.

        :raises Refusal: as :meth:`accept`, and where an input is not what it should be.
        """
        markers = read_markers(order.prompt)
        if markers.refuse_code is not None:
            raise Refusal(markers.refuse_code)
        inputs = [store_input(self._folder, f"{uuid.uuid4().hex}-input", item) for item in order.inputs]
        for item in inputs:
            item.facts = await self._look(item)
            if problem := item.limits.problem(item.facts):
                raise invalid(problem)
        task = self.account.accept(order, Admission(Fate(), base_url, lambda _, __: inputs, synchronous=True))
        task.learn()
        self.account.keep(task)
        return task

    def costs_shown(self, now: int) -> bool:
        """Note that the resource packs are looked at; whether the last time was at least a second ago."""
        last, self._costs_shown_at = self._costs_shown_at, now
        return now - last >= _SECOND_MILLIS

    def sign_for(self, base_url: str) -> Sign:
        """What makes the addresses of clips, as seen from one caller."""
        return partial(self.results.url, base_url)

    def _follow(self, task: Task) -> None:
        if task.inputs_checked_at is None:
            self._run(self._inspect(task))
        if task.callback_url:
            self._run(self._announce(task))

    def _run(self, errand: Coroutine[Any, Any, None]) -> None:
        running = asyncio.create_task(errand)
        self._errands.add(running)
        running.add_done_callback(self._errands.discard)

    async def _look(self, item: StoredInput) -> MediaFacts | None:
        """The facts of an input; a file of the sandbox itself counts as large as it would be without the limit."""
        facts = await look_at(self._client, self._folder, item)
        own = self.results.result_at(item.url or "", self.account.tasks)
        return facts.model_copy(update={"width": own.width, "height": own.height}) if facts and own else facts

    async def _inspect(self, task: Task) -> None:
        task.inputs_failure = await inspect_inputs(self._look, task)
        task.inputs_checked_at = self.account.now()
        self.account.keep(task)

    async def _announce(self, task: Task) -> None:
        """Send every change after the first status, in order."""
        while True:
            coming = task.timeline[1 + task.announced :]
            if not coming:
                if task.timeline[-1].status.terminal or (task.fate.stuck and task.inputs_checked_at is not None):
                    return
                await asyncio.sleep(_LOOK_AGAIN)
                continue
            change = coming[0]
            await asyncio.sleep(max(0, change.at - self.account.now()) / 1000)
            task.announced += 1
            self.account.keep(task)
            if task.terminal_callbacks_only and not change.status.terminal:
                continue
            body = callback_body(task, change, self.sign_for(task.base_url))
            await send_callback(self._client, task.callback_url, body, self.settings.webhook_secret)

    def reset(self) -> None:
        """Forget everything and go back to the settings of the start."""
        for errand in self._errands:
            errand.cancel()
        self.account.reset()
        self.rules.clear()
        self.requests = RequestLog()
        self.results.forget()

    def ledger(self, base_url: str) -> dict[str, Any]:
        """Everything that happened, for tests and for the page."""
        account, now, sign = self.account, self.account.now(), self.sign_for(base_url)
        video = account.purse(Pack.VIDEO)
        return {
            "sandbox": True,
            "account": self.settings.account_name,
            "region": self.settings.region,
            "now": now,
            "tasks": [ledger_row(task, task.change_at(now), sign) for task in account.everything()],
            "balance": trimmed(video.balance),
            "spent_units": trimmed(video.spent),
            "slots": video.slots,
            "in_flight": account.in_flight(Pack.VIDEO),
            "max_in_flight_seen": video.max_in_flight,
            "cash": account.cash,
            "packs": {pack.value: self._pack(pack) for pack in Pack},
            "requests": dict(self.requests.counts),
        }

    def _pack(self, pack: Pack) -> dict[str, Any]:
        purse = self.account.purse(pack)
        return {
            "balance": trimmed(purse.balance),
            "spent_units": trimmed(purse.spent),
            "slots": purse.slots,
            "in_flight": self.account.in_flight(pack),
            "max_in_flight_seen": purse.max_in_flight,
        }
