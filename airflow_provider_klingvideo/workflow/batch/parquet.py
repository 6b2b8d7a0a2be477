"""Parquet files, through pyarrow; it is large, so that it is an extra and imported only when it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from airflow_provider_klingvideo.workflow.job.errors import InputError

INSTALL = "pip install 'airflow-provider-klingvideo[parquet]'"


def from_parquet(content: bytes) -> list[dict[str, Any]]:
    """Read a Parquet file.

    :param content: the whole file.
    :returns: its rows with the values as Python has them; an empty cell is None.
    :raises InputError: pyarrow is not installed.
    :raises ValueError: the content is no Parquet file, or is damaged.
    """
    try:
        from pyarrow import BufferReader
        from pyarrow.parquet import read_table
    except ImportError as error:
        raise InputError("Parquet files are read by pyarrow, which is not installed", advice=INSTALL) from error
    try:
        rows: list[dict[str, Any]] = read_table(BufferReader(content)).to_pylist()
    except OSError as error:
        # The content is in memory: it is the content that is wrong, not the reading.
        raise ValueError(str(error)) from error
    return rows


def as_parquet(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> bytes | None:
    """Make a Parquet file.

    :param rows: what a row does not have is null.
    :param types: the columns in their order, and pyarrow's names of their types.
    :returns: the whole file; None where pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow.parquet import write_table
    except ImportError:
        return None
    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in types.items()])
    file = BytesIO()
    write_table(pyarrow.Table.from_pylist(rows, schema=schema), file)
    return file.getvalue()
