"""Errors of stores."""

from __future__ import annotations

from airflow_provider_klingvideo.errors import KlingVideoError, Money


class StorageError(KlingVideoError):
    """A file could not be written or read: disk full, permission, object store."""

    kind = "storage"
    default_money = Money.MAYBE
    default_retryable = True
    default_advice = "Make room or grant the permission, then run the post-processing task again; nothing is paid again"
