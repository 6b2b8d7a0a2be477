"""Files reach their final names only when they are whole."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.objects import MEBIBYTE, storage_errors
from airflow_provider_klingvideo.storage.paths import PART, part_name
from airflow_provider_klingvideo.storage.protocols import StoragePath, is_there, remove


def publish(local: Path, destination: StoragePath) -> None:
    """Copy a file to its final name; until it is whole it is called ``.{name}.{random}.part``.

    An existing file of that name is replaced at the end. Two processes may publish the same file at the same time: each
    has a part of its own. A killed process leaves at most its part, see :func:`remove_parts`.

    :param local: the whole file.
    :param destination: its final path, local or in an object store; missing folders are made.
    :raises StorageError: the store refused or the copy has another size; the part is removed.
    """
    part = destination.with_name(part_name(destination.name))
    with storage_errors(f"publishing {destination}"):
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            with local.open("rb") as source, part.open("wb") as target:
                shutil.copyfileobj(source, target, MEBIBYTE)
            expected, written = local.stat().st_size, part.stat().st_size
            if written != expected:
                raise StorageError(f"Only {written} of {expected} bytes of {destination} were written")
            part.replace(destination)
        except BaseException:
            with suppress(OSError):
                remove(part)
            raise


def remove_parts(folder: StoragePath) -> None:
    """Remove what killed processes have left half written.

    :raises StorageError: the store refused.
    """
    with storage_errors(f"tidying {folder}"):
        for path in list(folder.iterdir()) if is_there(folder) else ():
            if path.name.startswith(".") and path.name.endswith(PART):
                remove(path)


def fetch(stored: StoragePath, local: Path) -> str:
    """Copy a stored file to the local disk, hashing on the way.

    :returns: its SHA-256 as hexadecimal digits.
    :raises StorageError: when it cannot be read or there is no room.
    """
    digest = hashlib.sha256()
    with storage_errors(f"reading {stored}"), stored.open("rb") as source, local.open("wb") as target:
        while chunk := source.read(MEBIBYTE):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def sha256_of(path: StoragePath) -> str:
    """Hash a file without loading it whole.

    :param path: local or in an object store.
    :returns: SHA-256 as hexadecimal digits.
    :raises StorageError: when it cannot be read.
    """
    with storage_errors(f"reading {path}"), path.open("rb") as stream:
        return hashlib.file_digest(cast("IO[Any]", stream), "sha256").hexdigest()  # type: ignore[arg-type]
