"""The rows of a batch as they were read, kept beside its records: what its tasks agree on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_klingvideo._text import trimmed
from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.client.fields import as_meant
from airflow_provider_klingvideo.storage.names import digest_of, file_of, old_name
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.text import storable_json
from airflow_provider_klingvideo.storage.writing import read_whole, write_whole
from airflow_provider_klingvideo.workflow.batch.rows import KEY_COLUMN, content_key, keyed
from airflow_provider_klingvideo.workflow.job.errors import InputError

LONGEST_KEY = 40


@dataclass(frozen=True)
class Row:
    """A row of a batch.

    :param key: tells it from the others.
    :param job_id: its job.
    :param request: what it asks for.
    """

    key: str
    job_id: str
    request: Mapping[str, Any]


def row_job_id(batch: Sequence[str], key: str) -> str:
    """Name the job of a row: by batch and row key alone, so that a row which moves in its file keeps its video."""
    return f"{old_name(key)[:LONGEST_KEY]}-{digest_of(*batch, key)}"


class RowBook:
    """The rows of one batch.

    :param folder: where its records lie.
    :param name: of the batch in this folder.
    """

    def __init__(self, folder: StorePath, name: str) -> None:
        self._path = file_of(folder, name, ".rows.json")
        # Of the path only what stays when the output folder moves: a batch of the same name in another DAG is another.
        self._batch = (folder.parent.name, folder.name, name)

    def write(self, requests: Mapping[str, Mapping[str, Any]]) -> list[Row]:
        """Keep the rows of a batch, in place of those that were kept before.

        :param requests: row key to request.
        """
        kept = self._kept()
        rows = [self._row(key, request, kept.get(key)) for key, request in requests.items()]
        stored = storable_json([asdict(row) for row in rows])
        write_whole(self._path, json.dumps(stored, ensure_ascii=False, indent=1).encode())
        return rows

    def _row(self, key: str, request: Mapping[str, Any], kept: Row | None) -> Row:
        """The row as it was kept, where it asks for the same: by its key and its text a paid video is found."""
        if kept is None:
            return Row(key, row_job_id(self._batch, key), request)
        return Row(kept.key, row_job_id(self._batch, kept.key), kept.request if _meant(kept) == request else request)

    def _kept(self) -> Mapping[str, Row]:
        """The rows of before, by the keys that they have today; an earlier version counted blanks and spellings."""
        try:
            kept = self.read()
            return dict(zip(keyed(map(_as_today, kept)), kept, strict=True))
        except (InputError, ValueError, TypeError):
            # There are none yet, or nobody can read them.
            return {}

    def read(self) -> Sequence[Row]:
        """Return the rows in order.

        :raises InputError: there are none yet.
        """
        try:
            return [Row(**row) for row in json.loads(read_whole(self._path))]
        except FileNotFoundError:
            missing = Fault(
                str(self._path), "there is no file of this name", "what the task that reads the rows writes"
            )
            advice = "The rows of the batch have not been read: run the task that reads them"
            raise InputError(missing, advice=advice) from None


def _meant(row: Row) -> dict[str, Any]:
    return as_meant(row.request)


def _as_today(row: Row) -> dict[str, Any]:
    is_made = row.key.partition("-")[0] == content_key(row.request)
    return _meant(row) if is_made else {**_meant(row), KEY_COLUMN: trimmed(row.key)}
