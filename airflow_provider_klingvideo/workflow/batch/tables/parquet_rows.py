"""Rows of Parquet files, through pyarrow, which is an extra and imported only when it is needed.

A file of some kilobytes can hold gigabytes: one text a million times. So its own account of itself is read first, texts
that repeat stay in their dictionaries, and what a group of rows becomes is counted before it is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.workflow.batch.tables.faults import Faults, Rows
from airflow_provider_klingvideo.workflow.batch.tables.limits import DEEPEST, MOST_COLUMNS, TableLimits
from airflow_provider_klingvideo.workflow.job.errors import InputError

INSTALL = "pip install 'airflow-provider-klingvideo[parquet]'"
LEGAL = "a Parquet file with a column for each field"
BATCH_ROWS = 1_000
CELLS_OF_A_ROW = 50
"""Single values of a row, on the average of a large file."""
LEAST_CELLS = 10_000
# Each text of it may repeat the one before it, without a byte for it in the file.
UNBOUNDED_ENCODING = "DELTA_BYTE_ARRAY"
# Physical levels: a list takes two of them.
DEEPEST_COLUMN = 2 * DEEPEST


def rows_of_parquet(content: bytes, limits: TableLimits, faults: Faults) -> Rows:
    """Return the rows of a Parquet file, with the values as Python has them; an empty cell is None.

    :param content: the whole file.
    :raises UnreadableTableError: it is no Parquet file, or holds more than the limits; the fault is noted.
    :raises InputError: pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException, BufferReader
        from pyarrow.parquet import ParquetFile, read_metadata
    except ImportError as error:
        missing = Fault("Parquet file", "it is read by pyarrow, which is not installed", "CSV, JSONL or JSON")
        raise InputError(missing, advice=INSTALL) from error
    try:
        metadata = read_metadata(BufferReader(content))
        _require_bounded(metadata, limits, faults)
        file = ParquetFile(BufferReader(content), metadata=metadata, read_dictionary=_texts(metadata))
        yield from _rows(file, limits, faults)
    except (ArrowException, OSError, ValueError) as error:
        # The content is in memory: it is the content that is wrong, not the reading.
        raise faults.end("", f"it cannot be read: {error}", LEGAL) from error


def _require_bounded(metadata: Any, limits: TableLimits, faults: Faults) -> None:
    chunks = [chunk for chunk, _ in _chunks(metadata)] if metadata.num_columns <= MOST_COLUMNS else []
    bounds = (
        ("columns", metadata.num_columns, MOST_COLUMNS),
        ("rows", metadata.num_rows, limits.max_rows),
        ("values", sum(chunk.num_values for chunk in chunks), max(LEAST_CELLS, CELLS_OF_A_ROW * limits.max_rows)),
        ("bytes when it is unpacked", sum(chunk.total_uncompressed_size for chunk in chunks), limits.max_bytes),
        ("bytes in values of a fixed length", _fixed_bytes(metadata) if chunks else 0, limits.max_bytes),
        ("levels", max((one.max_definition_level for one in _columns(metadata)), default=0), DEEPEST_COLUMN),
    )
    for what, count, most in bounds:
        if not 0 <= count <= most:
            raise faults.end("", f"it has {count} {what}", f"at most {most} {what}")
    if any(UNBOUNDED_ENCODING in chunk.encodings for chunk in chunks):
        raise faults.end("", f"it is encoded as {UNBOUNDED_ENCODING}", "the encodings PLAIN and RLE_DICTIONARY")


def _columns(metadata: Any) -> Iterator[Any]:
    return (metadata.schema.column(index) for index in range(metadata.num_columns))


def _chunks(metadata: Any) -> Iterator[tuple[Any, Any]]:
    """Every piece of every column, and what its column is."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        yield from ((group.column(index), column) for index, column in enumerate(_columns(metadata)))


def _fixed_bytes(metadata: Any) -> int:
    return sum(chunk.num_values * max(0, column.length) for chunk, column in _chunks(metadata))


def _texts(metadata: Any) -> list[str]:
    """The columns whose values can stay in a dictionary, each once."""
    return [
        column.path
        for column in _columns(metadata)
        if column.physical_type == "BYTE_ARRAY" and column.logical_type.type != "DECIMAL"
    ]


def _rows(file: Any, limits: TableLimits, faults: Faults) -> Rows:
    for name, count in Counter(file.schema_arrow.names).items():
        if count > 1:
            faults.add("", f"{count} columns have the name {quoted(name)}", "each once")
    number, left = 0, limits.max_bytes
    for batch in file.iter_batches(batch_size=BATCH_ROWS):
        left -= sum(map(_unpacked_bytes, batch.columns))
        if left < 0:
            where = f"rows from {number + 1}"
            raise faults.end(where, "they have too many bytes when they are unpacked", limits.bytes_words)
        for row in batch.to_pylist():
            number += 1
            yield f"row {number}", row


def _unpacked_bytes(array: Any) -> int:
    """Return how many bytes the texts of an array have when each is on its own."""
    import pyarrow
    from pyarrow import compute

    if pyarrow.types.is_dictionary(array.type):
        lengths = compute.binary_length(array.dictionary)
        return compute.sum(lengths.take(array.indices)).as_py() or 0
    if pyarrow.types.is_struct(array.type):
        return sum(map(_unpacked_bytes, array.flatten()))
    if pyarrow.types.is_map(array.type):
        return _unpacked_bytes(array.keys) + _unpacked_bytes(array.items)
    if hasattr(array, "flatten") and array.type.num_fields:
        return _unpacked_bytes(array.flatten())
    return int(array.nbytes)
