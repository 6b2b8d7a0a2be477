"""Input images are looked at after a task was accepted, as the vendor does it (kling-api section 5)."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx

from airflow_provider_klingvideo.sandbox.catalog import IMAGE_BYTES
from airflow_provider_klingvideo.sandbox.images import image_size
from airflow_provider_klingvideo.sandbox.orders import Order
from airflow_provider_klingvideo.sandbox.tasks import InputImage, Task

log = logging.getLogger(__name__)

UNREADABLE = "Something went wrong when we tried to get the contents of the file."
TOO_SMALL = "Image pixel is invalid"
BAD_RATIO = (
    "The resolution or aspect ratio of the input image is invalid. Please ensure it meets the required specifications."
)
SHORTEST_SIDE = 300
LARGEST_RATIO = 2.5


def store_images(folder: Path, task_id: str, order: Order) -> list[InputImage]:
    """Keep the images that came with a request, and say where those to be fetched will lie."""
    kept = []
    for image in order.images:
        file = f"{task_id}-{image.role}"
        if image.content is not None:
            (folder / file).write_bytes(image.content)
        kept.append(InputImage(role=image.role, url=image.url, file=file))
    return kept


async def inspect_images(client: httpx.AsyncClient, folder: Path, task: Task) -> str:
    """Fetch a task's images.

    :return: what is wrong, in the vendor's words; empty if nothing is.
    """
    limit = IMAGE_BYTES[task.generation]
    for image in task.images:
        file = folder / image.file
        if image.url is not None:
            file.write_bytes(await _fetch(client, image.url, limit))
        # The file of a task that was kept over a restart may have been deleted in between.
        readable = file.is_file() and file.stat().st_size <= limit
        problem = _problem(file.read_bytes()) if readable else UNREADABLE
        if problem:
            return problem
    return ""


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
        log.info("SANDBOX: an input image could not be fetched: %s", type(error).__name__)
        return b""
    return bytes(content)


def _problem(content: bytes) -> str:
    size = image_size(content)
    if size is None:
        return UNREADABLE
    if min(size) < SHORTEST_SIDE:
        return TOO_SMALL
    return BAD_RATIO if max(size) > LARGEST_RATIO * min(size) else ""
