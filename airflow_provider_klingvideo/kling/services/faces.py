"""Faces in a video, which lip-sync needs to know (kling-api section 7.2). Each look costs money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.reading import list_of, text_of, whole_number

SESSION_LIFETIME = timedelta(hours=23)
"""A session lasts 24 hours at Kling (kling-api section 7.2); the last one is left for what is ordered with it."""


@dataclass(frozen=True)
class Face:
    """A face in a video.

    :param id: names it in a lip-sync request.
    :param start_ms: when it is first seen, in milliseconds.
    :param end_ms: when it is last seen.
    """

    id: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class FacesInVideo:
    """What was found in a video.

    :param session_id: names the video in a lip-sync request, for 24 hours.
    :param faces: the faces.
    """

    session_id: str
    faces: tuple[Face, ...]


def identify_faces(*, video_url: str | None = None, video_id: str | None = None) -> Operation[FacesInVideo]:
    """Look for faces in a video of 2 to 60 seconds, given by its URL or by Kling's id. It costs money."""
    source = video_source(video_url, video_id)
    return Operation(
        "POST",
        "/v1/videos/identify-face",
        read_faces,
        json=source,
        is_create=True,
        what="identify_faces",
        lifetime=SESSION_LIFETIME,
    )


def video_source(video_url: str | None, video_id: str | None) -> dict[str, str | None]:
    """Name a video by its URL or by Kling's id (kling-api section 7.2).

    :raises InvalidRequestError: unless exactly one is given.
    """
    if bool(video_url) == bool(video_id):
        raise InvalidRequestError(Fault("video_url or video_id", "none is given, or both", "exactly one of them"))
    return {"video_url": video_url} if video_url else {"video_id": video_id}


def read_faces(data: Any) -> FacesInVideo:
    """Read the answer.

    :raises ValueError: when it names no session.
    """
    session_id = text_of(data.get("session_id")) if isinstance(data, Mapping) else ""
    if not session_id:
        raise ValueError("the answer names no session")
    faces = (
        Face(text_of(one.get("face_id")), whole_number(one.get("start_time")), whole_number(one.get("end_time")))
        for one in list_of(data.get("face_data"))
    )
    return FacesInVideo(session_id, tuple(face for face in faces if face.id))
