"""Decide whether a file is the whole video that was ordered.

Three gates, the cheap ones first: boxes, streams against expectations, and a decode of everything. The decode can be
part of the render pass (:mod:`~airflow_provider_klingvideo.media.outputs.render`), so that nothing is decoded twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from airflow_provider_klingvideo.media.errors import FFmpegError, VerificationError
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.ffmpeg.graphs import decode_everything, open_source
from airflow_provider_klingvideo.media.ffmpeg.runner import ffmpeg_command, run_ffmpeg
from airflow_provider_klingvideo.media.inspect.boxes import Boxes, walk_boxes
from airflow_provider_klingvideo.media.inspect.probing import MediaInfo, probe
from airflow_provider_klingvideo.media.inspect.tracks import ENCRYPTED, tracks_at
from airflow_provider_klingvideo.media.settings import Expected, MediaSettings


@dataclass(frozen=True)
class VerifiedMedia:
    """A file that passed the gates before decoding.

    :param path: the local file.
    :param boxes: its top level.
    :param info: its streams.
    :param warnings: what is not as expected and still no reason to refuse it.
    """

    path: Path
    boxes: Boxes
    info: MediaInfo
    warnings: tuple[str, ...]


def inspect(path: Path, binaries: Binaries, expected: Expected, settings: MediaSettings) -> VerifiedMedia:
    """Pass a file through the gates that need no decoding.

    :raises VerificationError: truncated, encrypted, no video, larger than ``settings.max_pixels``, or another
        duration than expected.
    """
    boxes = walk_boxes(path)
    _require_open(path)
    info = probe(path, binaries)
    _require_decodable_size(info, settings.max_pixels)
    _require_duration(info, expected, settings.duration_tolerance)
    return VerifiedMedia(path, boxes, info, tuple(_sound_warnings(info, expected)))


def require_decodable(path: Path, binaries: Binaries, settings: MediaSettings) -> None:
    """Decode every picture and sound of a file and write nothing.

    :raises VerificationError: at the first damaged one, with ffmpeg's words.
    :raises FFmpegError: ffmpeg was ended before it could tell.
    """
    require_whole(decode_everything(open_source(path, settings.threads)), path.name, binaries, settings)


def require_whole(output: Any, name: str, binaries: Binaries, settings: MediaSettings) -> None:
    """Run an output that decodes a file and writes nothing.

    :param output: node of ffmpeg-python.
    :param name: of the file, for the error.
    :raises VerificationError: at the first damaged part, with ffmpeg's words.
    :raises FFmpegError: ffmpeg was ended before it could tell.
    """
    argv = ffmpeg.compile(output, cmd=ffmpeg_command(binaries.ffmpeg))
    try:
        run_ffmpeg(argv, timeout=settings.ffmpeg_seconds, nice=settings.nice)
    except FFmpegError as error:
        if error.inconclusive:
            raise
        raise VerificationError(f"{name} does not decode: {error.message}") from error


def _require_open(path: Path) -> None:
    encrypted = [number for number, track in enumerate(tracks_at(path)) if track.coding in ENCRYPTED]
    if encrypted:
        raise VerificationError(f"Stream {encrypted[0]} is encrypted: nobody can decode it without its key")


def _require_decodable_size(info: MediaInfo, max_pixels: int) -> None:
    pixels = info.width * info.height
    if not 0 < pixels <= max_pixels:
        raise VerificationError(f"A picture of {info.width}x{info.height} is not decoded (limit: {max_pixels} pixels)")


def _require_duration(info: MediaInfo, expected: Expected, tolerance: float) -> None:
    if info.duration <= 0:
        raise VerificationError("The video has no duration")
    if expected.duration is not None and abs(info.duration - expected.duration) > tolerance:
        raise VerificationError(
            f"The video lasts {info.duration:.2f} s, but Kling reported {expected.duration:.2f} s "
            f"(tolerance: {tolerance:g} s)"
        )


def _sound_warnings(info: MediaInfo, expected: Expected) -> list[str]:
    """Missing sound is for the gates to judge."""
    return ["The video has unexpected sound"] if expected.audio is False and info.audio_codec else []
