"""Paths and URIs as text become paths of Airflow's object storage."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow.sdk import ObjectStoragePath


def open_path(path: str) -> ObjectStoragePath:
    """Open a path or URI, whose store is asked anew by every look at it.

    The libraries of object stores keep listings, and sizes with them, for as long as the process lives; what other
    workers write would never be seen, and a file that one of them has replaced could not be read any more.

    Some of them also open a connection with an event loop of their own, which a running one forbids: a thread does it
    then. The triggerer's loop has to answer for connections meanwhile, so that a trigger opens paths on threads only.

    :raises Exception: the connection does not exist, or the library of the store is not installed.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _open(path)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_open, path).result()


def _open(path: str) -> ObjectStoragePath:
    opened = ObjectStoragePath(path)
    # Without a connection, what Airflow does itself and what it leaves to its library go through two file systems.
    inner: Any = getattr(opened, "__wrapped__", opened)
    for file_system in (opened.fs, inner.fs):
        file_system.dircache.use_listings_cache = False
        file_system.invalidate_cache()
    return opened
