"""Folders in every kind of store that runs here."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

OBJECT_STORES = {"rclone": "bucket", "seaweed": "seaweed_bucket"}
STORES = ["disk", "file", "plain", *OBJECT_STORES]


class PlainPath:
    """A path of another kind, which has what ``pathlib`` has and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __truediv__(self, other: str) -> PlainPath:
        return PlainPath(self._path / other)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._path, name)

    def __str__(self) -> str:
        return str(self._path)

    @property
    def parent(self) -> PlainPath:
        return PlainPath(self._path.parent)

    def with_name(self, name: str) -> PlainPath:
        return PlainPath(self._path.with_name(name))

    def replace(self, target: PlainPath) -> None:
        self._path.replace(target._path)


@pytest.fixture
def folder_in(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    """Makes a path of the name of a store; the folder does not exist yet."""

    def opened(store: str) -> Any:
        from airflow_provider_klingvideo.runtime.paths import open_path

        if store == "disk":
            return tmp_path / "videos"
        if store == "plain":
            return PlainPath(tmp_path / "videos")
        if store == "file":
            return open_path(f"file://{tmp_path}/videos")
        return open_path(f"{request.getfixturevalue(OBJECT_STORES[store]).uri}/videos")

    return opened


@pytest.fixture(params=STORES)
def folder(request: pytest.FixtureRequest, folder_in: Any) -> Any:
    """A folder that does not exist yet, in each store."""
    return folder_in(request.param)


@pytest.fixture(params=list(OBJECT_STORES))
def objects(request: pytest.FixtureRequest, folder_in: Any) -> Any:
    """A folder that does not exist yet, in each object store."""
    return folder_in(request.param)


@pytest.fixture
def unknown_folder() -> Any:
    """A folder in a store of which nothing is known but what its library, fsspec's for memory, can do."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach("memory", fs=MemoryFileSystem())
    return ObjectStoragePath(f"memory://{uuid4().hex}")
