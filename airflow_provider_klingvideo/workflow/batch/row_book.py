"""The rows of a batch as they were read, kept beside its records: what its tasks agree on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_klingvideo._text import trimmed
from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.client.fields import as_meant
from airflow_provider_klingvideo.storage.names import digest_of, file_of, old_name, safe_name
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.text import storable_json
from airflow_provider_klingvideo.storage.writing import read_whole, write_whole
from airflow_provider_klingvideo.workflow.batch.placed import place_of
from airflow_provider_klingvideo.workflow.batch.rows import KEY_COLUMN, content_key, keyed
from airflow_provider_klingvideo.workflow.job.errors import InputError

LONGEST_KEY = 40


@dataclass(frozen=True)
class Row:
    """A row of a batch.

    :param key: tells it from the others.
    :param job_id: its job.
    :param request: what it asks for.
    :param place: where it stands in what a person has written: ``line 7``.
    :param refused: why it is left out; None for a row that is ordered.
    """

    key: str
    job_id: str
    request: Mapping[str, Any]
    place: str = ""
    refused: str | None = None

    def left_out(self, reason: str) -> Row:
        """Return the row as one that is not ordered."""
        return replace(self, refused=reason)


def row_job_id(batch: Sequence[str], key: str) -> str:
    """Name the job of a row: by batch and row key alone, so that a row which moves in its file keeps its video."""
    return f"{old_name(key)[:LONGEST_KEY]}-{digest_of(*batch, key)}"


class RowBook:
    """The rows of one batch.

    :param folder: where its records lie.
    :param name: of the batch in this folder.

    ``faults_path`` is the file beside them that tells what is wrong with rows.
    """

    def __init__(self, folder: StorePath, name: str) -> None:
        self._path = file_of(folder, name, ".rows.json")
        self.faults_path = folder / f"{safe_name(name)}.faults.jsonl"
        # Of the path only what stays when the output folder moves: a batch of the same name in another DAG is another.
        self._batch = (folder.parent.name, folder.name, name)

    def write(self, requests: Mapping[str, Mapping[str, Any]]) -> list[Row]:
        """Keep the rows of a batch, in place of those that were kept before.

        :param requests: row key to request.
        """
        rows = self.named(requests)
        self.keep(rows)
        return rows

    def named(self, requests: Mapping[str, Mapping[str, Any]]) -> list[Row]:
        """Return the rows of a batch with the ids of their jobs.

        :param requests: row key to request.
        """
        kept = self._kept()
        return [
            self._row(key, request, kept.get(key), place_of(request) or f"row {number}")
            for number, (key, request) in enumerate(requests.items(), start=1)
        ]

    def _row(self, key: str, request: Mapping[str, Any], kept: Row | None, place: str) -> Row:
        """The row as it was kept, where it asks for the same: by its key and its text a paid video is found."""
        fields = dict(request)
        if kept is None:
            return Row(key, row_job_id(self._batch, key), fields, place)
        asked = kept.request if _meant(kept) == fields else fields
        return Row(kept.key, row_job_id(self._batch, kept.key), asked, place)

    def _kept(self) -> Mapping[str, Row]:
        """The rows of before, by the keys that they have today; an earlier version counted blanks and spellings."""
        try:
            kept = self.all()
            return dict(zip(keyed(map(_as_today, kept)), kept, strict=True))
        except (InputError, ValueError, TypeError):
            # There are none yet, or nobody can read them.
            return {}

    def keep(self, rows: Sequence[Row]) -> None:
        """Keep rows, in place of those that were kept before."""
        stored = storable_json([asdict(row) for row in rows])
        write_whole(self._path, json.dumps(stored, ensure_ascii=False, indent=1).encode())

    def read(self) -> Sequence[Row]:
        """Return the rows that are ordered, in order; see :meth:`all`."""
        return [row for row in self.all() if row.refused is None]

    def all(self) -> Sequence[Row]:
        """Return all rows in order, those included that are left out.

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
