"""A font to draw texts with, where none is named."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from airflow_provider_klingvideo.media.errors import FilmError

FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "/System/Library/Fonts", "C:/Windows/Fonts")
FAVOURITE = "DejaVuSans.ttf"


@lru_cache
def default_font() -> Path:
    """Return a TrueType font of this machine.

    :raises FilmError: when it has none.
    """
    folders = [folder for name in FOLDERS if (folder := Path(name).expanduser()).is_dir()]
    fonts = sorted((font for folder in folders for font in folder.rglob("*.ttf")), key=lambda font: str(font))
    if not fonts:
        raise FilmError(
            "There is no TrueType font to draw text with",
            advice="Install one (apt-get install fonts-dejavu-core), or name a file as fontfile",
        )
    return next((font for font in fonts if font.name == FAVOURITE), fonts[0])
