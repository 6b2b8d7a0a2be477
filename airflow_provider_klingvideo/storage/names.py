"""Names that are the same on every try, and the one door through which a name from outside becomes a path."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_klingvideo.storage.errors import UnsafeNameError
from airflow_provider_klingvideo.storage.protocols import StorePath, is_there

P = TypeVar("P", bound=StorePath)

LONGEST_NAME = 120
LONGEST_SEGMENT = 255
"""Bytes; more than most file systems take for the name of a file."""

_NOT_PORTABLE = re.compile(r"[^A-Za-z0-9._=@-]+")
_PORTABLE = re.compile(r"(?!\.)[A-Za-z0-9._=@-]+(?<!\.)")
_MARK = "~"
_DIGEST_DIGITS = 12
_LONGEST_KEY = 40

# Separators, drive letters, chains of file systems, wildcards, versions of objects, what Windows forbids, what cannot
# be seen, and half characters, which have no bytes.
_UNSAFE = re.compile(r'[/\\:*?"<>|\[#\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


def safe_name(text: str) -> str:
    """Make a file name of a text: of different texts different names.

    A text of portable characters (letters and digits of ASCII, ``.``, ``_``, ``=``, ``@``, ``-``) is its own name,
    provided that it has at most 120 of them and neither begins nor ends with ``.``. Any other one is told by what is
    readable of it and a digest, ``{readable}~{12 hexadecimal digits}``; ``~`` is in no text that is its own name.

    The names differ byte by byte. Two texts of portable characters that differ in nothing but capitals have names
    that do so too; a disk that takes those for the same, as on macOS, has one file for both.

    :param text: any text, also one with lone surrogates.
    """
    if len(text) <= LONGEST_NAME and _PORTABLE.fullmatch(text):
        return text
    digest = digest_of(text)
    return f"{old_name(text)[: LONGEST_NAME - len(digest) - 1]}{_MARK}{digest}"


def old_name(text: str) -> str:
    """Make the file name that earlier versions made, which different texts may share."""
    name = _NOT_PORTABLE.sub("_", text).lstrip(".")
    return name[:LONGEST_NAME] or "_"


def folder_of(parent: P, text: str, *, belongs: Callable[[P], bool] = lambda _: True) -> P:
    """Return the folder named after a text: by its :func:`safe_name`, or as an earlier version has named it.

    The store is asked only when the two names differ. The old folder is taken when there is no new one. As different
    texts could share it, and another text may have it as its own name, ``belongs`` decides.

    :param belongs: tells whether what lies in the old folder is that of this text.
    :raises OSError: the store could not be asked.
    """
    return file_of(parent, text, belongs=belongs)


def file_of(parent: P, text: str, suffix: str = "", *, belongs: Callable[[P], bool] = lambda _: True) -> P:
    """Return the file named after a text, as :func:`folder_of` does for folders.

    :param suffix: what follows the name, with its dot.
    :param belongs: tells whether the old file is that of this text.
    :raises OSError: the store could not be asked.
    """
    new, old = parent / f"{safe_name(text)}{suffix}", parent / f"{old_name(text)}{suffix}"
    if new.name == old.name or is_there(new) or not is_there(old):
        return new
    return old if belongs(old) else new


def job_id(dag_id: str, run_id: str, key: str, map_index: int) -> str:
    """Name a job after its place in Airflow; the try does not matter.

    :param key: tells several jobs of one run apart; for a task group its id.
    :param map_index: -1 outside mapped tasks.
    """
    index = f"-{map_index}" if map_index >= 0 else ""
    return f"{old_name(key)[:_LONGEST_KEY]}{index}-{digest_of(dag_id, run_id, key, str(map_index))}"


def digest_of(*parts: str) -> str:
    """Return twelve hexadecimal digits that tell sequences of texts apart, also texts with NULs and lone surrogates."""
    identity = "\0".join(parts)
    if len(parts) > 1 and any("\0" in part for part in parts):
        # Otherwise the parts "a\0b", "c" would be those of "a", "b\0c". Ids that are on record have no NUL in a part.
        identity = json.dumps(parts, ensure_ascii=False)
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]


def inside(folder: P, name: str, *, nested: bool = False) -> P:
    """Return the path of a name from outside, which is proved to lie in a folder.

    All that other programs have written becomes a path here and nowhere else: names in Kling's answers, in rows, in
    records.

    :param name: the name of a file or folder.
    :param nested: whether it may be several names with ``/`` between them.
    :raises UnsafeNameError: it could lead elsewhere.
    """
    segments = name.split("/") if nested else [name]
    if not all(map(is_safe_segment, segments)):
        raise UnsafeNameError(f"{name[:LONGEST_SEGMENT]!r} cannot be the name of a file in {folder}")
    path = folder
    for segment in segments:
        path = path / segment
    return path


def is_safe_segment(name: str) -> bool:
    """Tell whether a name is that of one file, in whichever folder and store it lies."""
    return name not in {"", ".", ".."} and not _UNSAFE.search(name) and len(name.encode()) <= LONGEST_SEGMENT
