"""Errors of stores."""

from __future__ import annotations

from airflow_provider_klingvideo.errors import KlingVideoError, Money


class StorageError(KlingVideoError):
    """A file could not be written or read: disk full, permission, object store."""

    kind = "storage"
    default_money = Money.MAYBE
    default_retryable = True
    default_advice = "Make room or grant the permission, then run the failed task again; nothing is paid again"


class ExclusiveCreationError(StorageError):
    """A store replaces a file that was to be created only if it is absent, so that no two writers can be told apart."""

    default_retryable = False
    default_advice = (
        "Use a local disk with hard links, Amazon S3, Google Cloud Storage, Azure, or an S3 server that heeds "
        "`If-None-Match: *`, for example SeaweedFS"
    )


class UnsafeNameError(StorageError):
    """A name that came from outside could lead out of its folder; no path was made of it."""

    default_retryable = False
    default_advice = "Nothing was read or written by that name; find out who wrote it, and correct it there"
