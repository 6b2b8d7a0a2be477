"""The columns of a table: which fields they are, and that each has a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_klingvideo._text import folded, plain_name
from airflow_provider_klingvideo.errors import quoted
from airflow_provider_klingvideo.kling.client.fields import known_fields
from airflow_provider_klingvideo.kling.products.other_names import meant_by
from airflow_provider_klingvideo.workflow.batch.tables.faults import Faults

NOTE_MARKS = ("#", "_")
"""A column whose name begins with one of them is a note for people."""
SHOWN_AS = "a field of a request, {key}, or a note whose name begins with # or _"


class Columns:
    """Knows the columns of one table.

    :param key_column: the column that names a row.
    :param faults: takes note of what is no column.
    """

    def __init__(self, key_column: str, faults: Faults) -> None:
        self._fields: Mapping[str, str] = {_fold(name): name for name in (*known_fields(), key_column)}
        self._legal = SHOWN_AS.format(key=quoted(key_column))
        self._faults = faults
        self._read: dict[tuple[Any, ...], list[str | None]] = {}

    def named(self, where: str, names: Iterable[Any]) -> list[str | None]:
        """Return the fields that some names mean, None for a note; every fault of a table is noted once.

        :param where: the place of the names.
        :param names: as they stand in the table.
        """
        given = tuple(names)
        if given not in self._read:
            self._read[given] = [self._field(where, name) for name in given]
            self._require_different(where, given)
        return self._read[given]

    def knows(self, name: Any) -> bool:
        """Whether a name means a field."""
        return isinstance(name, str) and _fold(name) in self._fields

    def _field(self, where: str, name: Any) -> str | None:
        if not isinstance(name, str):
            self._faults.add(where, f"{quoted(name)} is no name of a field", self._legal)
            return None
        if plain_name(name).startswith(NOTE_MARKS):
            return None
        field = self._fields.get(_fold(name))
        if field is None:
            wrong, legal = meant_by(name, tuple(self._fields.values()))
            self._faults.add(where, wrong, legal or self._legal)
        return field

    def _require_different(self, where: str, names: tuple[Any, ...]) -> None:
        first: dict[str, Any] = {}
        for name, field in zip(names, self._read[names], strict=True):
            if field is not None and field in first:
                self._faults.add(where, f"{quoted(first[field])} and {quoted(name)} are the same field", "each once")
            elif field is not None:
                first[field] = name


def _fold(name: str) -> str:
    return folded(name).strip("-").replace("-", "_")
