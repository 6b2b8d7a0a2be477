"""Validates requests for sounds (kling-api section 7.3)."""

from __future__ import annotations

from decimal import Decimal

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.limits import MEGABYTE, MOVIES, Kind, Limits
from airflow_provider_klingvideo.sandbox.account.orders import Order, unmarked_options
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import parent_video, read_video, required_text
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext

WORDS = 200
SHORTEST, LONGEST = 3.0, 10.0
UNITS = Decimal("0.25")
FILM = Limits(kind=Kind.VIDEO, formats=MOVIES, max_bytes=100 * MEGABYTE, seconds=((3, 20),))


def _from_text(fields: Fields, context: RequestContext) -> Order:
    prompt = required_text(fields, "prompt", WORDS)
    if "duration" not in fields:
        raise invalid("duration is required")
    seconds = fields.number("duration", SHORTEST, SHORTEST, LONGEST)
    return Order(
        generation=Generation.LEGACY,
        product="text-to-audio",
        path=context.path,
        model="text-to-audio",
        prompt=prompt,
        units=UNITS,
        results=(Result(type="audio", seconds=seconds),),
        seconds=round(seconds),
        **unmarked_options(fields),
    )


def _from_video(fields: Fields, context: RequestContext) -> Order:
    film = read_video(fields, FILM, context.library)
    prompts = [fields.text(name, WORDS) for name in ("sound_effect_prompt", "bgm_prompt")]
    fields.flag("asmr_mode", False)
    return Order(
        generation=Generation.LEGACY,
        product="video-to-audio",
        path=context.path,
        model="video-to-audio",
        prompt=" / ".join(filter(None, prompts)),
        units=UNITS,
        results=(Result(sound=True), Result(type="audio")),
        inputs=(film,),
        follow=Follow(shape="video", length="video"),
        details={"task_info": parent_video(film, fields)},
        **unmarked_options(fields),
    )


READERS: dict[str, Reader] = {
    "/v1/audio/text-to-audio": _from_text,
    "/v1/audio/video-to-audio": _from_video,
}
