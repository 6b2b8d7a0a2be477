"""Parquet files that are written, through pyarrow, which is an extra and imported only when it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any


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
