"""Calls of the hook that cost, other than orders of tasks: each is on record before and after, and paid once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from airflow.sdk import get_current_context

from airflow_provider_klingvideo._urls import without_signatures
from airflow_provider_klingvideo.kling import AsyncKlingClient, KlingClient
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.runtime.connections.connection import KlingConnection
from airflow_provider_klingvideo.runtime.places import name_of, store_of
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.workflow import JobStore
from airflow_provider_klingvideo.workflow.ordering.calls import call_once, hashed

log = logging.getLogger(__name__)

T = TypeVar("T")
FOLDER = "calls"


def recorded(connection: KlingConnection, operation: Operation[T], *, repeat_unanswered: bool = False) -> T:
    """Make a call that costs and return its answer: where the same was asked before, the one on record.

    The record lies with the run of the task, so that every task instance makes its own calls, and makes each once.
    Outside of tasks it lies below ``calls``, and the same call is made once at all.

    :param connection: who pays; the same request by another connection is another call.
    :param repeat_unanswered: make it again where its answer was lost, at the risk of paying twice for it.
    :raises UnansweredCallError: this or an earlier call may have been paid, and its answer is not known.
    :raises KlingVideoError: Kling refused; nothing was paid.
    """
    session = Session(connection.conn_id)
    wanted = {"klingai_conn_id": connection.conn_id, "request": operation.json or {}}
    try:
        context = get_current_context()
    except RuntimeError:
        store, name = session.store(FOLDER), f"{operation.what}-{hashed(wanted)}"
    else:
        store, name = store_of(session, context), name_of(context, context["ti"].task_id)
    return paid_once(connection, store, name, operation, wanted=wanted, repeat_unanswered=repeat_unanswered)


def paid_once(
    connection: KlingConnection,
    store: JobStore,
    name: str,
    operation: Operation[T],
    *,
    wanted: Mapping[str, Any],
    repeat_unanswered: bool = False,
) -> T:
    """Return the answer to a call that costs, from the record where there is one; its signed addresses are not kept.

    :param connection: who pays.
    :param store: where the record lies.
    :param name: deterministic name of who calls.
    :param operation: the call.
    :param wanted: what is asked for, by which the call is known again.
    :param repeat_unanswered: make it again where its answer was lost, at the risk of paying twice for it.
    :raises UnansweredCallError: this or an earlier call may have been paid, and its answer is not known.
    :raises KlingVideoError: Kling refused; nothing was paid.
    """
    # A connection that cannot be used is told before the call is on record, as one that was begun.
    connection.settings  # noqa: B018
    fresh: list[T] = []

    def parse(data: Any) -> Any:
        # Read at once: what makes no sense leaves the call open, as an answer that was lost.
        fresh.append(operation.parse(data))
        return data

    async def send() -> Any:
        return await asyncio.to_thread(connection.send, replace(operation, parse=parse))

    answer = _run(
        call_once(
            store,
            name,
            operation.what,
            wanted,
            send,
            lambda data: {"data": without_signatures(data)},
            lifetime=operation.lifetime,
            repeat_unanswered=repeat_unanswered,
        )
    )
    if fresh:
        return fresh[-1]
    log.info("%s was answered and paid before; this is the answer on record", operation.what)
    return operation.parse(answer["data"])


class _Recorded:
    """Beside a client: whose it is, and how its calls that cost are put on record.

    :param connection: whose it is.
    :param repeat_unanswered: see :func:`recorded`.
    """

    def __init__(self, connection: KlingConnection, *, repeat_unanswered: bool = False) -> None:
        super().__init__(**connection.client_options)
        self._recorded = partial(recorded, connection, repeat_unanswered=repeat_unanswered)


class RecordedClient(_Recorded, KlingClient):
    """A client that puts the calls that cost on record; a create is known at Kling by its external id."""

    def send(self, operation: Operation[T]) -> T:
        """Send an operation; what costs and makes no task is paid once, see :func:`recorded`."""
        return self._recorded(operation) if operation.what else super().send(operation)


class AsyncRecordedClient(_Recorded, AsyncKlingClient):
    """The same for an event loop."""

    async def send(self, operation: Operation[T]) -> T:
        """Send an operation; what costs and makes no task is paid once, see :func:`recorded`."""
        if operation.what:
            return await asyncio.to_thread(self._recorded, operation)
        return await super().send(operation)


def _run(work: Any) -> Any:
    """Run a coroutine to its end, also where an event loop is running already, as in a notebook."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
