"""Paths and URIs as text become paths of Airflow's object storage."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_klingvideo.errors import Fault, KlingVideoError, quoted
from airflow_provider_klingvideo.storage.addresses import (
    LEGAL,
    Address,
    AddressError,
    AddressKind,
    disk_path,
    read_address,
    shown,
)

_LOST_IN_URLS = frozenset("?#\n\r\t")


class UnknownStoreError(KlingVideoError):
    """No filesystem for this kind of path is installed."""

    kind = "unknown_store"
    default_advice = (
        "Install the Airflow provider that brings it, for s3:// with `pip install 'airflow-provider-klingvideo[s3]'`"
    )


def open_path(path: str) -> ObjectStoragePath:
    """Open a path or URI, whose store is asked anew by every look at it.

    The libraries of object stores keep listings, and sizes with them, for as long as the process lives; what other
    workers write would never be seen, and a file that one of them has replaced could not be read any more.

    Some of them also open a connection with an event loop of their own, which a running one forbids: a thread does it
    then. The triggerer's loop has to answer for connections meanwhile, so that a trigger opens paths on threads only.

    :param path: a local path, or ``scheme://[connection@]bucket/key``, as :func:`read_address` reads it.
    :raises AddressError: the text names no file.
    :raises UnknownStoreError: no filesystem serves the scheme.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _open(path)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_open, path).result()


def _open(path: str) -> ObjectStoragePath:
    address = read_address(path)
    if address.kind is AddressKind.CONTENT:
        raise AddressError(Fault("path", f"{quoted(path)} is a file itself", LEGAL))
    try:
        opened = _path_of(address)
        # Without a connection, what Airflow does itself and what it leaves to its library go through two file systems.
        inner: Any = getattr(opened, "__wrapped__", opened)
        file_systems = (opened.fs, inner.fs)
    except (ImportError, ValueError) as error:
        raise UnknownStoreError(
            Fault("path", f"{shown(address.text)} cannot be opened: {error}", "a store whose Airflow provider is there")
        ) from error
    for file_system in file_systems:
        file_system.dircache.use_listings_cache = False
        file_system.invalidate_cache()
    return opened


def _path_of(address: Address) -> ObjectStoragePath:
    """Make a path; ``?``, ``#`` and line breaks are parts of names, which a URL would lose."""
    if address.kind is AddressKind.DISK:
        root = "file:///" if address.is_uri or not address.text.startswith("/") else "/"
        path = disk_path(address).lstrip("/")
        return ObjectStoragePath(root) / path if path else ObjectStoragePath(root)
    scheme, _, rest = address.text.partition("://")
    bucket, _, key = rest.partition("/")
    if address.kind is AddressKind.STORE and _LOST_IN_URLS & set(key):
        return ObjectStoragePath(f"{scheme}://{bucket}") / key
    return ObjectStoragePath(address.text)
