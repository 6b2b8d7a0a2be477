"""How much of a table is read: proved before memory pays for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TableLimits:
    """What a table may have at most.

    :param max_bytes: bytes of its file, and of what a Parquet file holds when it is unpacked.
    :param max_rows: rows.
    :param max_cell: characters of one text.
    """

    max_bytes: int = 16 * 1024 * 1024
    max_rows: int = 100_000
    max_cell: int = 100_000

    @property
    def bytes_words(self) -> str:
        """What is legal, and where it is set."""
        return f"at most {self.max_bytes} bytes, see [klingvideo] rows_max_bytes"

    @property
    def rows_words(self) -> str:
        """What is legal, and where it is set."""
        return f"at most {self.max_rows} rows, see [klingvideo] rows_max_count"


MOST_COLUMNS = 1_000
"""A table has some ten columns; a file of nothing but delimiters would make a list of millions of cells."""
DEEPEST = 20
"""Levels of a cell that is no text; a request has about five."""
