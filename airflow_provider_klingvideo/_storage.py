"""Paths of Airflow's object storage, as processes need them that share what lies there."""

from __future__ import annotations

from airflow.sdk import ObjectStoragePath

from airflow_provider_klingvideo.errors import KlingVideoError


class UnknownStoreError(KlingVideoError):
    """No filesystem for this kind of path is installed."""

    kind = "unknown_store"
    default_advice = (
        "Install the Airflow provider that brings it, for s3:// with `pip install 'airflow-provider-klingvideo[s3]'`"
    )


def open_path(uri: str) -> ObjectStoragePath:
    """Return the path of a URI.

    fsspec keeps for good what it has listed once, so a record or a claim that another process writes afterwards would
    not exist for this one: here nothing is kept.

    Blocks when the first path of a store is opened: its connection is read, and its library is loaded.

    :param uri: a local path, or ``scheme://[connection@]bucket/key``.
    :raises UnknownStoreError: no filesystem serves the scheme.
    """
    path = ObjectStoragePath(uri)
    try:
        filesystem = path.fs
    except (ImportError, ValueError) as error:
        raise UnknownStoreError(f"{uri} cannot be opened: {error}") from error
    filesystem.dircache.use_listings_cache = False
    filesystem.invalidate_cache()
    return path
