"""Find ffmpeg and ffprobe, and what they were built with.

The two are found independently: the wheel that brings ffmpeg has no ffprobe.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from airflow_provider_klingvideo.media.errors import FFmpegMissingError

PROBE_SECONDS = 20
# " V....D libwebp_anim  libwebp WebP image", " TS. thumbnail  V->V  Select ..."; in the legend " = " follows the flags.
_LISTED = re.compile(r"^ [A-Z.|]{2,8} +(?!=)(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Features:
    """What an ffmpeg was built with.

    :param encoders: names of its encoders.
    :param filters: names of its filters.
    """

    encoders: frozenset[str]
    filters: frozenset[str]


@dataclass(frozen=True)
class Binaries:
    """The programs to use.

    :param ffmpeg: path of ffmpeg.
    :param ffprobe: path of ffprobe, None where there is none.
    """

    ffmpeg: str
    ffprobe: str | None = None

    @property
    def features(self) -> Features:
        """What ffmpeg was built with; asked once per binary."""
        return _features(self.ffmpeg, Path(self.ffmpeg).stat().st_mtime_ns)


def find_binaries(ffmpeg_path: str | None = None) -> Binaries:
    """Look for ffmpeg: the given path, then PATH, then the binary of ``imageio-ffmpeg``.

    :param ffmpeg_path: an ffmpeg to use instead; an ffprobe beside it is used, too.
    :raises FFmpegMissingError: nothing was found, or the given one does not run.
    """
    if ffmpeg_path:
        return _explicit(ffmpeg_path)
    ffmpeg = shutil.which("ffmpeg") or _packaged()
    if not ffmpeg:
        raise FFmpegMissingError("ffmpeg is neither on PATH nor installed as a Python package")
    return Binaries(ffmpeg, shutil.which("ffprobe"))


def _explicit(ffmpeg_path: str) -> Binaries:
    path = Path(ffmpeg_path).expanduser().absolute()
    try:
        if not _output(str(path), "-version").startswith("ffmpeg version"):
            raise FFmpegMissingError(f"{path} is no ffmpeg")
    except (OSError, subprocess.SubprocessError) as error:
        raise FFmpegMissingError(f"{path} does not run: {error}") from error
    return Binaries(str(path), shutil.which(str(path.with_name("ffprobe"))) or shutil.which("ffprobe"))


def _packaged() -> str | None:
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


@lru_cache(maxsize=16)
def _features(ffmpeg: str, _modified: int) -> Features:
    try:
        encoders, filters = (_output(ffmpeg, "-hide_banner", what) for what in ("-encoders", "-filters"))
    except (OSError, subprocess.SubprocessError) as error:
        raise FFmpegMissingError(f"{ffmpeg} does not run: {error}") from error
    return Features(frozenset(_LISTED.findall(encoders)), frozenset(_LISTED.findall(filters)))


def _output(*argv: str) -> str:
    return subprocess.run(  # noqa: S603
        argv,
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=PROBE_SECONDS,
    ).stdout
