"""Temporary space: a folder that goes when the work is done."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_klingvideo.media.settings import MediaSettings
from airflow_provider_klingvideo.media.storage import storage_errors


@contextmanager
def scratch_folder(settings: MediaSettings) -> Iterator[Path]:
    """Make a folder for temporary files and remove it in the end.

    :raises StorageError: when there is no place for it.
    """
    with storage_errors("making a scratch folder"):
        folder = tempfile.TemporaryDirectory(prefix="klingvideo-", dir=settings.scratch_dir, ignore_cleanup_errors=True)
    with folder as name:
        yield Path(name)
