"""One polling loop for all tasks at Kling that a process waits for with the same connection."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from math import ceil, inf

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import PRODUCTS, AsyncKlingClient, Task
from airflow_provider_klingvideo.workflow.job.errors import PollingLostError
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.waiting.last_question import LAST_QUESTION_SECONDS, answered_within
from airflow_provider_klingvideo.workflow.waiting.shared_client import SharedClient
from airflow_provider_klingvideo.workflow.waiting.timings import Timings
from airflow_provider_klingvideo.workflow.waiting.watch import Ended, GenerationWatch, Outcome, Wait

log = logging.getLogger(__name__)

# What is due a moment later is asked for along with the rest.
COMING = 0.5
# The shared loop asks at a deadline, too. When its answer has not come by then, the loop is held up.
GRACE = 5.0
# Kling's clock tells when a task was created, ours when we ordered it.
CLOCK_SKEW = timedelta(minutes=10)
TASKS_ON_A_PAGE = 500
# A listing that did not pay is tried again after some turns.
FORGETTING = 0.95


@dataclass(eq=False)
class _Waiter:
    watch: GenerationWatch
    kind: str
    timing: str | None
    due: float
    ended: asyncio.Future[Ended]
    was_listed: bool = False


class Broker:
    """Asks about all tasks that are waited for, with as few requests as possible.

    Each turn asks about what is due: by ids, many a request, or by one listing, whichever needs fewer requests. What
    a listing says beyond that is heard, too, so that hundreds of tasks cost no more than one. The decisions are those
    of each task's :class:`GenerationWatch`.

    :param client: asks Kling.
    :param timings: where it is noted how long tasks take.
    """

    def __init__(self, client: SharedClient, timings: Timings | None = None) -> None:
        self._client = client
        self._timings = timings or Timings()
        self._waiters: set[_Waiter] = set()
        self._server: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._planned = inf
        self._rest_until = 0.0
        self._listing_requests: dict[str, float] = {}
        self._late: list[_Waiter] = []
        self._late_question = asyncio.Lock()

    async def follow(self, watch: GenerationWatch, kind: str, timing: str | None = None) -> Ended:
        """Wait until a task has ended, its deadline has come, or Kling cannot be asked any more.

        :param kind: the product of the task.
        :param timing: what tasks that take about the same time have in common; see :func:`timing_key`.
        """
        if kind not in PRODUCTS:
            return Ended(Outcome.LOST, f"The product {kind!r} is unknown")
        loop = asyncio.get_running_loop()
        due = loop.time() + watch.first_wait(utc_now()).seconds
        waiter = _Waiter(watch, kind, timing, due, loop.create_future())
        self._waiters.add(waiter)
        self._call()
        if max(due, self._rest_until) < self._planned:
            self._wake.set()
        try:
            return await self._end_of(waiter)
        finally:
            self._waiters.discard(waiter)
            if not self._waiters:
                self._wake.set()

    async def _end_of(self, waiter: _Waiter) -> Ended:
        """Wait for the shared loop's word up to the deadline; a loop that is held up prolongs no wait."""
        while not waiter.ended.done():
            left = waiter.watch.seconds_left(utc_now())
            await asyncio.wait([waiter.ended], timeout=max(0.0, left) + GRACE)
            if not waiter.ended.done():
                await self._ask_past_the_loop(waiter)
        return waiter.ended.result()

    async def _ask_past_the_loop(self, waiter: _Waiter) -> None:
        """Ask for the last time, and end the wait whatever comes of it. Who asks does so for all that are late."""
        self._late.append(waiter)
        try:
            async with (
                self._trouble_told([waiter]),
                answered_within(LAST_QUESTION_SECONDS),
                self._client.held(),
                self._late_question,
            ):
                if not waiter.ended.done():
                    client = await self._client.get()
                    await self._asked_by_ids(client, self._as_late_as(waiter, client))
        finally:
            self._late.remove(waiter)

    def _as_late_as(self, first: _Waiter, client: AsyncKlingClient) -> list[_Waiter]:
        others = [one for one in self._late if one is not first and not one.ended.done()]
        return _by_shelf(client, [first, *others])[client.shelf_of(first.kind)][: client.ids_per_query]

    def hear_of_running(self, pack: str, in_flight: Iterable[Task]) -> None:
        """Ask soon about tasks that were running and are not any more, as somebody who looked for slots has seen.

        :param pack: whose tasks were listed.
        :param in_flight: all that run of it.
        """
        running = {task.id for task in in_flight}
        for waiter in self._waiters:
            if PRODUCTS[waiter.kind].pack != pack:
                continue
            if waiter.watch.task_id in running:
                waiter.was_listed = True
            elif waiter.was_listed:
                waiter.was_listed = False
                waiter.due = asyncio.get_running_loop().time()
                self._wake.set()

    def _call(self) -> None:
        if self._server is None:
            # Of its own context: it speaks for all that wait, not for the one that came first.
            self._server = asyncio.get_running_loop().create_task(self._serve(), context=Context())

    async def _serve(self) -> None:
        async with self._client.held():
            try:
                while self._waiters:
                    await self._turn()
            finally:
                # In the same breath as the last look at the waiters: whoever comes now calls another one.
                self._server = None

    async def _turn(self) -> None:
        due = await self._due()
        if not due:
            return
        async with self._trouble_told(due):
            client = await self._client.get()
            for shelf, waiting in _by_shelf(client, due).items():
                async with self._trouble_told(waiting):
                    await self._ask(client, shelf, waiting)
        pause = min(waiter.watch.policy.min_seconds for waiter in due)
        self._rest_until = asyncio.get_running_loop().time() + pause

    async def _due(self) -> list[_Waiter]:
        """Return the waiters that are due, after a wait for the first of them; none when one came or left meanwhile."""
        loop = asyncio.get_running_loop()
        self._planned = max(self._rest_until, min(waiter.due for waiter in self._waiters))
        self._wake.clear()
        try:
            async with asyncio.timeout(max(0.0, self._planned - loop.time())):
                await self._wake.wait()
        except TimeoutError:
            pass
        else:
            return []
        finally:
            self._planned = inf
        until = loop.time() + min(COMING, min(waiter.watch.policy.min_seconds for waiter in self._waiters))
        return [waiter for waiter in self._waiters if waiter.due <= until]

    async def _ask(self, client: AsyncKlingClient, shelf: str, due: Sequence[_Waiter]) -> None:
        by_ids = ceil(len(due) / client.ids_per_query)
        everyone = _by_task(_by_shelf(client, self._waiters)[shelf])
        expected = self._listing_requests.get(shelf, ceil(len(everyone) / TASKS_ON_A_PAGE))
        if expected < by_ids:
            due = await self._asked_by_listing(client, shelf, due, everyone, most=by_ids)
        else:
            self._listing_requests[shelf] = max(1, expected * FORGETTING)
        for first in range(0, len(due), client.ids_per_query):
            await self._asked_by_ids(client, due[first : first + client.ids_per_query])

    async def _asked_by_listing(
        self,
        client: AsyncKlingClient,
        shelf: str,
        due: Sequence[_Waiter],
        everyone: Mapping[str, list[_Waiter]],
        *,
        most: int,
    ) -> list[_Waiter]:
        """Read a listing and return who is due and was not found in it."""
        since = min(waiter.watch.submitted_at for waiter in due) - CLOCK_SKEW
        missing = {waiter.watch.task_id for waiter in due}
        requests = 0
        async for page in client.pages(shelf, since):
            requests += 1
            known = [task for task in page if task.id in everyone]
            missing -= {task.id for task in known}
            self._hear((waiter, task) for task in _ended_first(known) for waiter in everyone[task.id])
            if not missing or requests >= most:
                break
        self._listing_requests[shelf] = requests + ceil(len(missing) / client.ids_per_query)
        return [waiter for waiter in due if waiter.watch.task_id in missing]

    async def _asked_by_ids(self, client: AsyncKlingClient, due: Sequence[_Waiter]) -> None:
        async with self._trouble_told(due):
            found = await client.get_tasks([waiter.watch.task_id for waiter in due], kind=due[0].kind)
            self._hear((waiter, found.get(waiter.watch.task_id)) for waiter in due)

    def _hear(self, answers: Iterable[tuple[_Waiter, Task | None]]) -> None:
        for waiter, task in answers:
            try:
                self._learn(waiter, task)
                self._decide(waiter, waiter.watch.on_task(task, utc_now()))
            except Exception as error:
                log.exception("The answer about task %s makes no sense", waiter.watch.task_id)
                self._decide(waiter, Ended(Outcome.LOST, f"{type(error).__name__}: {error}"))

    def _learn(self, waiter: _Waiter, task: Task | None) -> None:
        if waiter.timing is None:
            return
        if task is not None and task.succeeded and task.seconds is not None:
            self._timings.add(waiter.timing, task.seconds)
        waiter.watch.window = self._timings.window(waiter.timing) or waiter.watch.window

    @asynccontextmanager
    async def _trouble_told(self, waiters: Collection[_Waiter]) -> AsyncIterator[None]:
        """Tell those who were asked about what went wrong, and nobody else."""
        try:
            yield
        except KlingVideoError as error:
            await self._trouble(waiters, error)
        except Exception as error:
            log.exception("Asking Kling about %d tasks failed", len(waiters))
            await self._trouble(waiters, PollingLostError(f"{type(error).__name__}: {error}", retryable=True))

    async def _trouble(self, waiters: Collection[_Waiter], error: KlingVideoError) -> None:
        for waiter in waiters:
            self._decide(waiter, waiter.watch.on_error(error, utc_now()))
        if not error.retryable:
            await self._client.renew()

    def _decide(self, waiter: _Waiter, decision: Wait | Ended) -> None:
        if isinstance(decision, Wait):
            waiter.due = asyncio.get_running_loop().time() + decision.seconds
            return
        self._waiters.discard(waiter)
        if not waiter.ended.done():
            waiter.ended.set_result(decision)


def _by_shelf(client: AsyncKlingClient, waiters: Iterable[_Waiter]) -> dict[str, list[_Waiter]]:
    shelves = defaultdict(list)
    for waiter in waiters:
        shelves[client.shelf_of(waiter.kind)].append(waiter)
    return shelves


def _by_task(waiters: Iterable[_Waiter]) -> dict[str, list[_Waiter]]:
    tasks = defaultdict(list)
    for waiter in waiters:
        tasks[waiter.watch.task_id].append(waiter)
    return tasks


def _ended_first(tasks: Sequence[Task]) -> Iterator[Task]:
    """What has just ended tells when the others are due."""
    yield from (task for task in tasks if task.status.is_terminal)
    yield from (task for task in tasks if not task.status.is_terminal)
