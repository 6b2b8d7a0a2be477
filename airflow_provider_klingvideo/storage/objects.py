"""Local disk: failures told as errors of this project, and room asked for before it is needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_klingvideo.storage.errors import StorageError

MEBIBYTE = 1024 * 1024


@contextmanager
def storage_errors(action: str) -> Iterator[None]:
    """Turn an ``OSError`` into a :class:`StorageError` that names what was being done.

    :param action: what is being done, for example ``"writing source.mp4"``.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{type(error).__name__} while {action}: {error.strerror or error}") from error


def require_free_space(folder: Path, needed: int) -> None:
    """Refuse to begin what cannot end.

    :param folder: a folder on the disk in question.
    :param needed: bytes that will be written.
    :raises StorageError: when fewer are free.
    """
    with storage_errors(f"looking for free space in {folder}"):
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(f"{folder} has {free // MEBIBYTE} MiB free, but {-(-needed // MEBIBYTE)} MiB are needed")
