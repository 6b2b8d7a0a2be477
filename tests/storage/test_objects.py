"""What is said before a disk is full, and of what went wrong with it."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.objects import require_free_space, storage_errors


def test_room_is_asked_for_beforehand(tmp_path):
    require_free_space(tmp_path, 1)
    with pytest.raises(StorageError, match="MiB are needed"):
        require_free_space(tmp_path, 2**62)


def test_a_failure_is_told_with_what_was_being_done(tmp_path):
    with pytest.raises(StorageError, match=r"FileNotFoundError while reading a\.mp4"), storage_errors("reading a.mp4"):
        (tmp_path / "a.mp4").read_bytes()
