"""Download, verification, rendering and publishing of videos; knows no Airflow.

The names are loaded when they are first used, so that DAG files which import the provider stay quick to parse. No
module here has the name of a function: loading it would put the module in the function's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klingvideo._lazy import lazily

if TYPE_CHECKING:
    from airflow_provider_klingvideo.media.artifacts import Artifact, ArtifactPart, Delivery
    from airflow_provider_klingvideo.media.binaries import find_binaries
    from airflow_provider_klingvideo.media.collection import ResultFile, collect
    from airflow_provider_klingvideo.media.delivery import deliver
    from airflow_provider_klingvideo.media.errors import (
        DeliveryError,
        DownloadError,
        ExpiredUrlError,
        FFmpegError,
        FFmpegMissingError,
        FilmError,
        GateError,
        MediaError,
        OutputError,
        PlanError,
        StorageError,
        VerificationError,
    )
    from airflow_provider_klingvideo.media.fetching import require_reachable
    from airflow_provider_klingvideo.media.filetypes import FileType, file_type, picture_size
    from airflow_provider_klingvideo.media.film import Clip, Film, assemble
    from airflow_provider_klingvideo.media.film_plan import FilmPlan
    from airflow_provider_klingvideo.media.findings import Findings
    from airflow_provider_klingvideo.media.frames import last_frame
    from airflow_provider_klingvideo.media.gates import GateResult
    from airflow_provider_klingvideo.media.paths import is_there, remove
    from airflow_provider_klingvideo.media.plan import Gates, Output, RenderPlan, Trim
    from airflow_provider_klingvideo.media.probing import MediaInfo, probe
    from airflow_provider_klingvideo.media.publishing import part_name, publish, remove_parts, sha256_of
    from airflow_provider_klingvideo.media.runner import terminate_all
    from airflow_provider_klingvideo.media.settings import DownloadLimits, Expected, MediaSettings
    from airflow_provider_klingvideo.media.transfer import download

_HOMES = {
    "artifacts": ("Artifact", "ArtifactPart", "Delivery"),
    "binaries": ("find_binaries",),
    "collection": ("ResultFile", "collect"),
    "delivery": ("deliver",),
    "fetching": ("require_reachable",),
    "filetypes": ("FileType", "file_type", "picture_size"),
    "findings": ("Findings",),
    "film": ("Clip", "Film", "assemble"),
    "film_plan": ("FilmPlan",),
    "frames": ("last_frame",),
    "gates": ("GateResult",),
    "transfer": ("download",),
    "errors": (
        "DeliveryError",
        "DownloadError",
        "ExpiredUrlError",
        "FFmpegError",
        "FFmpegMissingError",
        "FilmError",
        "GateError",
        "MediaError",
        "OutputError",
        "PlanError",
        "StorageError",
        "VerificationError",
    ),
    "paths": ("is_there", "remove"),
    "plan": ("Gates", "Output", "RenderPlan", "Trim"),
    "probing": ("MediaInfo", "probe"),
    "publishing": ("part_name", "publish", "remove_parts", "sha256_of"),
    "runner": ("terminate_all",),
    "settings": ("DownloadLimits", "Expected", "MediaSettings"),
}
__all__ = [
    "Artifact",
    "ArtifactPart",
    "Clip",
    "Delivery",
    "DeliveryError",
    "DownloadError",
    "DownloadLimits",
    "Expected",
    "ExpiredUrlError",
    "FFmpegError",
    "FFmpegMissingError",
    "FileType",
    "Film",
    "FilmError",
    "FilmPlan",
    "Findings",
    "GateError",
    "GateResult",
    "Gates",
    "MediaError",
    "MediaInfo",
    "MediaSettings",
    "Output",
    "OutputError",
    "PlanError",
    "RenderPlan",
    "ResultFile",
    "StorageError",
    "Trim",
    "VerificationError",
    "assemble",
    "collect",
    "deliver",
    "download",
    "file_type",
    "find_binaries",
    "is_there",
    "last_frame",
    "part_name",
    "picture_size",
    "probe",
    "publish",
    "remove",
    "remove_parts",
    "require_reachable",
    "sha256_of",
    "terminate_all",
]


__getattr__ = lazily(__name__, _HOMES)
