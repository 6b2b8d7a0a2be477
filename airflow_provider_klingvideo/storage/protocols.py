"""What this package needs of a path: ``pathlib.Path`` has it, and so has Airflow's ``ObjectStoragePath``."""

# ruff: noqa: D102 - pathlib documents these methods

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol, Self

from airflow_provider_klingvideo.storage.stores import stored_object


class StorePath(Protocol):
    """A file or folder in some store."""

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> Self: ...
    def __truediv__(self, other: str) -> Self: ...
    def with_name(self, name: str) -> Self: ...
    def exists(self) -> bool: ...
    def iterdir(self) -> Iterator[Self]: ...
    def rglob(self, pattern: str) -> Iterator[Self]: ...
    def stat(self) -> Any: ...
    def open(self, mode: str) -> Any: ...
    def read_bytes(self) -> bytes: ...
    def write_bytes(self, data: bytes) -> Any: ...
    def write_text(self, data: str) -> Any: ...
    def mkdir(self, mode: int = ..., parents: bool = ..., exist_ok: bool = ...) -> None: ...
    def replace(self, target: Any) -> Any: ...
    def unlink(self) -> None: ...


OpenPath = Callable[[str], StorePath]
"""Makes such a path of a path or URI as text."""


def remove(path: StorePath) -> None:
    """Remove a file; one that is gone already does not matter.

    An object store is asked once, without a look beforehand. Some other stores look first whether the file is there,
    even when they are told that it may be missing, and fail when another process removes it in between.

    :raises OSError: the store refused.
    """
    with suppress(FileNotFoundError):
        if (stored := stored_object(path)) is not None:
            stored.store.rm_file(stored.key)
        else:
            path.unlink()


def is_there(path: StorePath) -> bool:
    """Tell whether a file or folder exists.

    Unlike ``exists()``, which some stores answer with no when they cannot be asked, a failing store is an error here.

    :raises OSError: the store could not be asked; also what its own library raises.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True
