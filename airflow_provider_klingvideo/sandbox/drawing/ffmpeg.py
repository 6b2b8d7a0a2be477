"""Finds what clips are drawn with: ffmpeg and a font."""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from airflow_provider_klingvideo.errors import KlingVideoError

log = logging.getLogger(__name__)

_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "/System/Library/Fonts", "C:/Windows/Fonts")
_FAVOURITE = "DejaVuSans.ttf"
_RENDER_SECONDS = 300


class SandboxMediaError(KlingVideoError):
    """A clip of the sandbox could not be drawn."""

    kind = "sandbox_media"
    default_advice = "Install the extra airflow-provider-klingvideo[ffmpeg], or name an ffmpeg in the settings"


def find_ffmpeg(chosen: Path | None) -> str:
    """The ffmpeg to use: the chosen one, the one on PATH, the one in the ``imageio-ffmpeg`` wheel.

    :raises SandboxMediaError: when there is none.
    """
    if chosen is not None:
        if found := shutil.which(chosen):
            return found
        raise SandboxMediaError(f"There is no ffmpeg at {chosen}")
    if found := shutil.which("ffmpeg"):
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise SandboxMediaError("No ffmpeg was found") from error


def make_file(ffmpeg: str, arguments: Callable[[Path], list[str]], target: Path) -> None:
    """Let ffmpeg make a file, which appears whole or not at all.

    :param arguments: what ffmpeg is told before the name of its output, given the folder that it works in.
    :raises SandboxMediaError: when it failed.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        workplace = Path(folder)
        made = workplace / f"made{target.suffix}"
        done = subprocess.run(  # noqa: S603 - no text of a caller without its flag, no shell
            [ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *arguments(workplace), made.name],
            cwd=workplace,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_RENDER_SECONDS,
        )
        if done.returncode != 0 or not made.is_file():
            said = done.stderr.decode(errors="replace").strip()[-500:]
            raise SandboxMediaError(f"ffmpeg could not make {target.name}: {said}")
        made.replace(target)


@lru_cache
def draws_text(ffmpeg: str) -> bool:
    """Whether this ffmpeg was built with the drawtext filter."""
    arguments = [ffmpeg, "-hide_banner", "-filters"]
    listed = subprocess.run(arguments, capture_output=True, check=False, timeout=30)  # noqa: S603 - found by us
    return b" drawtext " in listed.stdout


@lru_cache
def find_font() -> Path | None:
    """A TrueType font, or none, with a line in the log that says so."""
    if matcher := shutil.which("fc-match"):
        answer = subprocess.run(  # noqa: S603 - a fixed command
            [matcher, "--format=%{file}", "sans:fontformat=TrueType"],
            capture_output=True,
            check=False,
            text=True,
            timeout=30,
        )
        if answer.stdout.endswith(".ttf") and Path(answer.stdout).is_file():
            return Path(answer.stdout)
    folders = [Path(folder).expanduser() for folder in _FONT_FOLDERS]
    fonts = sorted(font for folder in folders if folder.is_dir() for font in folder.rglob("*.ttf"))
    favourites = [font for font in fonts if font.name == _FAVOURITE]
    for font in favourites + fonts:
        return font
    log.warning("SANDBOX: no TrueType font was found, so no text is drawn into the clips")
    return None
