"""Files that somebody else has named: regular ones alone, and no more of them than is asked for."""

from __future__ import annotations

import stat

from airflow_provider_klingvideo.errors import Fault, Money
from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.stores import on_disk


class NoRegularFileError(StorageError):
    """A device, a named pipe or a socket may never end, and a folder has no content."""

    default_money = Money.NONE
    default_retryable = False
    default_advice = "Name a regular file"


class TooLargeError(StorageError):
    """The file has more bytes than the limit."""

    default_money = Money.NONE
    default_retryable = False
    default_advice = "Name a smaller file"


_SORTS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def require_regular(path: StorePath) -> None:
    """Refuse what is no regular file; in an object store everything is one.

    :raises NoRegularFileError: it is something else.
    :raises FileNotFoundError: there is nothing of this name.
    :raises OSError: it could not be looked at.
    """
    local = on_disk(path)
    if local is None:
        return
    mode = local.stat().st_mode
    if not stat.S_ISREG(mode):
        sort = next((name for is_it, name in _SORTS if is_it(mode)), "no regular file")
        raise NoRegularFileError(Fault(str(path), f"it is {sort}", "a regular file"))


def read_bounded(path: StorePath, max_bytes: int) -> bytes:
    """Read a file whole, or not at all.

    :param max_bytes: one byte more is read at most, whatever the size was said to be.
    :raises NoRegularFileError: see :func:`require_regular`.
    :raises TooLargeError: it has more bytes.
    :raises OSError: the store refused; ``FileNotFoundError`` where there is no such file.
    """
    require_regular(path)
    with path.open("rb") as stream:
        content = bytes(stream.read(max_bytes + 1))
    if len(content) > max_bytes:
        raise TooLargeError(Fault(str(path), "it is too large", f"at most {max_bytes} bytes"))
    return content
