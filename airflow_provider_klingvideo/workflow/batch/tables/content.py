"""The bytes of a table: of a regular file alone, no more than the limit, and as the text that they are."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.storage.addresses import shown
from airflow_provider_klingvideo.storage.bounded import NoRegularFileError, TooLargeError, read_bounded
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.stores import is_store_fault
from airflow_provider_klingvideo.workflow.batch.tables.faults import Faults
from airflow_provider_klingvideo.workflow.batch.tables.limits import TableLimits
from airflow_provider_klingvideo.workflow.job.errors import InputError

MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and what they tell; the longer of two that begin alike first."""
_NO_TEXT: Mapping[bytes, str] = {
    b"\x1f\x8b": "a gzip archive",
    b"PK\x03\x04": "a ZIP archive, such as an Excel or LibreOffice workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF file",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
}
END_OF_FILE = "\x1a"
"""What DOS and CP/M, and some exports to this day, write behind the last line."""
LEGAL_TEXT = "text in UTF-8, or in UTF-16 with a byte order mark"


def content_of(path: StorePath, limits: TableLimits) -> bytes:
    """Read a file, bounded.

    :raises InputError: it is missing, no regular file or larger than the limit; or the store could not be asked, then
        retryable.
    """
    try:
        return read_bounded(path, limits.max_bytes)
    except FileNotFoundError as error:
        missing = Fault(shown(str(path)), "there is no file of this name", "a file that this machine can read")
        raise InputError(missing, advice="Check the path; the worker must be able to read it") from error
    except IsADirectoryError as error:
        raise InputError(
            Fault(shown(str(path)), "it is a folder", "a regular file"), advice="Name a regular file"
        ) from error
    except NoRegularFileError as error:
        raise InputError(error.faults, advice=error.advice) from error
    except TooLargeError as error:
        large = Fault(shown(str(path)), "it is too large", limits.bytes_words)
        raise InputError(large, advice=error.advice) from error
    except Exception as error:
        if not is_store_fault(error):
            raise
        refused = Fault(shown(str(path)), f"it cannot be read: {error}", "a file that this machine can read")
        advice = "Look at the store and at the rights of this machine, and try again"
        raise InputError(refused, retryable=True, advice=advice) from error


def text_of(content: bytes, faults: Faults) -> str:
    r"""Return a file's content as text, every line ended by ``\n``, without marks at its ends.

    :raises UnreadableTableError: it is no text; the fault is noted.
    """
    for magic, name in _NO_TEXT.items():
        if content.startswith(magic):
            raise faults.end("", f"it is {name}", LEGAL_TEXT)
    text = _decoded(content, faults).replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    while text.endswith((END_OF_FILE, f"{END_OF_FILE}\n")):
        text = text.rstrip("\n")[:-1]
    return text


def _decoded(content: bytes, faults: Faults) -> str:
    mark, encoding = next((row for row in MARKS if content.startswith(row[0])), (b"", "utf-8"))
    if not mark and (nul := content.find(0)) >= 0:
        what = "a NUL character; the file is binary, or UTF-16 without a byte order mark"
        raise faults.end(_line(content, nul), what, LEGAL_TEXT)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        what = f"the byte {error.object[error.start]:#04x} is not {encoding.removesuffix('-sig').upper()}"
        raise faults.end(_line(error.object, error.start), what, f"{LEGAL_TEXT}; save the file as UTF-8") from None


def _line(content: bytes, position: int) -> str:
    return f"line {content.count(10, 0, position) + 1}"
