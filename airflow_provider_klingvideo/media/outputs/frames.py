"""Single frames of a stored video, as input for another one."""

from __future__ import annotations

import ffmpeg

from airflow_provider_klingvideo.media.ffmpeg.binaries import find_binaries
from airflow_provider_klingvideo.media.ffmpeg.runner import ffmpeg_command, run_ffmpeg
from airflow_provider_klingvideo.media.ffmpeg.scratch import scratch_folder
from airflow_provider_klingvideo.media.ffmpeg.trust import UNTRUSTED_INPUT, file_argument
from airflow_provider_klingvideo.media.outputs.publishing import fetch
from airflow_provider_klingvideo.media.settings import MediaSettings
from airflow_provider_klingvideo.storage.protocols import StorePath

# Seconds before the end from where on is decoded; the last one that is seen stays.
TAIL_SECONDS = 1.0
QUALITY = {"q:v": 2, "pix_fmt": "yuvj420p"}


def last_frame(video: StorePath, settings: MediaSettings | None = None) -> bytes:
    """Return the last frame of a video as a JPEG, in the video's own size.

    :param video: an MP4, local or in an object store.
    :raises MediaError: it cannot be read or decoded.
    """
    settings = settings or MediaSettings()
    with scratch_folder(settings) as scratch:
        local, target = scratch / "video.mp4", scratch / "frame.jpg"
        fetch(video, local)
        source = ffmpeg.input(file_argument(local), sseof=-TAIL_SECONDS, **UNTRUSTED_INPUT)
        still = ffmpeg.output(source["v:0"], str(target), update=1, format="image2", vcodec="mjpeg", **QUALITY)
        run_ffmpeg(
            ffmpeg.compile(still, cmd=ffmpeg_command(find_binaries(settings.ffmpeg_path).ffmpeg)),
            timeout=settings.ffmpeg_seconds,
            nice=settings.nice,
        )
        return target.read_bytes()
