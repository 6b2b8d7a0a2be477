"""What the workflow needs of a path: ``pathlib.Path`` has it, and so has Airflow's ``ObjectStoragePath``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self
from uuid import uuid4

from airflow_provider_klingvideo.storage.protocols import StoragePath


class RecordPath(StoragePath, Protocol):
    """A path whose content is small enough to be read and written at once."""

    def read_bytes(self) -> bytes: ...
    def rglob(self, pattern: str) -> Iterator[Self]: ...
    def write_bytes(self, data: bytes) -> Any: ...
    def write_text(self, data: str) -> Any: ...


log = logging.getLogger(__name__)

PART = ".part"

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
    nothing, and raises whatever it takes for the reason.

    :raises FileNotFoundError: it does not exist.
    :raises Exception: the store refused, again and again.
    """
    for _ in range(READINGS - 1):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 - clients of stores raise what they like
            log.debug("Reading %s again: %s", path, error)
    return path.read_bytes()


def part_name(name: str) -> str:
    """Return a name for a file that is being written, one of its own for every call."""
    return f".{name}.{uuid4().hex[:8]}{PART}"
