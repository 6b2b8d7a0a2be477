"""The demonstration's folder: only what a demonstration wrote is deleted, and only one uses a folder at a time."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_klingvideo.demo.processes import DemoError

MARKER = ".klingvideo-demo"
FOLDERS = ("dags", "videos", "airflow")
LOGS = ("airflow.log", "sandbox.log")


@contextmanager
def demo_folder(folder: Path) -> Iterator[Path]:
    """Make a folder ready; what an earlier demonstration wrote into it goes, everything else stays.

    :param folder: one that is not there yet, or is empty, or was made by a demonstration.
    :raises DemoError: it is another one, or another demonstration is using it; nothing in it was touched then.
    """
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise DemoError(f"{folder} is not a folder.", advice="Choose another one with --folder")
    if folder.is_dir() and not marker.exists() and any(folder.iterdir()):
        advice = "Nothing in it was touched. Choose a new folder with --folder, or delete this one yourself"
        raise DemoError(f"{folder} has files in it that no demo of this version has made.", advice=advice)
    folder.mkdir(parents=True, exist_ok=True)
    with marker.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            advice = "End it, or choose another folder with --folder"
            raise DemoError(f"Another demo is using {folder}.", advice=advice) from None
        held.write("Made by `klingvideo demo`, which deletes what it wrote here before when it starts again.\n")
        held.flush()
        _clear(folder)
        yield folder


def _clear(folder: Path) -> None:
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    for name in LOGS:
        (folder / name).unlink(missing_ok=True)
