"""Files on their way to their final folder and back, with failures told as errors of this project."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO, Any, cast

from airflow_provider_klingvideo.storage.bounded import require_regular
from airflow_provider_klingvideo.storage.listing import entries
from airflow_provider_klingvideo.storage.objects import MEBIBYTE, storage_errors
from airflow_provider_klingvideo.storage.protocols import StorePath, remove
from airflow_provider_klingvideo.storage.writing import is_part, upload


def publish(local: Path, destination: StorePath) -> None:
    """Copy a file to its final name, whole or not at all; an existing file of that name is replaced at the end.

    Two processes may publish the same file at the same time. In a folder, unlike in an object store, a killed process
    leaves at most a part called ``.{name}.{random}.part``, see :func:`remove_parts`.

    :param local: the whole file.
    :param destination: its final path, local or in an object store; missing folders are made.
    :raises StorageError: the store refused or the copy has another size; the part is removed.
    """
    with storage_errors(f"publishing {destination}"):
        upload(local, destination)


def remove_parts(folder: StorePath) -> None:
    """Remove what killed processes have left half written.

    :raises StorageError: the store refused.
    """
    with storage_errors(f"tidying {folder}"):
        for entry in entries(folder):
            if is_part(entry.name):
                remove(folder / entry.name)


def fetch(stored: StorePath, local: Path) -> str:
    """Copy a stored file to the local disk, hashing on the way.

    :returns: its SHA-256 as hexadecimal digits.
    :raises StorageError: when it is no regular file, cannot be read, or there is no room.
    """
    digest = hashlib.sha256()
    with storage_errors(f"reading {stored}"), _regular(stored).open("rb") as source, local.open("wb") as target:
        while chunk := source.read(MEBIBYTE):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _regular(path: StorePath) -> StorePath:
    """A file that somebody has named may be a device without an end, whose copy fills the disk."""
    require_regular(path)
    return path


def sha256_of(path: StorePath) -> str:
    """Hash a file without loading it whole.

    :param path: local or in an object store.
    :returns: SHA-256 as hexadecimal digits.
    :raises StorageError: when it is no regular file, or cannot be read.
    """
    with storage_errors(f"reading {path}"), _regular(path).open("rb") as stream:
        return hashlib.file_digest(cast("IO[Any]", stream), "sha256").hexdigest()  # type: ignore[arg-type]
