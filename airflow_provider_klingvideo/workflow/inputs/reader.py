"""Pictures, sounds and videos that a request takes from files and other jobs.

They are read, measured and encoded when they are needed, so that nothing large travels in a job record.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo._text import trimmed, unquoted
from airflow_provider_klingvideo.errors import Fault, KlingVideoError
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily
from airflow_provider_klingvideo.kling.products.media_fields import with_media
from airflow_provider_klingvideo.kling.products.reading import MediaKind
from airflow_provider_klingvideo.media import (
    MediaError,
    MediaSettings,
    VerificationError,
    last_frame,
    picture_size,
    require_reachable,
    require_type,
    sha256_of,
)
from airflow_provider_klingvideo.storage.addresses import (
    CONTENT_SCHEME,
    Address,
    AddressError,
    is_content,
    is_web,
    read_address,
    shown,
    web_address,
)
from airflow_provider_klingvideo.storage.bounded import NoRegularFileError, TooLargeError, read_bounded, require_regular
from airflow_provider_klingvideo.storage.protocols import OpenPath, StorePath, is_there
from airflow_provider_klingvideo.storage.stores import is_store_fault
from airflow_provider_klingvideo.workflow.inputs.references import LAST_FRAME
from airflow_provider_klingvideo.workflow.job.errors import InputError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.store import RECORD_NAME, JobStore, UnreadableRecordError

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import GenerationRequest

MEGABYTE = 1024 * 1024

INLINE = f"{CONTENT_SCHEME}:"
"""What a record has in the place of a file's content."""
INLINE_FAULT = ("holds a file itself", "an http(s) URL or a path (s3://, file:// ...): records and logs carry no files")


@dataclass(frozen=True)
class FileLimits:
    """What Kling accepts of a file that is sent along.

    :param max_bytes: largest size.
    :param extensions: types, by extension.
    :param min_side: shortest side of a picture in pixels, 0 for no limit.
    :param max_ratio: largest ratio of a picture's sides, 0 for no limit.
    """

    max_bytes: int
    extensions: tuple[str, ...]
    min_side: int = 0
    max_ratio: float = 0


# kling-api sections 6.1, 7.1, 8 and 13.
PICTURES = {
    ApiFamily.NEW: FileLimits(50 * MEGABYTE, ("png", "jpg"), 300, 2.5),
    ApiFamily.LEGACY: FileLimits(10 * MEGABYTE, ("png", "jpg"), 300, 2.5),
    ApiFamily.SOLUTIONS: FileLimits(50 * MEGABYTE, ("png", "jpg", "webp"), 300, 2.5),
}
SOUNDS = FileLimits(5 * MEGABYTE, ("mp3", "wav", "m4a", "aac"))

VideoOf = Callable[[WorkflowJob], str]
"""Asks Kling for a fresh, signed address of the video of a job."""


def require_reachable_inputs(request: GenerationRequest, settings: MediaSettings) -> None:
    """Find out before anything is paid what Kling would only say after it accepted the task.

    :param request: a request whose files are named by address.
    :raises InputError: for an address that cannot be fetched; retryable where that may pass.
    """

    def check(where: str, _kind: MediaKind, value: str) -> str:
        if is_web(value):
            try:
                require_reachable(web_address(value), settings)
            except MediaError as error:
                raise InputError(
                    Fault(where, error.message, "a public address, or a path that the worker can read"),
                    http_status=error.http_status,
                    retryable=error.retryable,
                    advice="Kling must be able to fetch it: publish it at a public address, or give a path",
                ) from error
        return value

    with_media(request, check)


def inline_media(params: Mapping[str, Any]) -> list[str]:
    """Name the fields that hold a file's content instead of its address; a record must not carry it."""
    return [where for where, value in _texts(params) if is_content(value)]


def without_inline_media(value: Any) -> Any:
    """Return parameters with :data:`INLINE` in the place of every file's content."""
    if isinstance(value, Mapping):
        return {name: without_inline_media(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_inline_media(item) for item in value]
    return INLINE if isinstance(value, str) and is_content(value) else value


def _texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    elif isinstance(value, str):
        yield where, value
    for name, item in items:
        yield from _texts(item, f"{where}.{name}" if where else str(name))


@dataclass(frozen=True)
class Inputs:
    """A request whose inputs were read.

    :param request: what is sent.
    :param identity: the same with what does not change in the place of what does: a signed address, the bytes of a
        frame that another ffmpeg would encode otherwise. What the task is recognised by.
    """

    request: GenerationRequest
    identity: GenerationRequest


@dataclass(frozen=True)
class InputReader:
    """Reads the inputs of requests.

    :param open_path: makes a path object of a path or URI.
    :param store_at: opens the records below a folder.
    :param video_of: see :data:`VideoOf`.
    :param settings: scratch space and ffmpeg, for single frames.
    """

    open_path: OpenPath
    store_at: Callable[[StorePath], JobStore]
    video_of: VideoOf
    settings: MediaSettings = field(default_factory=MediaSettings)

    def read(self, request: GenerationRequest, family: ApiFamily) -> Inputs:
        """Put content or addresses in the place of paths; URLs stay.

        :param request: the request as the user gave it.
        :param family: the API family, which decides how large a picture may be.
        :raises InputError: for a file that is missing, empty, too large, of another type, or no job's.
        """
        identities: dict[str, str] = {}

        def read(where: str, kind: MediaKind, value: str) -> str:
            sent, identities[where] = self._resolved(where, kind, value, family)
            return sent

        sent = with_media(request, read)
        return Inputs(sent, with_media(request, lambda where, _kind, _value: identities[where]))

    def require_usable(self, where: str, kind: MediaKind, value: str, family: ApiFamily) -> None:
        """Prove that a file can be sent, without asking Kling and without cutting a frame; an address is not looked at.

        :raises InputError: as :meth:`read` does.
        """
        if is_web(value):
            _sent(where, _named(where, value).text)
        elif kind is MediaKind.VIDEO:
            self._job_of(where, value)
        elif kind is MediaKind.PICTURE and (video := unquoted(trimmed(value))).endswith(LAST_FRAME):
            self._existing(where, video.removesuffix(LAST_FRAME))
        else:
            self._file(where, value, SOUNDS if kind is MediaKind.SOUND else PICTURES[family])

    def _resolved(self, where: str, kind: MediaKind, value: str, family: ApiFamily) -> tuple[str, str]:
        """What is sent, and what it is recognised by."""
        if is_web(value):
            given = _named(where, value).text
            return _sent(where, given), given
        if kind is MediaKind.VIDEO:
            return self._video(where, value)
        limits = SOUNDS if kind is MediaKind.SOUND else PICTURES[family]
        if kind is MediaKind.PICTURE and (video := unquoted(trimmed(value))).endswith(LAST_FRAME):
            return self._last_frame(where, video.removesuffix(LAST_FRAME), limits)
        content = base64.b64encode(self._file(where, value, limits)).decode()
        return content, content

    def _file(self, where: str, value: str, limits: FileLimits) -> bytes:
        path = self._existing(where, value)
        with _readable(where, value):
            size = path.stat().st_size
            if size > limits.max_bytes:
                limit = limits.max_bytes // MEGABYTE
                raise _refused(where, value, f"has {size / MEGABYTE:.1f} MB", f"at most {limit} MB")
            content = read_bounded(path, limits.max_bytes)
        _check(where, value, content, limits)
        return content

    def _last_frame(self, where: str, value: str, limits: FileLimits) -> tuple[str, str]:
        path = self._existing(where, value)
        try:
            digest, frame = sha256_of(path), last_frame(path, self.settings)
        except KlingVideoError as error:
            what = f"has no last frame that can be taken: {error.message}"
            raise _refused(where, value, what, "a whole video", retryable=error.retryable) from error
        _check(where, value, frame, limits)
        return base64.b64encode(frame).decode(), f"{digest}{LAST_FRAME}"

    def _video(self, where: str, value: str) -> tuple[str, str]:
        job = self._job_of(where, value)
        return self.video_of(job), f"task:{job.klingai_job_id}"

    def _job_of(self, where: str, value: str) -> WorkflowJob:
        """Kling takes videos by URL only: a file must be one that it made itself."""
        path = self._existing(where, value)
        folder = path.parent
        legal = "an http(s) address, or the path of a job's video"
        try:
            with _readable(where, value):
                job = self.store_at(folder.parent).load(folder.name)
        except UnreadableRecordError as error:
            raise _refused(where, str(folder / RECORD_NAME), "is no job record", legal) from error
        if job is None:
            what = "was not produced by a job, and Kling takes videos by URL only"
            advice = "Publish the video at an http(s) address, or give the path of a job's video"
            raise _refused(where, value, what, legal, advice=advice)
        if job.klingai_job_id is None:
            raise InputError(
                Fault(where, f"job {job.id} has no video; it is {job.state}", "a job that is COMPLETED"),
                advice="Run that job to its end first, or name another video",
            )
        return job

    def _existing(self, where: str, value: str) -> StorePath:
        with _readable(where, value):
            path = self.open_path(value)
            if is_there(path):
                require_regular(path)
                return path
        raise _refused(where, value, "does not exist: there is no file", "a file that the worker can read")


@contextmanager
def _readable(where: str, value: str) -> Iterator[None]:
    """Tell which input is meant when a store cannot be read."""
    try:
        yield
    except (AddressError, NoRegularFileError, TooLargeError) as error:
        raise InputError([replace(fault, where=where) for fault in error.faults], advice=error.advice) from error
    except Exception as error:
        if not is_store_fault(error):
            raise
        raise _refused(where, value, f"cannot be read: {error}", "a file that can be read", retryable=True) from error


def _refused(where: str, value: str, what: str, legal: str, **facts: Any) -> InputError:
    """Return the error about an input.

    :param value: its path or address.
    :param what: is wrong with it.
    """
    advice = "Give another file, or correct the path; the worker must be able to read it"
    return InputError(Fault(where, f"{shown(value)} {what}", legal), **{"advice": advice, **facts})


def _named(where: str, value: str) -> Address:
    with _readable(where, value):
        return read_address(value)


def _sent(where: str, value: str) -> str:
    with _readable(where, value):
        return web_address(value)


def _check(where: str, value: str, content: bytes, limits: FileLimits) -> None:
    """Check what Kling would only find out after it accepted the task."""
    try:
        require_type(content, limits.extensions)
    except VerificationError as error:
        types = " or ".join(limits.extensions)
        raise _refused(where, value, f"is no file of type {types}: {error.message}", types) from error
    if not limits.min_side:
        return
    size = picture_size(content)
    if size is None:
        raise _refused(where, value, "is damaged: the size of the picture cannot be read", "a whole picture")
    shown = f"has {size[0]} x {size[1]} pixels"
    if min(size) < limits.min_side:
        raise _refused(where, value, shown, f"each side must have {limits.min_side} pixels at least")
    if max(size) > limits.max_ratio * min(size):
        raise _refused(
            where, value, shown, f"the longer side may be at most {limits.max_ratio:g} times the shorter one"
        )
