"""Files that somebody else has named: regular ones alone, and no more of them than is asked for."""

from __future__ import annotations

import stat

from airflow_provider_klingvideo.errors import Fault, Money
from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.stores import on_disk


class NoRegularFileError(StorageError):
    """A device, a named pipe or a socket may never end; a folder is refused by the system when it is opened."""

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
    """Refuse what may never end, and what has no content; in an object store there is nothing of the kind.

    :raises NoRegularFileError: it is a folder, a device, a named pipe or a socket.
    :raises FileNotFoundError: there is nothing of this name.
    :raises OSError: it could not be looked at.
    """
    local = on_disk(path)
    if local is None:
        return
    mode = local.stat().st_mode
    if sort := next((name for is_it, name in _SORTS if is_it(mode)), ""):
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
