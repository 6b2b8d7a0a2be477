"""Input files are looked at after a task was accepted, as Kling does it (kling-api section 5)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from airflow_provider_klingvideo.sandbox.account.orders import Input, Order
from airflow_provider_klingvideo.sandbox.account.tasks import StoredInput, Task
from airflow_provider_klingvideo.sandbox.files.media_facts import MediaFacts

log = logging.getLogger(__name__)


Look = Callable[[StoredInput], Awaitable[MediaFacts | None]]
"""Reads the facts of an input, none when there is nothing to be read."""


def store_inputs(folder: Path, task_id: str, order: Order) -> list[StoredInput]:
    """Keep the files that came with a request, and say where those to be fetched will lie."""
    return [store_input(folder, f"{task_id}-input-{number}", item) for number, item in enumerate(order.inputs)]


def store_input(folder: Path, file: str, item: Input) -> StoredInput:
    """Keep one file under a name."""
    if item.content is not None:
        (folder / file).write_bytes(item.content)
    kept = "" if item.facts else file
    return StoredInput(role=item.role, limits=item.limits, url=item.url, file=kept, facts=item.facts)


async def inspect_inputs(look: Look, task: Task) -> str:
    """Fetch a task's inputs, look at them, and let the task know what follows from them.

    :return: what is wrong, in Kling's words; empty if nothing is.
    """
    for item in task.inputs:
        item.facts = await look(item)
        if problem := item.limits.problem(item.facts):
            return problem
    task.learn()
    return ""


async def look_at(client: httpx.AsyncClient, folder: Path, item: StoredInput) -> MediaFacts | None:
    """The facts of an input, fetched if that is needed; none when there is nothing to be read."""
    if not item.file:
        return item.facts
    file = folder / item.file
    if item.url is not None:
        file.write_bytes(await _fetch(client, item.url, item.limits.max_bytes))
    # The file of a task that was kept over a restart may have been deleted in between.
    return item.limits.read(file.read_bytes()) if file.is_file() else None


async def _fetch(client: httpx.AsyncClient, url: str, limit: int) -> bytes:
    """The bytes behind an address, none when there is nothing to be had."""
    content = bytearray()
    try:
        async with client.stream("GET", url) as response:
            response.raise_for_status()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > limit:
                    return b""
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.info("SANDBOX: an input could not be fetched: %s", type(error).__name__)
        return b""
    return bytes(content)
