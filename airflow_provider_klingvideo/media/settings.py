"""What a user can set; plain values, so that they can be read without loading an HTTP client or ffmpeg."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_klingvideo.storage.objects import MEBIBYTE


@dataclass(frozen=True)
class DownloadLimits:
    """Bounds of one download.

    :param max_bytes: largest file that is accepted, in bytes.
    :param connect_seconds: how long a connection may take.
    :param read_seconds: how long the server may be silent.
    :param total_seconds: how long everything together may take, resumed attempts included.
    :param attempts: how often the transfer is begun or resumed before the download fails.
    :param pause_seconds: pause before the second attempt; it doubles with every further one.
    """

    max_bytes: int = 2048 * MEBIBYTE
    connect_seconds: float = 10
    read_seconds: float = 30
    total_seconds: float = 900
    attempts: int = 5
    pause_seconds: float = 1


@dataclass(frozen=True)
class Expected:
    """What Kling or the request says about the video.

    :param duration: seconds, as Kling reported them; None when unknown.
    :param audio: whether there must be sound; None when either is fine.
    :param size: width and height in pixels as a player shows them; None when unknown.
    """

    duration: float | None = None
    audio: bool | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class MediaSettings:
    """Settings of :func:`~airflow_provider_klingvideo.media.deliver`.

    :param ffmpeg_path: the ffmpeg to use; None looks on PATH, then for the one of ``imageio-ffmpeg``.
    :param limits: bounds of the download.
    :param allowed_private_hosts: ``host`` or ``host:port`` that may be fetched although the address is not public.
    :param threads: threads per ffmpeg, None for as many as it likes; set it on workers that run several tasks.
    :param nice: how far ffmpeg stands back behind other processes, 0 to 19; on Linux only.
    :param ffmpeg_seconds: how long one run of ffmpeg may take.
    :param scratch_dir: folder for temporary files; None uses the system's.
    :param duration_tolerance: seconds by which the video may differ from what Kling reported.
    :param max_pixels: largest width x height that is decoded; the default is 8K.
    """

    ffmpeg_path: str | None = None
    limits: DownloadLimits = field(default_factory=DownloadLimits)
    allowed_private_hosts: frozenset[str] = frozenset()
    threads: int | None = None
    nice: int = 0
    ffmpeg_seconds: float = 1800
    scratch_dir: str | None = None
    duration_tolerance: float = 1.0
    max_pixels: int = 7680 * 4320
