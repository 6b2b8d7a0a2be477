"""Pictures, sounds and videos that a request takes from files and other jobs.

They are read, measured and encoded when they are needed, so that nothing large travels in a job record.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily
from airflow_provider_klingvideo.kling.products.base import MediaKind
from airflow_provider_klingvideo.kling.products.media_fields import with_media
from airflow_provider_klingvideo.media import (
    MediaError,
    MediaSettings,
    file_type,
    last_frame,
    picture_size,
    require_reachable,
    sha256_of,
)
from airflow_provider_klingvideo.storage.protocols import OpenPath, StorePath, is_there
from airflow_provider_klingvideo.workflow.inputs.references import LAST_FRAME
from airflow_provider_klingvideo.workflow.job.errors import InputError
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.store import RECORD_NAME, JobStore, UnreadableRecordError

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import GenerationRequest

MEGABYTE = 1024 * 1024

# No path that a person writes is as long; base64 of the smallest legal picture is longer.
LONGEST_PATH = 1024
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
INLINE = "data:"
"""What a record has in the place of a file's content."""
INLINE_FAULT = ("holds a file itself", "an http(s) URL or a path (s3://, file:// ...): records and logs carry no files")


@dataclass(frozen=True)
class FileLimits:
    """What the vendor accepts of a file that is sent along.

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
"""Asks the vendor for a fresh, signed address of the video of a job."""


def is_url(value: str) -> bool:
    """Whether the vendor can fetch the value itself."""
    return value.startswith(("http://", "https://"))


def require_reachable_inputs(request: GenerationRequest, settings: MediaSettings) -> None:
    """Find out before anything is paid what the vendor would only say after it accepted the task.

    :param request: a request whose files are named by address.
    :raises InputError: for an address that cannot be fetched; retryable where that may pass.
    """

    def check(where: str, _kind: MediaKind, value: str) -> str:
        if is_url(value):
            try:
                require_reachable(value, settings)
            except MediaError as error:
                raise InputError(
                    f"{where}: {error.message}",
                    http_status=error.http_status,
                    retryable=error.retryable,
                    advice="The vendor must be able to fetch it: publish it at a public address, or give a path",
                ) from error
        return value

    with_media(request, check)


def inline_media(params: Mapping[str, Any]) -> list[str]:
    """Name the fields that hold a file's content instead of its address; a record must not carry it."""
    return [where for where, value in _texts(params) if _is_content(value)]


def without_inline_media(value: Any) -> Any:
    """Return parameters with :data:`INLINE` in the place of every file's content."""
    if isinstance(value, Mapping):
        return {name: without_inline_media(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_inline_media(item) for item in value]
    return INLINE if isinstance(value, str) and _is_content(value) else value


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


def _is_content(value: str) -> bool:
    return value.startswith(INLINE) or (len(value) > LONGEST_PATH and _BASE64.fullmatch(value) is not None)


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

        def replace(where: str, kind: MediaKind, value: str) -> str:
            sent, identities[where] = self._resolved(where, kind, value, family)
            return sent

        sent = with_media(request, replace)
        return Inputs(sent, with_media(request, lambda where, _kind, _value: identities[where]))

    def require_usable(self, where: str, kind: MediaKind, value: str, family: ApiFamily) -> None:
        """Prove that a file can be sent, without asking Kling and without cutting a frame; an address is not looked at.

        :raises InputError: as :meth:`read` does.
        """
        if is_url(value):
            return
        if kind is MediaKind.VIDEO:
            self._job_of(where, value)
        elif kind is MediaKind.PICTURE and value.endswith(LAST_FRAME):
            self._existing(where, value.removesuffix(LAST_FRAME))
        else:
            self._file(where, value, SOUNDS if kind is MediaKind.SOUND else PICTURES[family])

    def _resolved(self, where: str, kind: MediaKind, value: str, family: ApiFamily) -> tuple[str, str]:
        """What is sent, and what it is recognised by."""
        if is_url(value):
            return value, value
        if kind is MediaKind.VIDEO:
            return self._video(where, value)
        limits = SOUNDS if kind is MediaKind.SOUND else PICTURES[family]
        if kind is MediaKind.PICTURE and value.endswith(LAST_FRAME):
            return self._last_frame(where, value, limits)
        content = base64.b64encode(self._file(where, value, limits)).decode()
        return content, content

    def _file(self, where: str, value: str, limits: FileLimits) -> bytes:
        path = self._existing(where, value)
        with _readable(where, value):
            size = path.stat().st_size
            if size > limits.max_bytes:
                limit = limits.max_bytes // MEGABYTE
                raise InputError(f"{where}: {value} has {size / MEGABYTE:.1f} MB; at most {limit} MB are accepted")
            content = path.read_bytes()
        _check(where, value, content, limits)
        return content

    def _last_frame(self, where: str, value: str, limits: FileLimits) -> tuple[str, str]:
        path = self._existing(where, value.removesuffix(LAST_FRAME))
        try:
            digest, frame = sha256_of(path), last_frame(path, self.settings)
        except KlingVideoError as error:
            raise InputError(f"{where}: {value} cannot be taken: {error.message}", retryable=error.retryable) from error
        _check(where, value, frame, limits)
        return base64.b64encode(frame).decode(), f"{digest}{LAST_FRAME}"

    def _video(self, where: str, value: str) -> tuple[str, str]:
        job = self._job_of(where, value)
        return self.video_of(job), f"task:{job.klingai_job_id}"

    def _job_of(self, where: str, value: str) -> WorkflowJob:
        """Kling takes videos by URL only: a file must be one that it made itself."""
        path = self._existing(where, value)
        folder = path.parent
        try:
            with _readable(where, value):
                job = self.store_at(folder.parent).load(folder.name)
        except UnreadableRecordError as error:
            raise InputError(f"{where}: {folder / RECORD_NAME} is no job record") from error
        if job is None:
            raise InputError(
                f"{where}: {value} is no file of a job, and the vendor takes videos by URL only",
                advice="Publish the video at an http(s) address, or give the path of a job's video",
            )
        if job.klingai_job_id is None:
            raise InputError(f"{where}: job {job.id} has no video; it is {job.state}")
        return job

    def _existing(self, where: str, value: str) -> StorePath:
        with _readable(where, value):
            path = self.open_path(value)
            if is_there(path):
                return path
        raise InputError(
            f"{where}: there is no file {value}", advice="Check the path; the worker must be able to read it"
        )


@contextmanager
def _readable(where: str, value: str) -> Iterator[None]:
    """Tell which input is meant when a store cannot be read."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{where}: {value} cannot be read: {error}", retryable=True) from error


def _check(where: str, value: str, content: bytes, limits: FileLimits) -> None:
    """Check what the vendor would only find out after it accepted the task."""
    found = file_type(content)
    if found is None or found.extension not in limits.extensions:
        raise InputError(f"{where}: {value} is no file of type {' or '.join(limits.extensions)}")
    if not limits.min_side:
        return
    size = picture_size(content)
    if size is None:
        raise InputError(f"{where}: the size of {value} cannot be read; the file is damaged")
    shown = f"{where}: {value} has {size[0]} x {size[1]} pixels"
    if min(size) < limits.min_side:
        raise InputError(f"{shown}; each side must have {limits.min_side} at least")
    if max(size) > limits.max_ratio * min(size):
        raise InputError(f"{shown}; the longer side may be at most {limits.max_ratio:g} times the shorter one")
