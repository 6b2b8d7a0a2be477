"""What lies in a folder, by one request, as the store says it now."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.stores import StoredObject, fsspec_path, on_disk

TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified")
"""What libraries of stores call the time at which a file was written."""


@dataclass(frozen=True)
class Entry:
    """A file or folder in a folder.

    :param name: its name, without the folder.
    :param size: bytes; None for a folder.
    :param modified: when it was written, by the store's clock; None where the store does not tell, as object stores do
        not for folders.
    """

    name: str
    size: int | None
    modified: datetime | None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.size is None


def entries(folder: StorePath) -> list[Entry]:
    """List a folder, in order of names; one that does not exist is empty.

    Object stores send at most a thousand entries with an answer, so that larger folders take a request for each
    thousand. What the library of a store has kept of earlier listings is never used.

    :raises OSError: the store refused; also what its own library raises.
    """
    try:
        return sorted(_entries(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


@dataclass(frozen=True)
class Found:
    """A file somewhere below a folder.

    :param folders: the names of the folders that lead to it.
    :param stamp: another one whenever the file has been written anew.
    """

    folders: tuple[str, ...]
    stamp: str


def found_below(folder: StorePath, name: str, depth: int) -> list[Found]:
    """Find the files of a name that lie so many folders deep; a folder that does not exist holds none.

    A disk is looked at folder by folder, and no symbolic link is followed. Object stores are asked for all their keys,
    a thousand with each answer: that is fewer requests than one for each folder.

    :raises OSError: the store refused; also what its own library raises.
    """
    if (local := on_disk(folder)) is not None:
        return list(_below_on_disk(local, name, depth, ()))
    if (place := fsspec_path(folder)) is None:
        return []
    keys = _s3_keys(place) if hasattr(place.store, "call_s3") else _library_keys(place)
    parts = ((key.split("/"), stamp) for key, stamp in keys)
    return [Found(tuple(way[:-1]), stamp) for way, stamp in parts if way[-1] == name and len(way) == depth + 1]


def _below_on_disk(folder: Path, name: str, depth: int, way: tuple[str, ...]) -> Iterator[Found]:
    # Another process may remove what is being looked at; what is no folder holds nothing.
    with suppress(FileNotFoundError, NotADirectoryError):
        if depth == 0:
            facts = (folder / name).lstat()
            if S_ISREG(facts.st_mode):
                yield Found(way, f"{facts.st_mtime_ns}-{facts.st_size}-{facts.st_ino}")
            return
        with os.scandir(folder) as entries_of_folder:
            names = [one.name for one in entries_of_folder if one.is_dir(follow_symlinks=False)]
        for one in names:
            yield from _below_on_disk(folder / one, name, depth - 1, (*way, one))


def _s3_keys(place: StoredObject) -> Iterator[tuple[str, str]]:
    bucket, key, _ = place.store.split_path(place.key)
    prefix = f"{key.strip('/')}/" if key.strip("/") else ""
    for page in _s3_pages(place.store, Bucket=bucket, Prefix=prefix):
        for one in page.get("Contents", []):
            yield one["Key"].removeprefix(prefix), f"{one['ETag']}-{one['LastModified']}"


def _library_keys(place: StoredObject) -> Iterator[tuple[str, str]]:
    place.store.invalidate_cache(place.key)
    root = place.key.strip("/")
    for path, facts in place.store.find(place.key, detail=True).items():
        stamp = facts.get("etag") or facts.get("ETag") or _modified(facts)
        yield path.strip("/").removeprefix(f"{root}/"), f"{stamp}-{facts.get('size')}"


def _entries(folder: StorePath) -> Iterator[Entry]:
    if (local := on_disk(folder)) is not None:
        return _of_disk(local)
    if (place := fsspec_path(folder)) is None:
        return _of_paths(folder)
    return _of_s3(place) if hasattr(place.store, "call_s3") else _of_library(place)


def _of_disk(folder: Path) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        yield from _looked_at(found)


def _of_paths(folder: StorePath) -> Iterator[Entry]:
    yield from _looked_at(folder.iterdir())


def _looked_at(found: Iterable[Any]) -> Iterator[Entry]:
    for one in found:
        # Another process may have removed it since the folder was opened.
        with suppress(FileNotFoundError):
            facts = one.stat()
            size = None if S_ISDIR(facts.st_mode) else facts.st_size
            yield Entry(one.name, size, datetime.fromtimestamp(facts.st_mtime, UTC))


def _of_s3(place: StoredObject) -> Iterator[Entry]:
    """Of an empty folder s3fs itself would list all that lies beside it, to see whether it is a file."""
    bucket, key, _ = place.store.split_path(place.key)
    prefix = f"{key.strip('/')}/" if key.strip("/") else ""
    for page in _s3_pages(place.store, Bucket=bucket, Prefix=prefix, Delimiter="/"):
        for one in page.get("CommonPrefixes", []):
            yield Entry(one["Prefix"].removeprefix(prefix).rstrip("/"), None, None)
        for one in page.get("Contents", []):
            # Some tools mark a folder by an object of its name.
            if one["Key"] != prefix:
                yield Entry(one["Key"].removeprefix(prefix), one["Size"], one["LastModified"])


def _s3_pages(store: Any, **request: Any) -> Iterator[Mapping[str, Any]]:
    while True:
        page = store.call_s3("list_objects_v2", **request)
        yield page
        if not page.get("IsTruncated"):
            return
        request["ContinuationToken"] = page["NextContinuationToken"]


def _of_library(place: StoredObject) -> Iterator[Entry]:
    place.store.invalidate_cache(place.key)
    for one in place.store.ls(place.key, detail=True):
        if (name := _inside(place.key, one["name"])) is not None:
            yield Entry(name, None if one["type"] == "directory" else one["size"], _modified(one))


def _inside(folder: str, path: str) -> str | None:
    """The last part of a listed path; None for the folder itself, which some libraries list too."""
    if path.strip("/") == folder.strip("/"):
        return None
    return path.rstrip("/").rpartition("/")[2]


def _modified(facts: Mapping[str, Any]) -> datetime | None:
    told = next((facts[name] for name in TIMES if facts.get(name)), None)
    if isinstance(told, int | float):
        return datetime.fromtimestamp(told, UTC)
    if isinstance(told, str):
        told = datetime.fromisoformat(told)
    return told if told is None or told.tzinfo else told.replace(tzinfo=UTC)
