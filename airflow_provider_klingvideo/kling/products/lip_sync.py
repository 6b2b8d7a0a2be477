"""A face in a video speaks what a sound says (kling-api section 7.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault, Money
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.products.base import (
    Product,
    Route,
    Sound,
    Video,
    WatermarkedRequest,
    common_options,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import exactly_one, one_of_two, ranged
from airflow_provider_klingvideo.kling.services.faces import identify_faces, read_faces
from airflow_provider_klingvideo.kling.wire.operation import Operation

# kling-api section 7.2.
SHORTEST_SOUND_MS = 2000
# kling-api section 14.
STEP_SECONDS = 5


class LipSyncRequest(WatermarkedRequest):
    """A face in a video speaks what a sound says.

    The faces of the video are looked for once, which costs money, unless ``session_id`` and ``face_id`` name one that
    is known.

    :param video: the video, 2 to 60 seconds; or
    :param video_id: Kling's id of one that it made; or
    :param session_id: of a call of ``identify_faces``, at most 24 hours ago; with
    :param face_id: the face; None: the first one that was found.
    :param audio_id: a speech that Kling made, see ``speak``; or
    :param sound: a sound of 2 to 60 seconds.
    :param sound_start_ms: from where on in the sound, in milliseconds.
    :param sound_end_ms: until where, at least 2000 later.
    :param insert_at_ms: where in the video it begins.
    :param sound_volume: 0 to 2.
    :param original_volume: of the video's own sound, 0 to 2.
    """

    kind: Literal["lip_sync"] = "lip_sync"
    video: Video | None = None
    video_id: str | None = None
    session_id: str | None = None
    face_id: str | None = None
    audio_id: str | None = None
    sound: Sound | None = None
    sound_start_ms: int = 0
    sound_end_ms: int
    insert_at_ms: int = 0
    sound_volume: float = 1
    original_volume: float = 1


def _source(request: LipSyncRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.2."""
    if not request.session_id and bool(request.video) == bool(request.video_id):
        yield one_of_two("video", "video_id", "session_id")
    if request.session_id and not request.face_id:
        yield Fault("face_id", "is missing", "needed with a session_id")


def _times(request: LipSyncRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.2."""
    if min(request.sound_start_ms, request.insert_at_ms) < 0:
        yield Fault("sound_start_ms", "this or insert_at_ms is below 0", "0 or more")
    if request.sound_end_ms - request.sound_start_ms < SHORTEST_SOUND_MS:
        legal = f"at least {SHORTEST_SOUND_MS} ms after sound_start_ms ({request.sound_start_ms})"
        yield Fault("sound_end_ms", f"{request.sound_end_ms} is too early", legal)


def _read_fields(data: Any) -> Mapping[str, Any]:
    found = read_faces(data)
    if not found.faces:
        # The look is paid, whatever it finds (kling-api section 14).
        fault = Fault("video", "no face was found in it", "a video in which a face can be seen")
        raise InvalidRequestError(fault, money=Money.BILLED, advice="Give a video in which a face can be seen")
    return {"session_id": found.session_id, "face_id": found.faces[0].id}


def _preparation(request: LipSyncRequest) -> Operation[Mapping[str, Any]] | None:
    if request.session_id:
        return None
    look = identify_faces(video_url=request.video, video_id=request.video_id)
    return Operation(
        look.method,
        look.path,
        _read_fields,
        json=look.json,
        is_create=True,
        what=look.what,
        lifetime=look.lifetime,
    )


def _least(request: LipSyncRequest) -> Line:
    """Kling bills the length of the video, in whole seconds, and the sound has room in it."""
    seconds = round((request.insert_at_ms + request.sound_end_ms - request.sound_start_ms) / 1000)
    return Line("lip_sync", count=ceil(seconds / STEP_SECONDS))


def _body(request: LipSyncRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    face = {
        "face_id": request.face_id,
        "audio_id": request.audio_id,
        "sound_file": request.sound,
        "sound_start_time": request.sound_start_ms,
        "sound_end_time": request.sound_end_ms,
        "sound_insert_time": request.insert_at_ms,
        "sound_volume": request.sound_volume,
        "original_audio_volume": request.original_volume,
    }
    return without_nones(
        {
            "session_id": request.session_id,
            "face_choose": [without_nones(face)],
            **common_options(request, external_task_id),
        }
    )


PRODUCT = Product(
    kind="lip_sync",
    label="Lip-sync",
    request=LipSyncRequest,
    routes={ApiFamily.LEGACY: Route("/v1/videos/advanced-lip-sync", _body)},
    rules=(
        _source,
        exactly_one("audio_id", "sound"),
        _times,
        ranged("sound_volume", 0, 2),
        ranged("original_volume", 0, 2),
    ),
    preparation=_preparation,
    least=_least,
)
