"""The clients: the only place that speaks HTTP with Kling. Reads are retried, creates never."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import cache, cached_property, partial
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from airflow_provider_klingvideo._text import spelled
from airflow_provider_klingvideo.errors import Fault, KlingVideoError, quoted
from airflow_provider_klingvideo.kling.catalogue.capabilities import API_CHOICES, AUTO, ApiFamily, registry
from airflow_provider_klingvideo.kling.client import operations
from airflow_provider_klingvideo.kling.client.bounds import (
    LARGEST_ANSWER,
    ONLY_GZIP,
    AnswerTooLargeError,
    SizeBound,
    seconds_for,
    time_limit,
    time_limit_async,
    watch_connection,
)
from airflow_provider_klingvideo.kling.client.calls import AsyncSender, SyncSender
from airflow_provider_klingvideo.kling.client.methods import VendorMethods
from airflow_provider_klingvideo.kling.client.operations import MAX_IDS_PER_QUERY, Page
from airflow_provider_klingvideo.kling.errors import (
    AmbiguousSubmissionError,
    InvalidRequestError,
    NetworkError,
    TaskNotFoundError,
)
from airflow_provider_klingvideo.kling.products import PRODUCTS
from airflow_provider_klingvideo.kling.products.base import GenerationRequest
from airflow_provider_klingvideo.kling.wire.answers import result_of, unreadable
from airflow_provider_klingvideo.kling.wire.auth import Auth
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.tasks import Task

T = TypeVar("T")

CONNECT_SECONDS = 10.0
# For the whole answer, and so for each silence within it. One that is given up too soon costs another request: a read
# is sent again, a create looked up. One that is waited for too long holds up all jobs of the connection.
ANSWER_SECONDS = 60.0
READ_ATTEMPTS = 4
LONGEST_PAUSE = 30.0
IN_FLIGHT = ("submitted", "processing")
SOLUTIONS_SHELF = "solutions"
FAILURES = (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError, AnswerTooLargeError)
NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


@cache
def _tls() -> ssl.SSLContext:
    """Loading the certificates takes longer than a request: once per process."""
    return httpx.create_ssl_context()


class _Core(VendorMethods):
    """What both clients share: everything that is not I/O.

    :param auth: the credentials.
    :param base_url: the API's address, see :data:`REGIONS`.
    :param user_agent: sent along, for Kling's support.
    :param timeout: seconds for a request and its whole answer. Each try has them anew; a body gets more, at 128 KiB a
        second.
    :param read_attempts: how often a read is tried.
    :param largest_answer: bytes of an answer, unpacked, that are read at most.
    """

    def __init__(
        self,
        auth: Auth,
        *,
        base_url: str,
        user_agent: str = "airflow-provider-klingvideo",
        timeout: float = ANSWER_SECONDS,
        read_attempts: int = READ_ATTEMPTS,
        largest_answer: int = LARGEST_ANSWER,
    ) -> None:
        self._size = SizeBound(largest_answer)
        self.base_url = base_url.rstrip("/")
        self._host = _host_of(self.base_url)
        self._auth = auth
        self._answer_seconds = timeout
        self._http_options: dict[str, Any] = {
            "base_url": self.base_url,
            "auth": auth,
            "timeout": httpx.Timeout(timeout, connect=CONNECT_SECONDS),
            "headers": {"User-Agent": user_agent, **ONLY_GZIP},
        }
        self._retry_options: dict[str, Any] = {
            "retry": retry_if_exception(_is_worth_retrying),
            "stop": stop_after_attempt(read_attempts),
            "wait": _pause,
            "reraise": True,
        }

    def __repr__(self) -> str:
        """Show the address and no secret."""
        return f"{type(self).__name__}({self.base_url})"

    def family_for(self, request: GenerationRequest, api: str | None = None) -> ApiFamily:
        """Choose the API family of a request.

        :param api: ``new`` or ``legacy`` to force one; ``auto`` or None to choose by credentials and model.
        :raises InvalidRequestError: for another word.
        """
        chosen = spelled(str(api), API_CHOICES) if api else AUTO
        if chosen is None:
            raise InvalidRequestError(Fault("api", f"{quoted(api)} is not an API family", ", ".join(API_CHOICES)))
        if chosen != AUTO:
            return ApiFamily(chosen)
        if not self._auth.serves_new_family:
            return ApiFamily.LEGACY
        offered = registry().families(request.kind, request.model_name)
        return offered[0] if offered else next(iter(PRODUCTS[request.kind].routes))

    def _queries(self, task_ids: Sequence[str], kind: str) -> list[Operation[list[Task]]]:
        """An API key sees every task by one path, many at a time; a token sees the legacy paths, one at a time."""
        if self._auth.serves_new_family:
            starts = range(0, len(task_ids), MAX_IDS_PER_QUERY)
            return [operations.get_tasks(task_ids[start : start + MAX_IDS_PER_QUERY], kind) for start in starts]
        return [operations.get_legacy_task(kind, task_id) for task_id in task_ids]

    def _look_up(self, external_task_id: str, kind: str) -> Operation[list[Task]]:
        if self._auth.serves_new_family:
            return operations.find_by_external_id(external_task_id, kind)
        return operations.get_legacy_task(kind, external_task_id)

    @property
    def ids_per_query(self) -> int:
        """How many tasks one request can ask for by their ids."""
        return MAX_IDS_PER_QUERY if self._auth.serves_new_family else 1

    def shelf_of(self, kind: str) -> str:
        """Name the listing in which the tasks of a kind are found; those of one shelf can be asked for together.

        :param kind: a product.
        :returns: for an API key a kind of pack, or ``solutions``; for a token the kind itself, as each has its path.
        """
        if not self._auth.serves_new_family:
            return kind
        is_solution = ApiFamily.SOLUTIONS in PRODUCTS[kind].routes
        return SOLUTIONS_SHELF if is_solution else PRODUCTS[kind].pack

    def _shelf(self, shelf: str, since: datetime) -> Callable[[str | None], Operation[Page]]:
        if not self._auth.serves_new_family:
            return partial(operations.list_legacy_tasks, shelf, ())
        if shelf == SOLUTIONS_SHELF:
            return partial(operations.list_solutions, (), since=since)
        return partial(operations.list_tasks, (), pack=shelf, since=since)

    def _listings(self, statuses: Sequence[str]) -> list[Callable[[str | None], Operation[Page]]]:
        """The listings that together show every task that the credentials may see, each from cursor to page."""
        if self._auth.serves_new_family:
            return [partial(operations.list_tasks, statuses), partial(operations.list_solutions, statuses)]
        return self._legacy_listings(statuses, set(PRODUCTS))

    def _listings_in_flight(self, pack: str) -> list[Callable[[str | None], Operation[Page]]]:
        """The listings that show what takes slots of a kind of pack."""
        if self._auth.serves_new_family:
            return [partial(operations.list_tasks, IN_FLIGHT, pack=pack)]
        return self._legacy_listings((), {kind for kind, product in PRODUCTS.items() if product.pack == pack})

    @staticmethod
    def _legacy_listings(
        statuses: Sequence[str], kinds: Collection[str]
    ) -> list[Callable[[str | None], Operation[Page]]]:
        return [
            partial(operations.list_legacy_tasks, kind, statuses)
            for kind, product in PRODUCTS.items()
            if kind in kinds and ApiFamily.LEGACY in product.routes
        ]

    def _prepared(self, operation: Operation[Any]) -> dict[str, Any]:
        return {
            "method": operation.method,
            "url": operation.path,
            "params": dict(operation.query) or None,
            "json": operation.json,
        }

    def _failure(self, operation: Operation[Any], error: Exception) -> KlingVideoError:
        """What it means that a request came to no answer."""
        if isinstance(error, AnswerTooLargeError):
            return unreadable(operation, str(error))
        if isinstance(error, UnicodeEncodeError):
            return InvalidRequestError(Fault("a text of the request", "holds half of a character", "whole characters"))
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if operation.is_create and not isinstance(error, NOT_SENT):
            return AmbiguousSubmissionError(f"{self._host} did not answer a create request ({what})")
        nothing = "; nothing was sent" if operation.is_create else ""
        return NetworkError(f"{self._host} could not be reached ({what}){nothing}")


class KlingClient(_Core, SyncSender):
    """The synchronous client; a context manager. Parameters as for :class:`AsyncKlingClient`."""

    def __init__(self, auth: Auth, **options: Any) -> None:
        super().__init__(auth, **options)
        self._http = httpx.Client(**self._http_options, verify=_tls(), event_hooks={"response": [self._size.hook]})

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create(self, request: GenerationRequest, *, external_task_id: str, family: ApiFamily | None = None) -> Task:
        """Order a video; see :meth:`AsyncKlingClient.create`."""
        return self.send(operations.create(request, family or self.family_for(request), external_task_id))

    def get_task(self, task_id: str, *, kind: str) -> Task:
        """Return one task.

        :raises TaskNotFoundError: when Kling does not know it.
        """
        found = self.get_tasks([task_id], kind=kind).get(task_id)
        if found is None:
            raise TaskNotFoundError(f"Kling does not know task {task_id}")
        return found

    def get_tasks(self, task_ids: Sequence[str], *, kind: str) -> dict[str, Task]:
        """Return tasks by id; see :meth:`AsyncKlingClient.get_tasks`."""
        found = [self.send(operation) for operation in self._queries(task_ids, kind)]
        return {task.id: task for tasks in found for task in tasks}

    def find_by_external_id(self, external_task_id: str, *, kind: str) -> Task | None:
        """Return the task with our id, None when there is none; see :meth:`AsyncKlingClient.find_by_external_id`."""
        return _with_external_id(external_task_id, self.send(self._look_up(external_task_id, kind)))

    def list_tasks(self, *, statuses: Sequence[str] = ()) -> Iterator[Task]:
        """Walk through the account's tasks; see :meth:`AsyncKlingClient.list_tasks`."""
        for listing in self._listings(statuses):
            yield from self._walk(listing)

    def _walk(self, listing: Callable[[str | None], Operation[Page]]) -> Iterator[Task]:
        cursor: str | None = None
        while True:
            page = self.send(listing(cursor))
            yield from page.tasks
            if page.cursor in (None, cursor):
                break
            cursor = page.cursor

    def in_flight(self, pack: str = "video") -> list[Task]:
        """Return the tasks of the account that run now; see :meth:`AsyncKlingClient.in_flight`."""
        if self._auth.serves_new_family:
            return [task for listing in self._listings_in_flight(pack) for task in self._walk(listing)]
        return _running([self.send(listing(None)) for listing in self._listings_in_flight(pack)])

    def send(self, operation: Operation[T]) -> T:
        """Send an operation; see :meth:`AsyncKlingClient.send`."""
        if operation.is_create:
            return self._once(operation)
        result: T = Retrying(**self._retry_options)(self._once, operation)
        return result

    def _once(self, operation: Operation[T]) -> T:
        try:
            request = self._http.build_request(**self._prepared(operation), extensions={"trace": watch_connection})
            with time_limit(seconds_for(request, self._answer_seconds)):
                response = self._http.send(request)
        except FAILURES as error:
            raise self._failure(operation, error) from None
        return result_of(operation, response)


class AsyncKlingClient(_Core, AsyncSender):
    """The client for an event loop; an asynchronous context manager.

    :param auth: :class:`ApiKeyAuth` or :class:`AccessKeyAuth`.
    :param base_url: the API's address, see :data:`REGIONS`.
    :param user_agent: sent along, for Kling's support.
    :param timeout: seconds for a request and its whole answer. Each try has them anew; a body gets more, at 128 KiB a
        second.
    :param read_attempts: how often a read is tried.
    """

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        """Made for the first request: many tasks ask Kling nothing, and loading the certificates takes a while."""
        return httpx.AsyncClient(**self._http_options, verify=_tls(), event_hooks={"response": [self._size.hook_async]})

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if "_http" in vars(self):
            await self._http.aclose()

    async def create(
        self, request: GenerationRequest, *, external_task_id: str, family: ApiFamily | None = None
    ) -> Task:
        """Order a video. It is sent once; it costs money when it succeeds.

        :param request: what to generate.
        :param external_task_id: our id; Kling refuses a second task with it (kling-api section 5.1).
        :param family: the API family; default: :meth:`family_for`.
        :returns: the accepted task.
        :raises NetworkError: nothing was sent.
        :raises AmbiguousSubmissionError: it was sent, and whether a task exists is not known.
        :raises KlingError: Kling refused; nothing was created.
        """
        operation = operations.create(request, family or self.family_for(request), external_task_id)
        return await self.send(operation)

    async def get_task(self, task_id: str, *, kind: str) -> Task:
        """Return one task.

        :raises TaskNotFoundError: when Kling does not know it.
        """
        found = (await self.get_tasks([task_id], kind=kind)).get(task_id)
        if found is None:
            raise TaskNotFoundError(f"Kling does not know task {task_id}")
        return found

    async def get_tasks(self, task_ids: Sequence[str], *, kind: str) -> dict[str, Task]:
        """Return tasks by id, 20 a request with an API key.

        :param task_ids: Kling's ids.
        :param kind: the product; decides the path where only legacy paths can be used.
        :returns: id to task; ids that Kling does not know are left out.
        """
        found = [await self.send(operation) for operation in self._queries(task_ids, kind)]
        return {task.id: task for tasks in found for task in tasks}

    async def find_by_external_id(self, external_task_id: str, *, kind: str) -> Task | None:
        """Return the task with our id.

        :returns: the task; None when Kling says that there is none.
        :raises KlingVideoError: when Kling could not be asked: whether there is a task is not known then.
        """
        return _with_external_id(external_task_id, await self.send(self._look_up(external_task_id, kind)))

    async def list_tasks(self, *, statuses: Sequence[str] = ()) -> AsyncIterator[Task]:
        """Walk through the account's tasks.

        An API key sees those of the last 30 days. A token sees those of the legacy paths; one of them comes twice where
        another is ordered meanwhile.

        :param statuses: only tasks in these states, for example ``("submitted", "processing")``.
        """
        for listing in self._listings(statuses):
            async for task in self._walk(listing):
                yield task

    async def pages(self, shelf: str, since: datetime) -> AsyncIterator[list[Task]]:
        """Walk through a listing, the newest tasks first, a request for each page of up to 500.

        :param shelf: see :meth:`shelf_of`.
        :param since: leave out what was created before, aware. A token cannot say so: its listing goes on.
        """
        async for page in self._pages(self._shelf(shelf, since)):
            yield page.tasks

    async def _walk(self, listing: Callable[[str | None], Operation[Page]]) -> AsyncIterator[Task]:
        async for page in self._pages(listing):
            for task in page.tasks:
                yield task

    async def _pages(self, listing: Callable[[str | None], Operation[Page]]) -> AsyncIterator[Page]:
        cursor: str | None = None
        while True:
            page = await self.send(listing(cursor))
            yield page
            if page.cursor in (None, cursor):
                break
            cursor = page.cursor

    async def in_flight(self, pack: str = "video") -> list[Task]:
        """Return the tasks of the account that run now, whoever ordered them.

        A token sees the newest 500 tasks of each legacy path, far more than an account has slots, and no others.

        :param pack: whose slots: ``video``, ``image`` or ``try_on``.
        """
        if self._auth.serves_new_family:
            return [task for listing in self._listings_in_flight(pack) async for task in self._walk(listing)]
        return _running([await self.send(listing(None)) for listing in self._listings_in_flight(pack)])

    async def send(self, operation: Operation[T]) -> T:
        """Send an operation: a read is tried again where that can help, what may cost money is sent once.

        :returns: what the operation makes of the answer.
        :raises NetworkError: Kling could not be reached.
        :raises AmbiguousSubmissionError: something that may cost money was sent, and no answer came.
        :raises KlingError: Kling refused.
        """
        if operation.is_create:
            return await self._once(operation)
        return await AsyncRetrying(**self._retry_options)(self._once, operation)

    async def _once(self, operation: Operation[T]) -> T:
        try:
            request = self._http.build_request(**self._prepared(operation))
            async with time_limit_async(seconds_for(request, self._answer_seconds)):
                response = await self._http.send(request)
        except FAILURES as error:
            raise self._failure(operation, error) from None
        return result_of(operation, response)


def _host_of(url: str) -> str:
    """Host and port alone: a user's name and password may stand before them."""
    try:
        return httpx.URL(url).netloc.decode()
    except httpx.InvalidURL as error:
        raise NetworkError("The base URL is none", advice=f"Correct it: {error}") from None


def _is_worth_retrying(error: BaseException) -> bool:
    """A longer pause than the client's longest is left to the caller: to come back early would disobey Kling."""
    return isinstance(error, KlingVideoError) and error.retryable and (error.retry_after or 0) <= LONGEST_PAUSE


_backoff: Callable[[RetryCallState], float] = wait_exponential_jitter(initial=1, max=LONGEST_PAUSE)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, KlingVideoError) else None
    return asked if asked is not None else _backoff(state)


def _with_external_id(external_task_id: str, tasks: list[Task]) -> Task | None:
    """Never take another one's task for ours; an answer that names no external id is trusted."""
    return next((task for task in tasks if task.external_id in (None, external_task_id)), None)


def _running(pages: Sequence[Page]) -> list[Task]:
    return [task for page in pages for task in page.tasks if not task.status.is_terminal]
