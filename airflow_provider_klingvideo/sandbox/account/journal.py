"""Keeps accepted tasks over a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from airflow_provider_klingvideo.sandbox.account.tasks import Task


class Journal:
    """A SQLite file with one row per task; what :meth:`write` returned from is on disk.

    :param path: of the file, made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Opened by the thread that starts the server, used by the one that runs it, never by both at a time.
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY, document TEXT NOT NULL)")

    def read(self) -> Iterable[Task]:
        """All tasks, oldest first."""
        for (document,) in self._connection.execute("SELECT document FROM tasks ORDER BY id"):
            yield Task.model_validate_json(document)

    def write(self, task: Task) -> None:
        """Keep a task as it is now."""
        self._connection.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?)", (task.id, task.model_dump_json()))

    def clear(self) -> None:
        """Forget all tasks."""
        self._connection.execute("DELETE FROM tasks")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
