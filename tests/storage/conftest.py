"""Folders in every kind of store that runs here."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

OBJECT_STORES = {"rclone": "bucket", "seaweed": "seaweed_bucket"}
STORES = ["disk", "file", *OBJECT_STORES]


@pytest.fixture
def folder_in(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    """Makes a path of the name of a store; the folder does not exist yet."""

    def opened(store: str) -> Any:
        from airflow_provider_klingvideo.runtime.paths import open_path

        if store == "disk":
            return tmp_path / "videos"
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
