"""From a finished task to published files, as often as it is asked and downloaded only once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_klingvideo.media.artifacts import Artifact, Delivery
from airflow_provider_klingvideo.media.binaries import Binaries, find_binaries
from airflow_provider_klingvideo.media.boxes import walk_boxes
from airflow_provider_klingvideo.media.errors import ExpiredUrlError, FFmpegError, VerificationError
from airflow_provider_klingvideo.media.paths import StoragePath, is_there
from airflow_provider_klingvideo.media.probing import MediaInfo
from airflow_provider_klingvideo.media.publishing import fetch, publish, sha256_of
from airflow_provider_klingvideo.media.render import DELIVERABLES, Deliverable, Rendered, render
from airflow_provider_klingvideo.media.scratch import scratch_folder
from airflow_provider_klingvideo.media.settings import MEBIBYTE, Expected, MediaSettings
from airflow_provider_klingvideo.media.storage import require_free_space, storage_errors
from airflow_provider_klingvideo.media.transfer import download
from airflow_provider_klingvideo.media.verify import VerifiedMedia, inspect, require_decodable

SOURCE = "source.mp4"
SOURCE_TYPE = "video/mp4"
# The master is as large as the source; stills and preview are small beside it, but a short source is small, too.
RENDER_ROOM = 64 * MEBIBYTE

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Source:
    """The source on the local disk and in the store.

    :param verified: whether these very bytes were verified by an earlier delivery.
    """

    local: Path
    sha256: str
    verified: bool


def deliver(
    fetch_url: Callable[[], str],
    destination: StoragePath,
    *,
    expected: Expected | None = None,
    settings: MediaSettings | None = None,
    recorded: Mapping[str, Artifact] | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Delivery:
    """Download, verify, store and cut one video; what is stored and whole already is kept.

    ``source.mp4`` is published as soon as it has come whole, before ffmpeg looks at it, and no later failure removes
    it. A stored source counts when its checksum is the recorded one, or when it verifies whole (the record of an
    earlier run may be missing); otherwise it is downloaded again.

    :param fetch_url: asks the vendor for a signed URL; called only when a download is needed, and once more when the
        URL has expired.
    :param destination: folder of the files, local or in an object store.
    :param expected: what the vendor said about the video.
    :param settings: default :class:`MediaSettings`.
    :param recorded: artifacts of an earlier delivery, by name.
    :param on_progress: called with the done part of the rendering, 0 to 1.
    :returns: all artifacts, kept ones included.
    :raises MediaError: download, verification, ffmpeg or storage failed; what ``fetch_url`` raises passes through.
    """
    settings = settings or MediaSettings()
    with scratch_folder(settings) as scratch:
        work = _Delivering(destination, scratch, expected or Expected(), settings, recorded or {}, on_progress)
        stored = work.stored_source()
        if stored is None:
            return work.finish(work.downloaded_source(fetch_url))
        try:
            return work.finish(stored)
        except VerificationError as error:
            if stored.verified:
                raise
            logger.warning("The stored %s does not verify and is downloaded again: %s", SOURCE, error)
        return work.finish(work.downloaded_source(fetch_url))


@dataclass(frozen=True)
class _Delivering:
    """One call of :func:`deliver`."""

    destination: StoragePath
    scratch: Path
    expected: Expected
    settings: MediaSettings
    recorded: Mapping[str, Artifact]
    on_progress: Callable[[float], None] | None

    def stored_source(self) -> _Source | None:
        """Bring a source that is in the store already to the local disk; None when there is none to build on."""
        stored = self.destination / SOURCE
        with storage_errors(f"looking for {stored}"):
            if not is_there(stored):
                return None
            require_free_space(self.scratch, stored.stat().st_size)
        local = self.scratch / SOURCE
        digest = fetch(stored, local)
        record = self.recorded.get(SOURCE)
        if record is not None and record.sha256 != digest:
            logger.warning("The stored %s is not the recorded one and is downloaded again", SOURCE)
            return None
        return _Source(local, digest, verified=record is not None)

    def downloaded_source(self, fetch_url: Callable[[], str]) -> _Source:
        """Download the source and publish it as soon as it is whole."""
        require_free_space(self.scratch, RENDER_ROOM)
        local = self.scratch / SOURCE
        try:
            digest = self._download(fetch_url(), local)
        except ExpiredUrlError as error:
            logger.info("Asking for a fresh URL: %s", error.message)
            digest = self._download(fetch_url(), local)
        walk_boxes(local)
        publish(local, self.destination / SOURCE)
        return _Source(local, digest, verified=False)

    def _download(self, url: str, local: Path) -> str:
        limits, allowed = self.settings.limits, self.settings.allowed_private_hosts
        return download(url, local, limits=limits, allowed_private_hosts=allowed).sha256

    def finish(self, source: _Source) -> Delivery:
        """Verify the source, make what is missing, publish it."""
        binaries = find_binaries(self.settings.ffmpeg_path)
        media = inspect(source.local, binaries, self.expected, self.settings)
        kept = {row.name: artifact for row in DELIVERABLES if (artifact := self._kept(row.name))}
        missing = [row for row in DELIVERABLES if row.name not in kept]
        rendered = self._render(media, source, missing, binaries)
        made = {row.name: self._publish(row, rendered, media.info) for row in missing if row.name in rendered.files}
        artifacts = {SOURCE: self._source_artifact(source, media)} | {
            row.name: artifact for row in DELIVERABLES if (artifact := kept.get(row.name) or made.get(row.name))
        }
        return Delivery(artifacts, media.info, [*media.warnings, *rendered.warnings])

    def _kept(self, name: str) -> Artifact | None:
        """The recorded artifact, when its bytes are still in the store."""
        record, path = self.recorded.get(name), self.destination / name
        with storage_errors(f"looking for {path}"):
            return record if record and is_there(path) and sha256_of(path) == record.sha256 else None

    def _render(
        self, media: VerifiedMedia, source: _Source, missing: list[Deliverable], binaries: Binaries
    ) -> Rendered:
        if not missing:
            if not source.verified:
                require_decodable(source.local, binaries, self.settings)
            return Rendered({}, ())
        require_free_space(self.scratch, media.boxes.size + RENDER_ROOM)
        try:
            return render(media, missing, self.scratch, binaries, self.settings, on_progress=self.on_progress)
        except FFmpegError as error:
            if error.returncode is not None and error.returncode > 0:
                # The pass decodes and encodes at once: ask whether it is the source that is damaged.
                require_decodable(source.local, binaries, self.settings)
            raise

    def _publish(self, row: Deliverable, rendered: Rendered, info: MediaInfo) -> Artifact:
        local, path = rendered.files[row.name], self.destination / row.name
        publish(local, path)
        width, height = row.size(info)
        return Artifact(
            name=row.name,
            path=str(path),
            size=local.stat().st_size,
            sha256=sha256_of(local),
            media_type=row.media_type,
            width=width,
            height=height,
            duration=row.duration(info),
        )

    def _source_artifact(self, source: _Source, media: VerifiedMedia) -> Artifact:
        width, height = media.info.display_size
        return Artifact(
            name=SOURCE,
            path=str(self.destination / SOURCE),
            size=media.boxes.size,
            sha256=source.sha256,
            media_type=SOURCE_TYPE,
            width=width,
            height=height,
            duration=media.info.duration,
        )
