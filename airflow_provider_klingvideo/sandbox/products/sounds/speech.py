"""Text to speech: the sound comes with the answer (kling-api section 7.3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_klingvideo.sandbox.account.answers import Answer, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation
from airflow_provider_klingvideo.sandbox.account.fields import Fields, parse_object
from airflow_provider_klingvideo.sandbox.account.library import Library
from airflow_provider_klingvideo.sandbox.account.orders import Order, missing
from airflow_provider_klingvideo.sandbox.account.shapes import Sign, all_shown
from airflow_provider_klingvideo.sandbox.account.speakers import SPEAKERS
from airflow_provider_klingvideo.sandbox.account.tasks import Result, Task
from airflow_provider_klingvideo.sandbox.account.views import legacy_view
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import required_text
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, base_url, sandbox_of

WORDS = 1000
UNITS = Decimal("0.05")
SLOWEST, FASTEST = 0.8, 2.0
# How many characters are spoken in a second; Kling's speakers were not measured.
CHARACTERS_PER_SECOND = {"zh": 4, "en": 15}
SHORTEST = 1.0

PATH = "/v1/audio/tts"

router = APIRouter(route_class=VendorRoute)


@router.post(PATH)
async def speak(request: Request) -> Response:
    """Speak a text."""
    sandbox = sandbox_of(request)
    order = _order(Fields(parse_object(await request.body())), sandbox.library)
    task = await sandbox.perform(order, base_url(request))
    return Answer(_view(task, sandbox.sign_for(base_url(request))))


def _order(fields: Fields, library: Library) -> Order:
    text = required_text(fields, "text", WORDS)
    voice = required_text(fields, "voice_id")
    if "voice_language" not in fields:
        raise invalid("voice_language is required")
    language = fields.choice("voice_language", SPEAKERS, "zh")
    if not library.has_speaker(voice, language):
        raise missing("voice", voice)
    speed = fields.number("voice_speed", 1, SLOWEST, FASTEST)
    seconds = max(SHORTEST, len(text) / CHARACTERS_PER_SECOND[language] / speed)
    return Order(
        generation=Generation.LEGACY,
        product="tts",
        path=PATH,
        model="tts",
        prompt=text,
        units=UNITS,
        results=(Result(type="audio", seconds=seconds),),
        seconds=round(seconds),
    )


def _view(task: Task, sign: Sign) -> dict[str, Any]:
    view = legacy_view(task, task.timeline[-1], sign)
    (sound,) = all_shown(task, sign)
    audio = {"id": sound.id, "url": sound.url("mp3"), "duration": sound.result.duration}
    return {name: value for name, value in view.items() if name not in {"task_info", "watermark_info"}} | {
        "task_result": {"audios": [audio]}
    }
