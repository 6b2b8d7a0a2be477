"""What the workflow needs of a path: ``pathlib.Path`` has it, and so has Airflow's ``ObjectStoragePath``."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self

from airflow_provider_klingvideo.media.paths import StoragePath
from airflow_provider_klingvideo.media.publishing import part_name


class RecordPath(StoragePath, Protocol):
    """A path whose content is small enough to be read and written at once."""

    def read_bytes(self) -> bytes: ...
    def rglob(self, pattern: str) -> Iterator[Self]: ...
    def write_bytes(self, data: bytes) -> Any: ...
    def write_text(self, data: str) -> Any: ...


OpenPath = Callable[[str], RecordPath]
"""Makes such a path of a path or URI as text."""
READINGS = 5
"""So often a file that others keep replacing is read again."""


def write_whole(path: RecordPath, content: bytes) -> None:
    """Write a small file, whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(part_name(path.name))
    part.write_bytes(content)
    part.replace(path)


def read_whole(path: RecordPath) -> bytes:
    """Read a small file, as one of its writers has left it.

    An object store looks at a file first and reads it afterwards; of one that was replaced in between its library reads
    nothing, and says that the device is busy.

    :raises OSError: it does not exist, or the store refused.
    """
    for _ in range(READINGS - 1):
        try:
            return path.read_bytes()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
    return path.read_bytes()
