"""Files that a plan names: logos, fonts, subtitles, music, voices. Fetched once, known by their checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.media.errors import FilmError, MediaError
from airflow_provider_klingvideo.media.outputs.plan import Output
from airflow_provider_klingvideo.media.outputs.publishing import fetch
from airflow_provider_klingvideo.media.settings import MediaSettings
from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.objects import require_free_space, storage_errors
from airflow_provider_klingvideo.storage.protocols import StorePath


@dataclass(frozen=True)
class Material:
    """A file on the local disk.

    :param local: where it lies.
    :param sha256: hexadecimal digits.
    """

    local: Path
    sha256: str


def bounded_size(path: StorePath, settings: MediaSettings) -> int:
    """Return the bytes of a file.

    :raises FilmError: they are more than may be fetched.
    :raises StorageError: it cannot be looked at.
    """
    largest = settings.limits.max_bytes
    with storage_errors(f"looking for {path}"):
        size = int(path.stat().st_size)
    if size > largest:
        raise FilmError(f"{path} is larger than {largest} bytes")
    return size


def fetch_material(path: StorePath, folder: Path) -> Material:
    """Copy a file to the local disk.

    :raises StorageError: it cannot be read, or there is no room.
    """
    local = folder / f"file-{uuid4().hex[:8]}"
    return Material(sha256=fetch(path, local), local=local)


class Materials:
    """The files of some outputs.

    :param outputs: all that may be asked for.
    :param open_path: turns the names of files into paths.
    :param folder: where the files are put.
    """

    def __init__(
        self,
        outputs: Iterable[Output],
        open_path: Callable[[str], StorePath],
        folder: Path,
        settings: MediaSettings,
    ) -> None:
        self._found: dict[str, Material] = {}
        self._faults: dict[str, KlingVideoError] = {}
        for name in dict.fromkeys(name for output in outputs for name in output.files):
            try:
                path = open_path(name)
                require_free_space(folder, bounded_size(path, settings))
                self._found[name] = fetch_material(path, folder)
            except (MediaError, StorageError) as error:
                self._faults[name] = error
            except Exception as error:  # noqa: BLE001 - clients of stores raise what they like
                self._faults[name] = StorageError(f"{name} cannot be read: {type(error).__name__}: {error}")

    def fault(self, output: Output) -> KlingVideoError | None:
        """Why a file of an output cannot be had."""
        return next((self._faults[name] for name in output.files if name in self._faults), None)

    def local(self, output: Output) -> Output:
        """An output that has no fault, with its files on the local disk."""
        return output.with_files({name: str(one.local) for name, one in self._found.items()})

    def fingerprint(self, output: Output) -> str:
        """The same for outputs that have no fault and the same content, wherever their files lie."""
        return output.with_files({name: one.sha256 for name, one in self._found.items()}).fingerprint
