"""Voices for clips: made from a sample or a clip, listed, deleted (kling-api section 7.3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_klingvideo.sandbox.account.answers import Answer, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation, Product
from airflow_provider_klingvideo.sandbox.account.fields import Fields, parse_object
from airflow_provider_klingvideo.sandbox.account.library import PRESETS_OWNER, Library
from airflow_provider_klingvideo.sandbox.account.limits import MEGABYTE, Kind, Limits
from airflow_provider_klingvideo.sandbox.account.orders import Input, Order, missing, read_address, unmarked_options
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.account.views import deleted, preset
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import either, required_text
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.serving.paging import page_of
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, base_url, sandbox_of

NAME = 20
PAGE_SIZES = range(1, 1001)
UNITS = Decimal("0.05")
# How large a sample may be is not documented.
SAMPLE = Limits(
    kind=Kind.VOICE, formats=frozenset({"mp3", "wav", "mp4", "mov"}), max_bytes=100 * MEGABYTE, seconds=((5, 30),)
)
# Whose clips have a voice in them, besides those of 2.6 with sound.
_SPEAKING = frozenset({Product.AVATAR, Product.LIP_SYNC})
_SPEAKING_MODELS = frozenset({"kling-2.6", "kling-v2-6"})

PATH = "/v1/general/custom-voices"

router = APIRouter(route_class=VendorRoute)


def _read(fields: Fields, context: RequestContext) -> Order:
    name = required_text(fields, "voice_name", NAME)
    sample = _sample(fields, context.library)
    return Order(
        generation=Generation.LEGACY,
        product="custom-voice",
        path=context.path,
        model="custom-voice",
        prompt=name,
        units=UNITS,
        results=(Result(type="voice", details={"voice_id": "", "name": name, "owned_by": context.library.owner}),),
        inputs=(sample,),
        follow=Follow(length="sample"),
        **unmarked_options(fields),
    )


def _sample(fields: Fields, library: Library) -> Input:
    video_id, url = either(fields, "video_id", "voice_url")
    if url:
        return read_address("sample", url, SAMPLE)
    video = library.video(video_id)
    if video is None:
        raise invalid("Video id not found")
    task = video.task
    if not video.result.sound or not (task.product in _SPEAKING or task.model in _SPEAKING_MODELS):
        raise invalid("the video of video_id has no voice that can be taken")
    return Input("sample", SAMPLE, facts=video.facts)


READERS: dict[str, Reader] = {PATH: _read}


@router.get("/v1/general/presets-voices")
async def presets(request: Request) -> Response:
    """The voices that everybody has."""
    sandbox = sandbox_of(request)
    now, url = sandbox.account.now(), f"{base_url(request)}/sandbox/samples/voice.wav"
    entries = [
        preset(voice_id, now, {"voices": [_preset(voice_id, url)]}) for voice_id in sandbox.library.preset_voices
    ]
    return Answer(page_of(request, entries, PAGE_SIZES))


def _preset(voice_id: str, url: str) -> dict[str, Any]:
    return {"voice_id": voice_id, "voice_name": voice_id, "trial_url": url, "owned_by": PRESETS_OWNER}


@router.post("/v1/general/delete-voices")
async def delete(request: Request) -> Response:
    """Delete a voice of one's own."""
    voice_id = required_text(Fields(parse_object(await request.body())), "voice_id")
    task = sandbox_of(request).library.delete_voice(voice_id)
    if task is None:
        raise missing("voice", voice_id)
    return Answer(deleted(task))
