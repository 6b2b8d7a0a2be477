"""Files that a plan names: logos, fonts, subtitles, music, voices. Fetched once, known by their checksums."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from airflow_provider_klingvideo.errors import Fault, KlingVideoError, quoted
from airflow_provider_klingvideo.media.decor.decoration import Decoration
from airflow_provider_klingvideo.media.decor.proving import Proof, Tools, Use, uses_of
from airflow_provider_klingvideo.media.errors import (
    FFmpegError,
    FFmpegMissingError,
    FilmError,
    MediaError,
    PlanError,
)
from airflow_provider_klingvideo.media.ffmpeg.binaries import find_binaries
from airflow_provider_klingvideo.media.ffmpeg.scratch import scratch_folder
from airflow_provider_klingvideo.media.outputs.plan import Output, RenderPlan
from airflow_provider_klingvideo.media.outputs.publishing import fetch
from airflow_provider_klingvideo.media.settings import MediaSettings
from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.objects import require_free_space, storage_errors
from airflow_provider_klingvideo.storage.protocols import StorePath, is_there

READABLE = "a file that the worker can read"
ADVICE = "Correct the named files or fields of the render plan, then run the task again"
D = TypeVar("D", bound=Decoration)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """A file on the local disk.

    :param local: where it lies.
    :param sha256: hexadecimal digits.
    """

    local: Path
    sha256: str


def bounded_size(path: StorePath, settings: MediaSettings, where: str | None = None) -> int:
    """Return the bytes of a file.

    :param where: what a person calls it; default: its path.

    :raises FilmError: there is no such file, or they are more than may be fetched.
    :raises StorageError: it cannot be looked at.
    """
    largest, where = settings.limits.max_bytes, where or quoted(str(path))
    with storage_errors(f"looking for {path}"):
        if not is_there(path):
            raise FilmError(Fault(where, "there is no such file", READABLE))
        size = int(path.stat().st_size)
    if size > largest:
        raise FilmError(Fault(where, f"has {size} bytes", f"at most {largest}, see max_bytes"))
    return size


def fetch_material(path: StorePath, folder: Path) -> Material:
    """Copy a file to the local disk.

    :raises StorageError: it cannot be read, or there is no room.
    """
    local = folder / f"file-{uuid4().hex[:8]}"
    return Material(sha256=fetch(path, local), local=local)


class Materials:
    """The files of some decorations, fetched once each and proved to be what they are used as.

    :param uses: what the files are used as.
    :param open_path: turns the names of files into paths.
    :param folder: where the files are put.
    :param tools: what proves the files.
    :raises FFmpegError: ffmpeg was ended before it could tell.
    """

    def __init__(self, uses: Iterable[Use], open_path: Callable[[str], StorePath], folder: Path, tools: Tools) -> None:
        self._open_path, self._folder, self._tools = open_path, folder, tools
        self._found: dict[str, Material] = {}
        self._faults: dict[tuple[str, Proof], KlingVideoError] = {}
        self._judged: set[tuple[str, Proof]] = set()
        for use in uses:
            if (use.name, use.proof) not in self._judged:
                self._judged.add((use.name, use.proof))
                self._judge(use)

    def _judge(self, use: Use) -> None:
        try:
            use.prove(self._fetched(use).local, self._tools)
        except (MediaError, StorageError) as error:
            if isinstance(error, FFmpegError) and error.ended:
                raise
            self._faults[use.name, use.proof] = error

    def _fetched(self, use: Use) -> Material:
        if use.name not in self._found:
            try:
                path = self._open_path(use.name)
                require_free_space(self._folder, bounded_size(path, self._tools.settings, use.called))
                self._found[use.name] = fetch_material(path, self._folder)
            except (MediaError, StorageError):
                raise
            except Exception as error:  # clients of stores raise what they like
                raise StorageError(f"{use.called} cannot be read: {type(error).__name__}: {error}") from error
        return self._found[use.name]

    @property
    def faults(self) -> list[KlingVideoError]:
        """Why files cannot be had, or cannot be used."""
        return list(self._faults.values())

    def fault(self, decoration: Decoration) -> KlingVideoError | None:
        """Why a file of a decoration cannot be had, or cannot be used."""
        keys = [(use.name, use.proof) for use in uses_of(decoration)]
        return next((self._faults[key] for key in keys if key in self._faults), None)

    def local(self, decoration: D) -> D:
        """A decoration that has no fault, with its files on the local disk."""
        return decoration.with_files({name: str(one.local) for name, one in self._found.items()})

    def fingerprint(self, output: Output) -> str:
        """The same for outputs that have no fault and the same content, wherever their files lie."""
        return output.with_files({name: one.sha256 for name, one in self._found.items()}).fingerprint


def uses_in(plan: RenderPlan) -> list[Use]:
    """Every use of a file by a plan."""
    return [use for number, one in enumerate(plan.outputs) for use in uses_of(one, f"outputs.{number}.")]


def require_usable_files(plan: RenderPlan, open_path: Callable[[str], StorePath], settings: MediaSettings) -> None:
    """Prove that every file which a plan names can be used; before a video is ordered.

    Where this machine has no ffmpeg, only what the bytes of the files tell is checked.

    :param open_path: turns the names of files into paths.
    :raises PlanError: naming every file that cannot be used; retryable where that may pass.
    :raises FFmpegError: ffmpeg was ended before it could tell.
    """
    uses = uses_in(plan)
    if not uses:
        return
    with scratch_folder(settings) as folder:
        faults = Materials(uses, open_path, folder, _tools(settings)).faults
    if faults:
        told = [fault for error in faults for fault in error.faults or (Fault("plan", error.message, READABLE),)]
        raise PlanError(told, retryable=all(error.retryable for error in faults), advice=ADVICE)


def _tools(settings: MediaSettings) -> Tools:
    try:
        return Tools(find_binaries(settings.ffmpeg_path), settings)
    except FFmpegMissingError as error:
        logger.warning("The files of the render plan are not decoded before the order: %s", error.message)
        return Tools(None, settings)
