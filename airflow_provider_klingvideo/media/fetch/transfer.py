"""Download a result: streamed to disk, hashed on the way, resumed after a reset, checked before it gets its name."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from airflow_provider_klingvideo._urls import without_queries, without_query
from airflow_provider_klingvideo._words import harmless
from airflow_provider_klingvideo.media.errors import DownloadError, ExpiredUrlError, VerificationError
from airflow_provider_klingvideo.media.fetch.fetching import opened
from airflow_provider_klingvideo.media.fetch.guard import parse_url
from airflow_provider_klingvideo.media.inspect.boxes import MP4
from airflow_provider_klingvideo.media.inspect.filetypes import HEAD_BYTES, SHOWN_BYTES, require_beginning
from airflow_provider_klingvideo.media.settings import DownloadLimits
from airflow_provider_klingvideo.storage.objects import MEBIBYTE, require_free_space, storage_errors

LONGEST_PAUSE = 30.0
EXPIRED = frozenset({403, 404, 410})
TRANSIENT = frozenset({408, 416, 425, 429})

logger = logging.getLogger(__name__)


class _InterruptedError(DownloadError):
    """One attempt failed, the next one may go on."""


class _HideQueries(logging.Filter):
    """Keep signatures out of the HTTP client's own log lines, which name every URL and redirect."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = harmless(without_queries(record.getMessage())), ()
        return True


for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy"):
    logging.getLogger(_name).addFilter(_HideQueries())


@dataclass(frozen=True)
class Download:
    """A file that came whole.

    :param path: where it lies.
    :param size: bytes.
    :param sha256: hexadecimal digits.
    :param content_type: what the server called it.
    """

    path: Path
    size: int
    sha256: str
    content_type: str | None


def download(
    url: str,
    destination: Path,
    *,
    limits: DownloadLimits | None = None,
    allowed_private_hosts: Set[str] = frozenset(),
    client: httpx.Client | None = None,
    extensions: tuple[str, ...] = MP4,
) -> Download:
    """Download a file.

    Until it is whole the file is called ``{name}.part``; whatever happens, no part of it stays.

    :param url: http or https; its query string is a secret and appears in no message or log line.
    :param destination: a local path; an existing file is replaced at the end.
    :param limits: sizes and times; default :class:`DownloadLimits`.
    :param allowed_private_hosts: ``host`` or ``host:port`` that may be fetched although the address is not public.
    :param client: an HTTP client to use; it is left open.
    :param extensions: what the file may be, see ``media.inspect.filetypes.FILE_TYPES``.
    :raises ExpiredUrlError: HTTP 403, 404 or 410: ask for a fresh URL (Kling signs for 30 days, kling-api
        section 5).
    :raises DownloadError: refused address, too large, another type, or interrupted more often than ``limits.attempts``.
    :raises StorageError: disk full or not writable.
    """
    part = destination.with_name(f"{destination.name}.part")
    try:
        with nullcontext(client) if client else httpx.Client() as session:
            transfer = _Transfer(url, part, limits or DownloadLimits(), allowed_private_hosts, session, extensions)
            content_type = transfer.run()
        with storage_errors(f"naming {destination.name}"):
            part.replace(destination)
    finally:
        part.unlink(missing_ok=True)
    logger.info("Downloaded %s: %d bytes", without_query(url), transfer.received)
    return Download(destination, transfer.received, transfer.digest.hexdigest(), content_type)


class _Transfer:
    """The bytes received so far, and how to get the others."""

    def __init__(
        self,
        url: str,
        part: Path,
        limits: DownloadLimits,
        allowed_private_hosts: Set[str],
        client: httpx.Client,
        extensions: tuple[str, ...],
    ) -> None:
        self._url = parse_url(url)
        self._shown = without_query(url)
        self._part = part
        self._limits = limits
        self._allowed = allowed_private_hosts
        self._client = client
        self._extensions = extensions
        self._deadline = time.monotonic() + limits.total_seconds
        self._restart()

    def _restart(self) -> None:
        self.received = 0
        self.digest = hashlib.sha256()
        self._head = b""
        self._validator: str | None = None

    def run(self) -> str | None:
        """Receive everything; returns the content type."""
        retrying = Retrying(
            retry=retry_if_exception_type(_InterruptedError),
            stop=stop_after_attempt(self._limits.attempts),
            wait=wait_exponential(multiplier=self._limits.pause_seconds, max=LONGEST_PAUSE),
            before_sleep=self._log_interruption,
            reraise=True,
        )
        return retrying(self._attempt)

    def _log_interruption(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        logger.warning("Interrupted after %d bytes, trying again: %s", self.received, error)

    def _attempt(self) -> str | None:
        self._require_time()
        try:
            with self._open() as response:
                total = self._begin(response)
                self._receive(response, total)
                content_type: str | None = response.headers.get("Content-Type")
                return content_type
        except httpx.HTTPError as error:
            words = without_queries(str(error))
            raise _InterruptedError(f"{self._shown}: {type(error).__name__}: {words}") from error

    def _require_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise DownloadError(f"{self._shown} did not come whole within {self._limits.total_seconds:g} s")

    def _open(self) -> AbstractContextManager[httpx.Response]:
        resumed = {"Range": f"bytes={self.received}-", "If-Range": self._validator} if self._validator else {}
        return opened(
            self._client, self._url, limits=self._limits, allowed_private_hosts=self._allowed, headers=resumed
        )

    def _begin(self, response: httpx.Response) -> int | None:
        """Read the answer's head; returns the size of the whole file where it is told."""
        status = response.status_code
        if status in EXPIRED:
            raise ExpiredUrlError(f"{self._shown} is not served any more", http_status=status)
        if status in TRANSIENT or status >= 500:
            self._validator = None if status == 416 else self._validator
            raise _InterruptedError(f"{self._shown} was not served", http_status=status)
        total: int | None
        if status == 206 and self._validator:
            total = self._resumed_total(response)
        elif status == 200:
            self._restart()
            self._validator = _strong_validator(response)
            total = _as_int(response.headers.get("Content-Length"))
        else:
            raise DownloadError(f"{self._shown} was not served", http_status=status)
        self._require_allowed_size(total or 0)
        require_free_space(self._part.parent, (total or 0) - self.received)
        return total

    def _resumed_total(self, response: httpx.Response) -> int:
        content_range = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", content_range)
        if not match or int(match[1]) != self.received:
            self._validator = None
            raise _InterruptedError(f"{self._shown} was resumed at another place: {content_range[:80]!a}")
        return int(match[2])

    def _require_allowed_size(self, size: int) -> None:
        limit = self._limits.max_bytes
        if size > limit:
            raise DownloadError(
                f"{self._shown} is larger than the limit of {limit / MEBIBYTE:g} MiB",
                retryable=False,
                advice="Raise max_bytes if the file is meant to be so large",
            )

    def _receive(self, response: httpx.Response, total: int | None) -> None:
        with storage_errors(f"writing {self._part.name}"), self._part.open("ab" if self.received else "wb") as file:
            for chunk in response.iter_raw():
                self._require_time()
                self.received += len(chunk)
                self._require_allowed_size(self.received)
                self._sniff(chunk, response)
                self.digest.update(chunk)
                file.write(chunk)
        self._sniff(b"", response, ended=True)
        if total is not None and self.received != total:
            raise _InterruptedError(f"{self._shown} ended after {self.received} of {total} bytes")

    def _sniff(self, chunk: bytes, response: httpx.Response, *, ended: bool = False) -> None:
        """Stop as soon as it is clear that this is not what is wanted."""
        if not ended and len(self._head) >= HEAD_BYTES:
            return
        self._head = (self._head + chunk)[:SHOWN_BYTES]
        if len(self._head) < HEAD_BYTES and not ended:
            return
        try:
            require_beginning(self._head, self._extensions)
        except VerificationError as error:
            served_as = response.headers.get("Content-Type", "unknown")
            raise DownloadError(
                f"{self._shown} is not what was ordered but {served_as[:80]!a}: {error.message}",
                http_status=response.status_code,
            ) from error


def _strong_validator(response: httpx.Response) -> str | None:
    """What proves that the rest belongs to the same file; without it a resumed file could be two halves."""
    etag: str | None = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    modified: str | None = response.headers.get("Last-Modified")
    return modified


def _as_int(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
