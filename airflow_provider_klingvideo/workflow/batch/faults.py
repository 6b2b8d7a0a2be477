"""What is wrong with the rows of a batch, as a table: a screenful for people, all of it in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_klingvideo.errors import SHOWN_FAULTS, Fault, KlingVideoError, quoted
from airflow_provider_klingvideo.storage.protocols import StorePath, remove
from airflow_provider_klingvideo.storage.text import storable_json
from airflow_provider_klingvideo.storage.writing import write_whole
from airflow_provider_klingvideo.workflow.batch.row_book import Row

HEAD = ("row", "key", "column", "what is wrong", "what is legal")
WIDEST = (32, 24, 32, 120, 90)


@dataclass(frozen=True)
class RowFault:
    """One fault of one row.

    :param row: the row.
    :param fault: what is wrong; its place is a column, or a part of one.
    """

    row: Row
    fault: Fault

    @property
    def value(self) -> str:
        """The value of the column, as it may be shown; empty where there is none."""
        column = self.fault.where.partition(".")[0]
        return quoted(self.row.request[column]) if column in self.row.request else ""

    def as_json(self) -> Mapping[str, Any]:
        """The same as a line of the file of faults."""
        return {
            "row": self.row.place,
            "key": self.row.key,
            "column": self.fault.where,
            "value": self.value,
            "wrong": self.fault.what,
            "legal": self.fault.legal,
        }

    @property
    def placed(self) -> Fault:
        """The fault with the place of its row."""
        return replace(self.fault, where=f"{self.row.place}, {self.fault.where}")


class InvalidRowsError(KlingVideoError):
    """Rows of a batch cannot be ordered, so that none is.

    :param found: every fault.
    :param count: how many rows the batch has.
    :param path: the file with all faults.
    """

    kind = "invalid_rows"
    default_advice = "Correct the rows and run the batch again, or set on_invalid_rows to skip to leave them out"

    def __init__(self, found: Sequence[RowFault], count: int, path: StorePath) -> None:
        super().__init__([one.placed for one in found])
        faulty = len({one.row.job_id for one in found})
        self.message = f"{faulty} of {count} rows cannot be ordered; nothing was ordered.\n{told(found, path)}\n"
        self.args = (self.message,)


def write_faults(path: StorePath, found: Sequence[RowFault]) -> None:
    """Write the file of all faults, in place of an earlier one; without faults there is none."""
    if found:
        lines = (json.dumps(storable_json(dict(one.as_json())), ensure_ascii=False) for one in found)
        write_whole(path, "".join(f"{line}\n" for line in lines).encode())
    else:
        remove(path)


def told(found: Sequence[RowFault], path: StorePath) -> str:
    """Return a table of faults that fits on a screen, and where the file with all of them lies.

    :param found: the faults; one that several rows have is told once.
    """
    groups: dict[Fault, list[Row]] = {}
    for one in found:
        groups.setdefault(one.fault, []).append(one.row)
    lines = [_line(fault, rows) for fault, rows in groups.items()]
    rest = len(lines) - SHOWN_FAULTS
    more = [f"and {rest} more"] if rest > 0 else []
    return "\n".join([*_aligned([HEAD, *lines[:SHOWN_FAULTS]]), *more, f"All faults: {path}"])


def _line(fault: Fault, rows: Sequence[Row]) -> tuple[str, ...]:
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{rows[0].place}{more}", rows[0].key, fault.where, fault.what, fault.legal


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    cut = [[_cut(cell, widest) for cell, widest in zip(line, WIDEST, strict=True)] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cut, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cut]


def _cut(text: str, widest: int) -> str:
    # A row is one line, whatever stands in its cells. Of a long one a part is left out behind its beginning: what is
    # wrong with a path, or where a list stops being JSON, stands at the end.
    line = " ".join(text.split())
    begin = widest // 3
    return line if len(line) <= widest else f"{line[:begin]}...{line[begin + 3 - widest :]}"
