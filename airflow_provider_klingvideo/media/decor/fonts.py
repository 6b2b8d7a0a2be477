"""A font to draw texts with, where none is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.media.errors import SHORTAGES, FilmError
from airflow_provider_klingvideo.storage.objects import storage_errors

FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "/System/Library/Fonts", "C:/Windows/Fonts")
FAVOURITE = "DejaVuSans.ttf"


@lru_cache
def default_font() -> Path:
    """Return a TrueType font of this machine.

    :raises FilmError: when it has none.
    :raises StorageError: the folders of fonts could not be read now.
    """
    folders = [folder for name in FOLDERS if (folder := Path(name).expanduser()).is_dir()]
    with storage_errors("looking for a font"):
        fonts = sorted((font for folder in folders for font in _fonts_in(folder)), key=lambda font: str(font))
    if not fonts:
        raise FilmError(
            Fault("fontfile", "There is no TrueType font to draw text with", "a font of this machine, or a file"),
            advice="Install one (apt-get install fonts-dejavu-core), or name a file as fontfile",
        )
    return next((font for font in fonts if font.name == FAVOURITE), fonts[0])


def _fonts_in(folder: Path) -> Iterator[Path]:
    for path, _, names in os.walk(folder, onerror=_tell_shortage):
        yield from (Path(path, name) for name in names if name.endswith(".ttf"))


def _tell_shortage(error: OSError) -> None:
    """Leave out a folder that may not be read; one that cannot be read now can hold fonts."""
    if error.errno in SHORTAGES:
        raise error
