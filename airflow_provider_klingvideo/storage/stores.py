"""Which kind of store a path lies in, decided at one place: a disk, an object store, or another one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

DISK_PROTOCOLS = frozenset({"", "file", "local"})

OBJECT_PROTOCOLS = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "az"})
"""Stores whose libraries (s3fs, gcsfs, adlfs) write an object whole or not at all, and send the condition with it when
one is to be created only if it is absent. Of others, such as SFTP or HDFS, nothing of the kind is known."""


class StoredObject(NamedTuple):
    """A key in an object store.

    :param store: the library's file system, as fsspec describes it.
    :param key: bucket and key, as the library takes them.
    """

    store: Any
    key: str


_LIBRARIES = frozenset({"botocore", "aiobotocore", "aiohttp", "gcsfs", "google", "azure", "adlfs", "fsspec"})


def is_store_fault(error: BaseException) -> bool:
    """Whether an error says that a store refused, or could not be reached: libraries have errors of their own."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _LIBRARIES


def on_disk(path: object) -> Path | None:
    """Return the path as a local one, None when it lies in a store of another kind."""
    # Older releases of universal_pathlib derive the paths of all stores from pathlib's.
    if isinstance(path, Path) and _protocol(path) is None:
        return path
    return Path(_text_of(path)) if _protocol(path) in DISK_PROTOCOLS else None


def stored_object(path: object) -> StoredObject | None:
    """Return the path as a key of an object store, None when it lies in a store of another kind."""
    return fsspec_path(path) if _protocol(path) in OBJECT_PROTOCOLS else None


def fsspec_path(path: object) -> StoredObject | None:
    """Return a path as its library takes it, None when it has no file system of fsspec."""
    store = _file_system(path)
    return None if store is None else StoredObject(store, _text_of(path))


def store_key(path: object) -> tuple[object, ...]:
    """Tell stores apart: paths with the same key lie in the same store."""
    if (local := on_disk(path)) is not None:
        there = next(one for one in (local, *local.absolute().parents) if one.exists())
        return "disk", there.stat().st_dev
    endpoint = getattr(_file_system(path), "endpoint_url", None)
    return _protocol(path), getattr(path, "conn_id", None), endpoint, _text_of(path).strip("/").partition("/")[0]


def known_options(call: Callable[..., Any], **options: Any) -> dict[str, Any]:
    """Return those of some options that a library's call knows: older and other libraries have fewer.

    What fsspec makes of a coroutine has the coroutine's signature.
    """
    return {name: value for name, value in options.items() if name in inspect.signature(call).parameters}


def _protocol(path: object) -> str | None:
    """What fsspec calls the kind of store; None where a path has only what ``pathlib`` has."""
    return getattr(path, "protocol", None)


def _text_of(path: object) -> str:
    return str(getattr(path, "path", path))


def _file_system(path: object) -> Any:
    return getattr(path, "fs", None)
