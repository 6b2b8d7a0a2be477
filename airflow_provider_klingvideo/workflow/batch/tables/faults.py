"""What is wrong with a table, collected so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.workflow.job.errors import InputError

MOST_FAULTS = 1_000

Rows = Iterator[tuple[str, Mapping[Any, Any]]]
"""Where each row stands, in words, and the row: its cells by the names of their columns, as they were written."""


class UnreadableTableError(Exception):
    """What follows in the table cannot be told any more; its fault is noted."""


class Faults:
    """The faults of one table.

    :param source: what the table is called in messages.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[Fault, None] = {}

    def add(self, where: str, what: str, legal: str) -> None:
        """Note a fault; see :class:`Fault`.

        :raises UnreadableTableError: there are so many that nobody reads them.
        """
        if len(self._found) >= MOST_FAULTS:
            raise UnreadableTableError
        self._found[Fault(f"{self._source}, {where}" if where else self._source, what, legal)] = None

    def end(self, where: str, what: str, legal: str) -> UnreadableTableError:
        """Note a fault, behind which nothing can be read; the error is to be raised."""
        self.add(where, what, legal)
        return UnreadableTableError()

    def require_none(self, advice: str) -> None:
        """Refuse a table with faults.

        :raises InputError: telling all of them.
        """
        if self._found:
            raise InputError(list(self._found), advice=advice)
