"""Temporary space: a folder that goes when the work is done, or when its owner has died."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_klingvideo.media.settings import MediaSettings
from airflow_provider_klingvideo.storage.objects import storage_errors
from airflow_provider_klingvideo.storage.text import storable

PREFIX = "klingvideo-scratch-"
LOCK = ".owner"


@contextmanager
def scratch_folder(settings: MediaSettings) -> Iterator[Path]:
    """Make a folder for temporary files and remove it in the end, with those of processes that were killed.

    Its owner holds a lock on a file in it as long as it lives; processes in other containers cannot be asked for, but
    see the lock.

    :raises StorageError: when there is no place for it.
    """
    with storage_errors("making a scratch folder"):
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=settings.scratch_dir, ignore_cleanup_errors=True)
    with folder as name:
        with storage_errors("locking a scratch folder"):
            lock = (Path(name) / f"{LOCK}.new").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Nobody may find it without its lock.
            (Path(name) / f"{LOCK}.new").rename(Path(name) / LOCK)
            _remove_those_of_the_dead(Path(name).parent)
        with lock:
            yield Path(name)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, for ffmpeg to read or to be published; what UTF-8 or ffmpeg refuses in it is replaced.

    :raises StorageError: there is no room.
    """
    with storage_errors(f"writing {path.name}"):
        path.write_text(storable(text), encoding="utf-8")


def _remove_those_of_the_dead(folder: Path) -> None:
    for lock in folder.glob(f"{PREFIX}*/{LOCK}"):
        if _is_free(lock):
            shutil.rmtree(lock.parent, ignore_errors=True)


def _is_free(lock: Path) -> bool:
    try:
        with lock.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
