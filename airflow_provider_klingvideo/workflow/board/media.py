"""A file of a job as a browser may have it: which one it is, what it is, and a part of its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from airflow_provider_klingvideo.media.errors import MediaError
from airflow_provider_klingvideo.media.inspect.filetypes import TEXT_BYTES, require_beginning
from airflow_provider_klingvideo.storage.bounded import require_regular
from airflow_provider_klingvideo.storage.errors import UnsafeNameError
from airflow_provider_klingvideo.storage.names import inside
from airflow_provider_klingvideo.storage.objects import MEBIBYTE
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.stores import fsspec_path, on_disk

CHUNK = 2 * MEBIBYTE
DOWNLOAD = "application/octet-stream"
SHOWN_TYPES = {
    "mp4": "video/mp4",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "wav": "audio/wav",
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "vtt": "text/vtt",
}
"""What a browser may show, by the ending of the name; the bytes must begin as such a file does. Everything else is a
download, SVG and HTML above all: they would run as Airflow's own pages."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class UnsatisfiableRangeError(ValueError):
    """The file has no such bytes."""


@dataclass(frozen=True)
class MediaFile:
    """A file of a job.

    :param path: where it lies.
    :param size: bytes, as the store says.
    :param media_type: what it is served as.
    """

    path: StorePath
    size: int
    media_type: str

    @property
    def is_shown(self) -> bool:
        """Whether a browser may show it, instead of storing it."""
        return self.media_type != DOWNLOAD

    def part(self, first: int, end: int) -> Iterator[bytes]:
        """Read a part in pieces.

        :param end: behind its last byte.
        """
        for start in range(first, end, CHUNK):
            yield _bytes_of(self.path, start, min(start + CHUNK, end))


def media_file(folder: StorePath, name: str) -> MediaFile:
    """Return a file in the folder of a job.

    :param name: as the record of the job names it.
    :raises FileNotFoundError: there is none, or a link in it leads out of the folder.
    :raises StorageError: it is no regular file.
    """
    try:
        path = inside(folder, name, nested=True)
    except UnsafeNameError as error:
        raise FileNotFoundError(name) from error
    local, home = on_disk(path), on_disk(folder)
    if local is not None and home is not None and not local.resolve().is_relative_to(home.resolve()):
        raise FileNotFoundError(name)
    require_regular(path)
    size = int(path.stat().st_size)
    return MediaFile(path, size, _type_of(name, _bytes_of(path, 0, min(size, TEXT_BYTES))))


def wanted_part(header: str | None, size: int) -> tuple[int, int] | None:
    """Read the ``Range`` of a request.

    :returns: the first byte and the one behind the last; None for the whole file, as for several ranges and for what
        is no range.
    :raises UnsatisfiableRangeError: the file has no such bytes.
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or not (found[1] or found[2]):
        return None
    first = int(found[1]) if found[1] else max(size - int(found[2]), 0)
    last = int(found[2]) if found[1] and found[2] else size - 1
    if found[1] and found[2] and last < first:
        return None
    if first >= size or (not found[1] and int(found[2]) == 0):
        raise UnsatisfiableRangeError(header)
    return first, min(last, size - 1) + 1


def _type_of(name: str, head: bytes) -> str:
    ending = PurePosixPath(name).suffix.removeprefix(".").lower()
    if ending not in SHOWN_TYPES:
        return DOWNLOAD
    try:
        require_beginning(head, [ending])
    except MediaError:
        return DOWNLOAD
    return SHOWN_TYPES[ending]


def _bytes_of(path: StorePath, start: int, end: int) -> bytes:
    if start >= end:
        return b""
    if on_disk(path) is None and (place := fsspec_path(path)) is not None:
        return bytes(place.store.cat_file(place.key, start=start, end=end))
    with (on_disk(path) or path).open("rb") as stream:
        stream.seek(start)
        return bytes(stream.read(end - start))
