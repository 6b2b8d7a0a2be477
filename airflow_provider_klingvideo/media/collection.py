"""From a finished task's pictures, sounds and subtitles to published files: stored as they come, once each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ffmpeg

from airflow_provider_klingvideo.media.errors import ExpiredUrlError, VerificationError
from airflow_provider_klingvideo.media.fetch.transfer import Download, download
from airflow_provider_klingvideo.media.ffmpeg.binaries import find_binaries
from airflow_provider_klingvideo.media.ffmpeg.scratch import scratch_folder
from airflow_provider_klingvideo.media.ffmpeg.trust import file_argument
from airflow_provider_klingvideo.media.inspect.boxes import walk_boxes
from airflow_provider_klingvideo.media.inspect.filetypes import FileType, picture_size, type_at
from airflow_provider_klingvideo.media.inspect.texts import decoded
from airflow_provider_klingvideo.media.inspect.verify import require_whole
from airflow_provider_klingvideo.media.outputs.artifacts import Artifact, recorded_in
from airflow_provider_klingvideo.media.outputs.publishing import publish, sha256_of
from airflow_provider_klingvideo.media.settings import MediaSettings
from airflow_provider_klingvideo.storage.names import inside
from airflow_provider_klingvideo.storage.objects import storage_errors
from airflow_provider_klingvideo.storage.protocols import StorePath, is_there

TEXTS = frozenset({"srt", "ass"})

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResultFile:
    """A file that Kling offers.

    :param stem: its name here, without the extension, which follows from what it is.
    :param extensions: what it may be, by extension.
    :param fetch_url: asks Kling for a signed URL.
    :param duration: seconds, as Kling states them; None for stills and texts.
    """

    stem: str
    extensions: tuple[str, ...]
    fetch_url: Callable[[], str]
    duration: float | None = None


def collect(
    files: Sequence[ResultFile],
    destination: StorePath,
    *,
    settings: MediaSettings | None = None,
    recorded: Mapping[str, Artifact] | None = None,
) -> dict[str, Artifact]:
    """Download, verify and store files; what is stored and whole already is kept.

    :param files: what Kling offers.
    :param destination: folder of the files, local or in an object store.
    :param settings: default :class:`MediaSettings`.
    :param recorded: artifacts of an earlier collection, by name.
    :returns: the artifacts by name.
    :raises MediaError: download or verification failed; what ``fetch_url`` raises passes through.
    :raises StorageError: the store refused, or a name leads out of the folder.
    """
    settings, recorded = settings or MediaSettings(), recorded_in(destination, recorded or {})
    artifacts: dict[str, Artifact] = {}
    with scratch_folder(settings) as scratch:
        for file in files:
            artifact = _kept(file, destination, recorded) or _collected(file, destination, scratch, settings)
            artifacts[artifact.name] = artifact
    return artifacts


def _kept(file: ResultFile, destination: StorePath, recorded: Mapping[str, Artifact]) -> Artifact | None:
    names = [f"{file.stem}.{extension}" for extension in file.extensions]
    record = next((recorded[name] for name in names if name in recorded), None)
    if record is None:
        return None
    path = record.file_in(destination)
    with storage_errors(f"looking for {path}"):
        return record if is_there(path) and sha256_of(path) == record.sha256 else None


def _collected(file: ResultFile, destination: StorePath, scratch: Path, settings: MediaSettings) -> Artifact:
    local = inside(scratch, file.stem)
    try:
        loaded = _download(file, local, settings)
    except ExpiredUrlError as error:
        logger.info("Asking for a fresh URL: %s", error.message)
        loaded = _download(file, local, settings)
    found = _verified(file, local, settings)
    name = f"{file.stem}.{found.extension}"
    width, height = (found.family == "image" and picture_size(local.read_bytes())) or (None, None)
    path = inside(destination, name)
    publish(local, path)
    return Artifact(
        name=name,
        path=str(path),
        size=loaded.size,
        sha256=loaded.sha256,
        media_type=found.media_type,
        width=width,
        height=height,
        duration=file.duration,
    )


def _download(file: ResultFile, local: Path, settings: MediaSettings) -> Download:
    return download(
        file.fetch_url(),
        local,
        limits=settings.limits,
        allowed_private_hosts=settings.allowed_private_hosts,
        extensions=file.extensions,
    )


def _verified(file: ResultFile, local: Path, settings: MediaSettings) -> FileType:
    if TEXTS.issuperset(file.extensions):
        _require_text(local)
    found = type_at(local, file.extensions)
    if found.demuxer == "mov":
        walk_boxes(local)
    if found.demuxer is not None:
        _require_decodable(local, found, settings)
    return found


def _require_text(local: Path) -> None:
    try:
        decoded(local.read_bytes())
    except UnicodeDecodeError as error:
        raise VerificationError(f"{local.name} is no text in UTF-8 or UTF-16: {error.reason}") from error


def _require_decodable(local: Path, found: FileType, settings: MediaSettings) -> None:
    source = ffmpeg.input(file_argument(local), **found.input_options)
    output = ffmpeg.output(source, "-", format="null")
    require_whole(output, local.name, find_binaries(settings.ffmpeg_path), settings)
