"""Lip-sync: faces of a film, the task that makes one speak, and the older endpoint (kling-api section 7.2)."""

from __future__ import annotations

from decimal import Decimal

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_klingvideo.sandbox.account.answers import Answer, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation, Product, Sound
from airflow_provider_klingvideo.sandbox.account.fields import Fields, parse_object
from airflow_provider_klingvideo.sandbox.account.library import Library
from airflow_provider_klingvideo.sandbox.account.limits import MEGABYTE, MOVIES, SOUNDS, Kind, Limits
from airflow_provider_klingvideo.sandbox.account.orders import (
    Input,
    Order,
    legacy_options,
    missing,
    read_address,
    read_input,
    unmarked_options,
)
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.account.views import deductions
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import parent_video, read_sound, read_video, required_text
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, base_url, sandbox_of

_FACE_PRICE = Decimal("0.05")
_FOLLOW = Follow(shape="video", length="video", unit_price=Decimal("0.5"), step=5)
_FILM = Limits(
    kind=Kind.VIDEO, formats=MOVIES, max_bytes=100 * MEGABYTE, shortest=512, longest=2160, seconds=((2, 60),)
)
# The limits of the older endpoint's films are not documented.
_ANY_FILM = Limits(kind=Kind.VIDEO, formats=MOVIES, max_bytes=100 * MEGABYTE)
_SOUND = Limits(kind=Kind.AUDIO, formats=SOUNDS, max_bytes=5 * MEGABYTE, seconds=((2, 60),))
_SHORTEST_MILLIS = 2000
_TEXT_LIMIT = 120
_LOUDEST = 2

router = APIRouter(route_class=VendorRoute)


@router.post("/v1/videos/identify-face")
async def identify_face(request: Request) -> Response:
    """Find the faces of a film, of which an imitated one has a single one that is there from begin to end."""
    sandbox, fields = sandbox_of(request), Fields(parse_object(await request.body()))
    film = read_video(fields, _FILM, sandbox.library)
    order = Order(
        generation=Generation.LEGACY,
        product=Product.IDENTIFY_FACE,
        path=request.url.path,
        model=Product.IDENTIFY_FACE,
        prompt="",
        units=_FACE_PRICE,
        results=(Result(type="image", role="face"),),
        inputs=(film,),
        follow=Follow(shape="video", length="video"),
        details=parent_video(film, fields),
    )
    task = await sandbox.perform(order, base_url(request))
    face = {
        "face_id": "0",
        "face_image": sandbox.sign_for(base_url(request))(task, "1.png"),
        "start_time": 0,
        "end_time": round(task.results[0].seconds * 1000),
    }
    return Answer({"session_id": task.id, "face_data": [face]} | deductions(task, task.timeline[-1]))


def _read_advanced(fields: Fields, context: RequestContext) -> Order:
    session_id = required_text(fields, "session_id")
    session = context.library.session(session_id, Product.IDENTIFY_FACE)
    if session is None:
        raise invalid(f"Session id not found: {session_id}")
    faces = fields.objects("face_choose")
    if len(faces) != 1:
        raise invalid("face_choose must have exactly 1 item")
    film = session.results[0]
    sound = _face(faces[0], round(film.seconds * 1000), context.library)
    return Order(
        generation=Generation.LEGACY,
        product=Product.LIP_SYNC,
        path=context.path,
        model=Product.LIP_SYNC,
        prompt="",
        units=_FOLLOW.units(film.seconds),
        results=(Result(width=film.width, height=film.height, seconds=film.seconds, sound=True),),
        inputs=(sound,),
        seconds=round(film.seconds),
        sound=Sound.NATIVE,
        details={"task_info": {"parent_video": session.details["parent_video"]}},
        **legacy_options(fields),
    )


def _face(face: Fields, film_millis: int, library: Library) -> Input:
    """The sound for a face, once all the times are right."""
    if (face_id := required_text(face, "face_id")) != "0":
        raise invalid(f"Face id not found: {face_id}")
    sound = read_sound(face, _SOUND, library)
    start, end, insert = (_millis(face, name) for name in ("sound_start_time", "sound_end_time", "sound_insert_time"))
    if end - start < _SHORTEST_MILLIS:
        raise invalid("the cropped sound can not be shorter than 2 seconds")
    if insert + end - start > film_millis:
        raise invalid("the sound must be inserted inside the video")
    for volume in ("sound_volume", "original_audio_volume"):
        face.number(volume, 1, 0, _LOUDEST)
    return sound


def _millis(face: Fields, name: str) -> int:
    if name not in face:
        raise invalid(f"{name} is required")
    return face.millis(name, 0)


def _read_old(fields: Fields, context: RequestContext) -> Order:
    wanted = fields.object("input")
    film = read_video(wanted, _ANY_FILM, context.library)
    mode = wanted.choice("mode", _OLD_MODES, "")
    if not mode:
        raise invalid("input.mode is required")
    sounds = _OLD_MODES[mode](wanted, context.library)
    return Order(
        generation=Generation.LEGACY,
        product=Product.LIP_SYNC,
        path=context.path,
        model=Product.LIP_SYNC,
        prompt=wanted.text("text"),
        units=_FOLLOW.unit_price,
        results=(Result(sound=True),),
        inputs=(film, *sounds),
        follow=_FOLLOW,
        sound=Sound.NATIVE,
        details={"task_info": parent_video(film, wanted)},
        **unmarked_options(fields),
    )


def _spoken(wanted: Fields, library: Library) -> tuple[Input, ...]:
    required_text(wanted, "text", _TEXT_LIMIT)
    if not library.has_speaker(wanted.text("voice_id")):
        raise missing("voice", "")
    wanted.choice("voice_language", ("zh", "en"), "zh")
    wanted.number("voice_speed", 1.0, 0.8, 2.0)
    return ()


def _played(wanted: Fields, _: Library) -> tuple[Input, ...]:
    if "audio_type" not in wanted:
        raise invalid("Audio type is null")
    if wanted.choice("audio_type", ("file", "url"), "") == "url":
        return (read_address("audio", required_text(wanted, "audio_url"), _SOUND),)
    return (read_input("audio", required_text(wanted, "audio_file"), _SOUND),)


_OLD_MODES = {"text2video": _spoken, "audio2video": _played}
READERS: dict[str, Reader] = {
    "/v1/videos/advanced-lip-sync": _read_advanced,
    "/v1/videos/lip-sync": _read_old,
}
