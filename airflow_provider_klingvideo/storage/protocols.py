"""What this room needs of a path: ``pathlib.Path`` has it, and so has Airflow's ``ObjectStoragePath``."""

# ruff: noqa: D102 - pathlib documents these methods

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol, Self


class StoragePath(Protocol):
    """A file or folder in some store."""

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> Self: ...
    def __truediv__(self, other: str) -> Self: ...
    def with_name(self, name: str) -> Self: ...
    def exists(self) -> bool: ...
    def iterdir(self) -> Iterator[Self]: ...
    def stat(self) -> Any: ...
    def open(self, mode: str) -> Any: ...
    def mkdir(self, mode: int = ..., parents: bool = ..., exist_ok: bool = ...) -> None: ...
    def replace(self, target: Any) -> Any: ...
    def unlink(self) -> None: ...


def remove(path: StoragePath) -> None:
    """Remove a file; one that is gone already does not matter.

    Some stores look first whether it is there when they are told that it may be missing, and fail when another process
    removes it in between.

    :raises OSError: the store refused.
    """
    with suppress(FileNotFoundError):
        path.unlink()


def is_there(path: StoragePath) -> bool:
    """Tell whether a file or folder exists.

    Unlike ``exists()``, which some stores answer with no when they cannot be asked, a failing store is an error here.

    :raises OSError: the store could not be asked; also what its own library raises.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True
