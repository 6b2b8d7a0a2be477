"""Files that exactly one of many writers creates, and the proof that a store can do so.

Some S3 servers ignore the condition and replace what is there, without a word. So nobody may rely upon a store that has
not proved itself.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from pathlib import Path
from uuid import uuid4

from airflow_provider_klingvideo.storage.errors import ExclusiveCreationError
from airflow_provider_klingvideo.storage.listing import entries
from airflow_provider_klingvideo.storage.protocols import StorePath, is_there, remove
from airflow_provider_klingvideo.storage.stores import StoredObject, on_disk, store_key, stored_object
from airflow_provider_klingvideo.storage.writing import flush_names, flush_to_disk, part_name, read_whole, write_whole

log = logging.getLogger(__name__)

ATTEMPTS = 5
"""So often a creation is sent that met another one on its way (HTTP 409 of S3)."""
PAUSE_SECONDS = 0.1
EXISTS = {"PreconditionFailed", "412"}
CONFLICT = {"ConditionalRequestConflict", "409"}
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

_proved: dict[tuple[object, ...], bool] = {}


def create(path: StorePath, content: bytes) -> bool:
    """Create a small file unless it exists: of many writers exactly one succeeds, and no reader sees half of it.

    That holds where :func:`is_proved` says so; elsewhere nothing better can be done than to look first. In an object
    store the answer to a creation may be lost; its library then sends it once more and is told that the file exists.
    Who has to know puts something of its own into the content, and reads the file when told that it exists.

    :param path: the file; on a disk its folder is made.
    :returns: True when this call has created it, False when it exists.
    :raises ExclusiveCreationError: the disk has no hard links.
    :raises OSError: the store refused; whether the file was created is not known.
    """
    if (local := on_disk(path)) is not None:
        return _linked(local, content)
    if (stored := stored_object(path)) is not None:
        return _put(stored, content)
    if is_there(path):
        return False
    write_whole(path, content)
    return True


def claim(folder: StorePath, name: str, content: bytes) -> bool:
    """Keep a small file that one of many writers alone may keep, in any store; tell whether this call has done so.

    Where the store cannot create exclusively, each writer puts a file of its own beside the name, lists the folder, and
    takes its file back when it finds another one: the last of those that list has seen all others. Of several that come
    in the same moment none may win then, and they come again. So it needs a store whose listings show what was written.

    :param name: of the file, ``{stem}.{ending}``; a loser of a weak store may leave ``{stem}~{random}.{ending}``.
    :param content: with something in it that no other call writes.
    :raises OSError: the store refused; whether the file was kept is not known.
    """
    path = folder / name
    if is_proved(folder):
        return _is_created(path, content)
    stem, _, ending = name.rpartition(".")
    own = f"{stem}~{uuid4().hex}.{ending}"
    write_whole(folder / own, content)
    is_alone = not any(
        one.name == name or (one.name != own and one.name.startswith(f"{stem}~")) for one in entries(folder)
    )
    if not is_alone:
        remove(folder / own)
    return is_alone


def _is_created(path: StorePath, content: bytes) -> bool:
    try:
        if create(path, content):
            return True
    except OSError:
        # The store may have created it although its answer was lost: then it holds what is written here.
        if not is_there(path):
            raise
    return read_whole(path) == content


def is_proved(folder: StorePath) -> bool:
    """Tell whether the store of a folder really creates exclusively.

    It is tried once for every store and process: the same file is created twice, and the second time must fail.

    :param folder: any folder of the store that may be written to; on a disk it is made.
    :raises OSError: the store refused, so that nothing is known; the next call tries again.
    """
    key = store_key(folder)
    if key not in _proved:
        _proved[key] = _prove(folder)
        if not _proved[key]:
            log.warning(
                "The store of %s does not create a file only if it is absent: of several writers each would succeed. "
                "Nothing relies upon it there.",
                folder,
            )
    return _proved[key]


def _prove(folder: StorePath) -> bool:
    if on_disk(folder) is None and stored_object(folder) is None:
        return False
    probe = folder / f".probe-{uuid4().hex}"
    try:
        # The answer to the first may be lost and say that the file exists: that proves nothing against the store.
        create(probe, b"first")
        return not create(probe, b"second")
    except ExclusiveCreationError:
        return False
    finally:
        remove(probe)


def _linked(path: Path, content: bytes) -> bool:
    """Write beside the name, then give the name by a hard link, which fails when it is taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(part_name(path.name))
    try:
        with part.open("wb") as stream:
            stream.write(content)
            flush_to_disk(part, stream)
        created = _link(part, path)
    finally:
        part.unlink(missing_ok=True)
    flush_names(path.parent)
    return created


def _link(part: Path, path: Path) -> bool:
    try:
        os.link(part, path)
    except FileExistsError:
        # On NFS the answer may be lost: asked again, the server says that the name is taken, namely by this very file.
        return part.stat().st_nlink > 1
    except OSError as error:
        if error.errno in NO_LINKS:
            raise ExclusiveCreationError(f"{path} cannot be created exclusively: the disk has no hard links") from error
        raise
    return True


def _put(stored: StoredObject, content: bytes) -> bool:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            stored.store.pipe_file(stored.key, content, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if _code(error) in EXISTS:
                return False
            if _code(error) not in CONFLICT or attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return True
    raise AssertionError("the last attempt returns or raises")


def _code(error: OSError) -> str | None:
    """The S3 server's own code, which s3fs keeps in the cause of its error."""
    answer: dict[str, dict[str, str]] = getattr(error.__cause__, "response", None) or {}
    return answer.get("Error", {}).get("Code")
