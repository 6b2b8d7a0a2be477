"""Which kind of store a path lies in, decided at one place: a disk, an object store, or another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DISK_PROTOCOLS = frozenset({"", "file", "local"})

OBJECT_PROTOCOLS = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "az"})
"""Stores whose libraries (s3fs, gcsfs, adlfs) write an object whole or not at all, and send the condition with it when
one is to be created only if it is absent. Of others, such as SFTP or HDFS, nothing of the kind is known."""


def on_disk(path: object) -> Path | None:
    """Return the path as a local one, None when it lies in a store of another kind."""
    if isinstance(path, Path):
        return path
    return Path(path.path) if _protocol(path) in DISK_PROTOCOLS else None  # type: ignore[attr-defined]


def object_store(path: object) -> Any | None:
    """Return the file system of an object store (fsspec's), None when the path lies in a store of another kind."""
    return path.fs if _protocol(path) in OBJECT_PROTOCOLS else None  # type: ignore[attr-defined]


def store_key(path: object) -> tuple[object, ...]:
    """Tell stores apart: what is true of one path is true of all paths with the same key.

    :param path: on a disk it must exist.
    """
    if local := on_disk(path):
        return "disk", local.stat().st_dev
    where: Any = path
    endpoint = getattr(where.fs, "endpoint_url", None)
    return _protocol(path), getattr(where, "conn_id", None), endpoint, where.path.strip("/").partition("/")[0]


def _protocol(path: object) -> str | None:
    return None if isinstance(path, Path) else str(getattr(path, "protocol", None))
