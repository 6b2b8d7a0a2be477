"""Find ffmpeg and ffprobe, and what they were built with.

The two are found independently: the wheel that brings ffmpeg has no ffprobe.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from airflow_provider_klingvideo.media.errors import FFmpegMissingError
from airflow_provider_klingvideo.media.ffmpeg.faults import not_started, probe_failed
from airflow_provider_klingvideo.media.ffmpeg.runner import run

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
        """What ffmpeg was built with; asked once per binary, and again after an answer that did not come.

        :raises FFmpegMissingError: it does not run here.
        :raises FFmpegError: it could not be asked now.
        """
        try:
            modified = Path(self.ffmpeg).stat().st_mtime_ns
        except OSError as error:
            raise not_started([self.ffmpeg], error.errno) from error
        return _features(self.ffmpeg, modified)


def find_binaries(ffmpeg_path: str | None = None) -> Binaries:
    """Look for ffmpeg: the given path, then PATH, then the binary of ``imageio-ffmpeg``.

    :param ffmpeg_path: an ffmpeg to use instead; an ffprobe beside it is used, too.
    :raises FFmpegMissingError: nothing was found, or the given one does not run here.
    :raises FFmpegError: the given one could not be asked now.
    """
    if ffmpeg_path:
        return _explicit(ffmpeg_path)
    ffmpeg = shutil.which("ffmpeg") or _packaged()
    if not ffmpeg:
        raise FFmpegMissingError("ffmpeg is neither on PATH nor installed as a Python package")
    return Binaries(ffmpeg, shutil.which("ffprobe"))


def _explicit(ffmpeg_path: str) -> Binaries:
    path = Path(ffmpeg_path).expanduser().absolute()
    if not _output(str(path), "-version").startswith("ffmpeg version"):
        raise FFmpegMissingError(f"{path} is not ffmpeg")
    return Binaries(str(path), shutil.which(str(path.with_name("ffprobe"))) or shutil.which("ffprobe"))


def _packaged() -> str | None:
    try:
        import imageio_ffmpeg

        return os.environ.get("IMAGEIO_FFMPEG_EXE") or _shipped(imageio_ffmpeg) or str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None
    except OSError as error:
        raise not_started(["imageio-ffmpeg"], error.errno) from error


def _shipped(package: ModuleType) -> str | None:
    """Look into the package by ourselves.

    Its own search starts the binary: where that fails for a moment it takes the package for an empty one, and
    remembers that.
    """
    folder = Path(str(package.__file__)).parent / "binaries"
    files = folder.iterdir() if folder.is_dir() else ()
    return next((str(file) for file in files if file.name.startswith("ffmpeg-") and os.access(file, os.X_OK)), None)


@lru_cache(maxsize=16)
def _features(ffmpeg: str, _modified: int) -> Features:
    encoders, filters = (_output(ffmpeg, "-hide_banner", what) for what in ("-encoders", "-filters"))
    return Features(frozenset(_LISTED.findall(encoders)), frozenset(_LISTED.findall(filters)))


def _output(*argv: str) -> str:
    lines: list[str] = []
    finished = run(argv, timeout=PROBE_SECONDS, on_line=lines.append)
    if finished.returncode:
        raise probe_failed(argv, finished.returncode, finished.stderr)
    return "\n".join(lines)
