"""CSV as spreadsheets export it: a header, cells between commas, and a shape that is proved line by line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from airflow_provider_klingvideo._text import trimmed
from airflow_provider_klingvideo.errors import quoted
from airflow_provider_klingvideo.workflow.batch.tables.columns import Columns
from airflow_provider_klingvideo.workflow.batch.tables.faults import Faults, Rows
from airflow_provider_klingvideo.workflow.batch.tables.limits import MOST_COLUMNS, TableLimits

DELIMITER = ","
OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
LEGAL_DELIMITER = "cells between commas; export the file with commas"
TITLE_LINES = 10
"""Above the names of columns there are no more."""
LEGAL_QUOTES = 'cells in quotation marks, with those inside of them doubled: "a ""big"" fox"'
LEGAL_SHAPE = "as many cells as the header; a cell with commas or line breaks stands in quotation marks"

# Each part takes all that it can and gives nothing back: there is one way to read a line, and it is tried once.
_CELL = r' *+(?:"[^"]*+(?:""[^"]*+)*+"|[^",]*+)'
_WELL_QUOTED = re.compile(f"{_CELL}(?:,{_CELL})*+")
_HINT = re.compile(r"\"?sep=(.)\"?\n", re.IGNORECASE)
"""With which Excel tells itself the delimiter."""
_REASONS = (
    ("unexpected end", "a quotation mark is not closed"),
    ("expected after", "a quotation mark stands inside of a cell"),
    ("field limit", f"a cell has more than {csv.field_size_limit()} characters, or a quotation mark is not closed"),
)


@dataclass(frozen=True)
class _Line:
    """A line of cells, which a cell in quotation marks may spread over several lines of the file.

    :param number: where it begins, from 1.
    :param cells: as they stand there.
    """

    number: int
    cells: Sequence[str]

    @property
    def where(self) -> str:
        return f"line {self.number}"

    def is_blank(self, first: int = 0) -> bool:
        return not any(map(trimmed, self.cells[first:]))


def rows_of_csv(text: str, columns: Columns, limits: TableLimits, faults: Faults) -> Rows:
    """Return the rows of a CSV file.

    :param text: the file, every line ended by a line feed.
    :param columns: knows the names of the header.
    :raises UnreadableTableError: the shape cannot be told; the fault is noted.
    """
    hint = _HINT.match(text)
    lines = _filled(_lines(text, faults), limits, faults)[1 if hint else 0 :]
    if not lines:
        return
    header, rows = lines[0], lines[1:]
    _require_commas(hint[1] if hint else DELIMITER, header, columns, faults)
    _require_header(header, rows, columns, faults)
    names = _names(header)
    columns.named(header.where, filter(None, names))
    _require_shape(header, rows, names, faults)
    _require_named(header, rows, names, faults)
    for line in rows:
        yield line.where, {name: cell for name, cell in zip(names, line.cells, strict=False) if name}


def _filled(lines: Iterable[_Line], limits: TableLimits, faults: Faults) -> list[_Line]:
    filled: list[_Line] = []
    for line in lines:
        if not line.is_blank():
            filled.append(line)
        if len(filled) > limits.max_rows + 2:
            raise faults.end(line.where, "there are too many rows", limits.rows_words)
    return filled


def _lines(text: str, faults: Faults) -> Iterator[_Line]:
    taken: list[str] = []
    reader = csv.reader(_fed(text, taken, faults), delimiter=DELIMITER, strict=True, skipinitialspace=True)
    while True:
        number = reader.line_num + 1
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise faults.end(f"line {number}", f"{_why(error)} in {_shown(taken)}", LEGAL_QUOTES) from None
        written = "".join(taken).removesuffix("\n")
        if '"' in written and not _WELL_QUOTED.fullmatch(written):
            raise faults.end(f"line {number}", f"a quotation mark is stray in {_shown(taken)}", LEGAL_QUOTES)
        yield _Line(number, cells)


def _fed(text: str, taken: list[str], faults: Faults) -> Iterator[str]:
    """The lines of a text; those that the reader has taken for its present line of cells are kept aside."""
    for number, line in enumerate(StringIO(text, newline="\n"), start=1):
        if line.count(DELIMITER) >= MOST_COLUMNS:
            raise faults.end(f"line {number}", "it has too many commas", f"at most {MOST_COLUMNS} columns")
        taken.append(line)
        yield line


def _why(error: csv.Error) -> str:
    return next((reason for words, reason in _REASONS if words in str(error)), str(error))


def _shown(taken: Sequence[str]) -> str:
    return quoted(taken[0].removesuffix("\n")) if taken else "an empty line"


def _require_commas(hinted: str, header: _Line, columns: Columns, faults: Faults) -> None:
    known = sum(map(columns.knows, header.cells))
    whole = DELIMITER.join(header.cells)
    for other, name in OTHER_DELIMITERS.items():
        if hinted == other or sum(map(columns.knows, whole.split(other))) > known:
            what = f"{name} stand between the cells: {quoted(whole)}"
            raise faults.end(header.where, what, LEGAL_DELIMITER)


def _require_header(header: _Line, rows: Sequence[_Line], columns: Columns, faults: Faults) -> None:
    """Tell of a title above the names of the columns."""
    below = next((line for line in rows[:TITLE_LINES] if any(map(columns.knows, line.cells))), None)
    if below is not None and not any(map(columns.knows, header.cells)):
        what = f"{quoted(DELIMITER.join(header.cells))} is no header; the names of columns stand in {below.where}"
        raise faults.end(header.where, what, "the names of the columns in the first line")


def _names(header: _Line) -> list[str]:
    """The names of the header without the empty ones behind the last."""
    names = [trimmed(name) for name in header.cells]
    last = max((number for number, name in enumerate(names, start=1) if name), default=0)
    return names[:last]


def _require_shape(header: _Line, rows: Sequence[_Line], names: Sequence[str], faults: Faults) -> None:
    # Every line as long as the header: where lines may be of several lengths, a lost cell moves those behind it.
    lengths = {len(header.cells), _common_length(rows)}
    odd = [line for line in rows if len(line.cells) not in lengths or not _fits(line, len(names))]
    if odd:
        others = f", and so have {len(odd) - 1} other lines another number" if len(odd) > 1 else ""
        what = f"it has {len(odd[0].cells)} of {len(names)} cells{others}"
        raise faults.end(odd[0].where, what, LEGAL_SHAPE)
    for line in rows:
        if [trimmed(cell) for cell in line.cells[: len(names)]] == names:
            faults.add(line.where, "it repeats the header", "one table in one file")


def _fits(line: _Line, count: int) -> bool:
    return len(line.cells) >= count and line.is_blank(count)


def _common_length(rows: Sequence[_Line]) -> int:
    """How many cells all lines have; 0 for a single line, which may have a comma too many in its words."""
    lengths = {len(line.cells) for line in rows}
    return lengths.pop() if len(lengths) == 1 and len(rows) > 1 else 0


def _require_named(header: _Line, rows: Sequence[_Line], names: Sequence[str], faults: Faults) -> None:
    for index, name in enumerate(names):
        cells = [trimmed(line.cells[index]) for line in rows]
        if not name and any(cells) and not (index == 0 and _counts_rows(cells)):
            what = f"column {index + 1} has no name, but cells such as {quoted(next(filter(None, cells)))}"
            faults.add(header.where, what, "a name for every column with cells")


def _counts_rows(cells: Sequence[str]) -> bool:
    """Whether a column is the one in which a data frame counts its rows."""
    return sorted(cells) == sorted(map(str, range(len(cells))))
