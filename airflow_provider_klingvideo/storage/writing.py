"""Files reach their final names only when they are whole, and are read as one of their writers has left them."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.objects import MEBIBYTE
from airflow_provider_klingvideo.storage.protocols import StorePath, remove
from airflow_provider_klingvideo.storage.stores import known_options, on_disk, stored_object

log = logging.getLogger(__name__)

PART = ".part"
READINGS = 5
"""So often a file that others keep replacing is read again."""
PARALLEL_CHUNKS = 2
"""So many pieces of a large file are in memory at a time: s3fs takes 50 MiB for each, and ten of them unless told."""


def write_whole(path: StorePath, content: bytes) -> None:
    """Write a small file, whole or not at all, in place of an older one.

    An object store is sent one request, for the final key: it shows an object only when it has all of it. Elsewhere a
    part is written beside the file and renamed; missing folders are made. On a disk, what was written survives a loss
    of power.

    :raises OSError: the store refused; also what its own library raises.
    """
    if (stored := stored_object(path)) is not None:
        stored.store.pipe_file(stored.key, content)
        return
    with _part_of(on_disk(path) or path) as part, part.open("wb") as stream:
        stream.write(content)
        flush_to_disk(part, stream)


def upload(local: Path, destination: StorePath) -> None:
    """Copy a file of any size to its final name, whole or not at all, in place of an older one.

    Two processes may copy to the same name at the same time: each has a part of its own. A killed process leaves at
    most its part, see :data:`PART`; an object store keeps a large file's pieces until its rules for unfinished
    uploads remove them.

    :param local: the whole file.
    :param destination: its final path, local or in another store; missing folders are made.
    :raises StorageError: the copy has another size; the part is removed.
    :raises OSError: the store refused; also what its own library raises. The part is removed.
    """
    if (stored := stored_object(destination)) is not None:
        put_file = stored.store.put_file
        put_file(str(local), stored.key, **known_options(put_file, max_concurrency=PARALLEL_CHUNKS))
        return
    with _part_of(on_disk(destination) or destination) as part:
        with local.open("rb") as source, part.open("wb") as target:
            shutil.copyfileobj(source, target, MEBIBYTE)
            flush_to_disk(part, target)
        _require_same_size(local, part, destination)


def read_whole(path: StorePath) -> bytes:
    """Read a small file, as one of its writers has left it.

    An object store is sent one request. Some other stores look at a file first and read it afterwards; of one that was
    replaced in between their libraries read nothing, and raise whatever they take for the reason.

    :raises FileNotFoundError: it does not exist.
    :raises Exception: the store refused, again and again.
    """
    for _ in range(READINGS - 1):
        try:
            return _read(path)
        except FileNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 - clients of stores raise what they like
            log.debug("Reading %s again: %s", path, error)
    return _read(path)


def part_name(name: str) -> str:
    """Return a name for a file that is being written, one of its own for every call."""
    return f".{name}.{uuid4().hex[:8]}{PART}"


def is_part(name: str) -> bool:
    """Tell whether a file of this name is one that was being written; a killed process may have left it."""
    return name.startswith(".") and name.endswith(PART)


def flush_to_disk(path: StorePath, stream: Any) -> None:
    """Make what was written to an open file survive a loss of power; a file that is not on a disk stays as it is."""
    if on_disk(path) is not None:
        stream.flush()
        os.fsync(stream.fileno())


def flush_names(folder: Path) -> None:
    """Make the names in a folder survive a loss of power, where its file system can do so."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _part_of(path: StorePath) -> Iterator[StorePath]:
    """Give the file written in the block its final name, or remove it when the block or the renaming fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(part_name(path.name))
    try:
        yield part
        part.replace(path)
    except BaseException:
        # What failed first is what has to be told.
        with suppress(Exception):
            remove(part)
        raise
    if (folder := on_disk(path.parent)) is not None:
        flush_names(folder)


def _read(path: StorePath) -> bytes:
    if (stored := stored_object(path)) is None:
        return path.read_bytes()
    # Told to read in several pieces, s3fs asks for the size first.
    cat_file = stored.store.cat_file
    return bytes(cat_file(stored.key, **known_options(cat_file, max_concurrency=1)))


def _require_same_size(local: Path, part: StorePath, destination: StorePath) -> None:
    expected, written = local.stat().st_size, part.stat().st_size
    if written != expected:
        raise StorageError(f"Only {written} of {expected} bytes of {destination} were written")
