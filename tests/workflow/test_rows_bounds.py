"""The size of a table is proved before memory or disk pays for it."""

from __future__ import annotations

import gzip
import json
import os
import socket
import threading
import tracemalloc
from contextlib import suppress
from io import BytesIO

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table
from test_rows import Memory

from airflow_provider_klingvideo.media.outputs.publishing import fetch, sha256_of
from airflow_provider_klingvideo.storage.bounded import NoRegularFileError, TooLargeError, read_bounded
from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.workflow.batch.rows import keyed, listed_rows, read_rows
from airflow_provider_klingvideo.workflow.batch.tables.limits import TableLimits
from airflow_provider_klingvideo.workflow.job.errors import InputError

MEBIBYTE = 1024 * 1024
LIMITS = TableLimits(max_bytes=MEBIBYTE, max_rows=1000, max_cell=500)


def parquet(table, **options):
    stream = BytesIO()
    write_table(table, stream, **options)
    return stream.getvalue()


def column(values, kind=None):
    return pa.table({"prompt": pa.array(values, kind)})


WORDS = pa.DictionaryArray.from_arrays(pa.array([0] * 900, pa.int32()), pa.array(["w" * 100_000]))
NESTED = pa.array([["w" * 50_000] * 900], pa.list_(pa.string()))
PREFIXES = [f"{'w' * 10_000}{number}" for number in range(900)]

TOO_MUCH = {
    "bytes.csv": b"prompt\n" + b"a" * MEBIBYTE,
    "rows.csv": b"prompt\n" + b"a\n" * 1001,
    "blank rows.csv": b"prompt\n" + b"\n" * MEBIBYTE,
    "cell.csv": b"prompt\n" + b"a" * 501,
    "quoted cell.csv": b'prompt\n"' + b"a" * 900_000 + b'"',
    "commas.csv": b"prompt\n" + b"," * 900_000,
    "columns.csv": b",".join(b"#%d" % number for number in range(90_000)),
    "faults.csv": b"prompt,duratio\n" + b"a,#REF!\n" * 900,
    "rows.jsonl": b'{"n": 1}\n' * 1001,
    "cell.jsonl": json.dumps({"elements": [{"id": "a" * 501}]}).encode(),
    "name.jsonl": json.dumps({"a" * 900_000: 1}).encode(),
    "brackets.jsonl": b'{"elements": [' + b"[]," * 300_000 + b"0]}",
    "deep.jsonl": b'{"elements": ' + b"[" * 400 + b"]" * 400 + b"}",
    "digits.jsonl": b'{"n": ' + b"1" * 900_000 + b"}",
    "no rows.jsonl": b"[]\n" * 300_000,
    "brackets.json": b"[" + b"{}," * 300_000 + b"0]",
    "rows.json": json.dumps([{"n": 1}] * 1001).encode(),
    "one word.parquet": parquet(pa.table({"prompt": WORDS}), compression="zstd"),
    "one word for each.parquet": parquet(column(["w" * 100_000] * 900), compression="zstd"),
    "one word in lists.parquet": parquet(pa.table({"elements": NESTED}), compression="zstd"),
    "rows.parquet": parquet(column([None] * 1_000_000, pa.string())),
    "values.parquet": parquet(pa.table({"elements": pa.array([[None] * 2_000_000], pa.list_(pa.string()))})),
    "columns.parquet": parquet(pa.table({f"#{number}": ["a"] for number in range(1500)})),
    "fixed.parquet": parquet(
        pa.table({"prompt": pa.array([b"w" * 50_000] * 900, pa.binary(50_000))}), compression="zstd"
    ),
    "prefixes.parquet": parquet(
        column(PREFIXES), use_dictionary=False, column_encoding={"prompt": "DELTA_BYTE_ARRAY"}, compression="zstd"
    ),
    "unpacked.parquet": parquet(
        column([f"{n:08}" * 1000 for n in range(500)]), compression="zstd", use_dictionary=False
    ),
    "cell.parquet": parquet(column(["a" * 501])),
    "packed.csv": gzip.compress(b"a" * 90_000_000),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much_is_refused_and_takes_little_memory(name):
    path = Memory(name, TOO_MUCH[name])
    tracemalloc.start()
    arrow = pa.total_allocated_bytes()
    try:
        with pytest.raises(InputError) as told:
            read_rows(path, limits=LIMITS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told.value.faults
    assert told.value.advice
    assert not told.value.retryable
    assert len(str(told.value)) < 10_000
    assert peak < 40 * MEBIBYTE
    assert pa.total_allocated_bytes() - arrow < 40 * MEBIBYTE


@pytest.mark.parametrize(
    "text",
    [
        f"prompt\na{' ' * 90_000}b\n",
        f"prompt\n{' ' * 90_000}b\n",
        f"prompt\n{'x' * 90_000}\u200b\n",
        "#a" + ",#b" * 60 + "\n" + "  x," * 60 + 'stray"\n',
        "#a" + ",#b" * 60 + "\n" + '  "",' * 60 + 'stray"\n',
        "prompt\n" + '"' * 80_001 + "x\n",
        f"model\n{'-_ ' * 30_000}\n",
        f"duration\n{'1' * 90_000}e\n",
    ],
    ids=["middle", "front", "end", "stray quote", "stray quote behind quotes", "quotes", "separators", "digits"],
)
def test_no_text_takes_long(text):
    """Each would take minutes and longer if a pattern tried every way to read it."""
    with suppress(InputError):
        read_rows(Memory("a.csv", text))


def test_what_is_within_the_limits_is_read():
    rows = [{"prompt": "a" * 500, "n": str(number)} for number in range(1000)]
    assert read_rows(Memory("a.parquet", parquet(pa.Table.from_pylist(rows))), limits=LIMITS) == rows
    assert listed_rows(rows, limits=LIMITS) == rows
    table = "".join(f"{row['prompt']},{row['n']}\n" for row in rows)
    assert read_rows(Memory("a.csv", f"prompt,n\n{table}"), limits=LIMITS) == rows


@pytest.mark.parametrize("change", [lambda rows: rows * 2, lambda rows: [{"prompt": "a" * 501}]])
def test_lists_have_the_same_limits(change):
    with pytest.raises(InputError):
        listed_rows(change([{"prompt": f"{number}"} for number in range(600)]), limits=LIMITS)


def test_ten_thousand_rows_are_within_the_default_limits():
    rows = [{"key": f"row {number}", "prompt": "A fox, red, runs, [fast], {slow}"} for number in range(10_000)]
    assert len(keyed(read_rows(Memory("a.json", json.dumps(rows))))) == 10_000


@pytest.fixture
def strange(tmp_path):
    """What stands in folders and is no file, by what it is called."""
    os.mkfifo(tmp_path / "pipe.csv")
    listening = socket.socket(socket.AF_UNIX)
    # The path of a socket may have no more than some hundred characters.
    folder = os.open(tmp_path, os.O_RDONLY)
    listening.bind(f"/proc/self/fd/{folder}/socket.csv")
    (tmp_path / "folder.csv").mkdir()
    for device in ("zero", "null", "urandom"):
        (tmp_path / f"{device}.csv").symlink_to(f"/dev/{device}")
    yield tmp_path
    listening.close()
    os.close(folder)


@pytest.mark.parametrize("name", ["pipe.csv", "socket.csv", "folder.csv", "zero.csv", "null.csv", "urandom.csv"])
def test_only_regular_files_are_read(strange, tmp_path, name):
    path = strange / name
    with pytest.raises(InputError, match=r"it is a (named pipe|socket|folder|device)") as told:
        read_rows(path)
    assert not told.value.retryable
    expected = IsADirectoryError if name == "folder.csv" else NoRegularFileError
    for read in (lambda: read_bounded(path, 10), lambda: sha256_of(path), lambda: fetch(path, tmp_path / "copy")):
        with pytest.raises((expected, StorageError)):
            read()


def test_a_file_that_grows_is_read_up_to_the_limit(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a" * 11)
    assert read_bounded(path, 11) == b"a" * 11
    with pytest.raises(TooLargeError):
        read_bounded(path, 10)


def test_a_pipe_with_a_writer_is_not_waited_for(tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe.csv")
    writer = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_RDWR)), daemon=True)
    writer.start()
    with pytest.raises(InputError, match="named pipe"):
        read_rows(pipe)
    writer.join()
