"""Validates requests for subtitles in another language (kling-api section 8)."""

from __future__ import annotations

from decimal import Decimal

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation, Sound
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.limits import MEGABYTE, MOVIES, Kind, Limits
from airflow_provider_klingvideo.sandbox.account.orders import Order, unmarked_options
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.rules.solution_contents import addresses, read_contents, worded

_LONGEST = 300
_FILM = Limits(
    kind=Kind.VIDEO,
    formats=MOVIES,
    max_bytes=500 * MEGABYTE,
    seconds=((0, _LONGEST),),
    unreadable="The source video format is not supported. Please provide a decodable video file (MP4 recommended).",
    too_long="The source video exceeds the 300-second duration limit.",
    silent="No valid audio or video track detected in the source video.",
)
_TERMS = 200
_TERM_LENGTH = 100
_NUMBERS = {"target_cps": (17, 10, 20), "margin_v": (1, 1, 4096), "font_size": (1, 1, 512)}
_PRICE = Decimal(1)  # units per second, assumed: the list is not public


def _drama_subtitle(fields: Fields, context: RequestContext) -> Order:
    contents = read_contents(fields, {"source_video": 1, "glossary": len(fields.array("contents"))})
    films = addresses(contents, "source_video", _FILM, "Source video is missing. Please provide a source video URL.")
    terms = contents.of("glossary")
    if len(terms) > _TERMS:
        raise invalid(f"Glossary exceeds the limit of {_TERMS} entries.")
    glossary = [[_term(item, name) for name in ("source", "target")] for item in terms]
    settings = fields.object("settings")
    for name in _NUMBERS:
        _check_number(settings, name)
    settings.choice("target_language", ("en",), "en")
    return Order(
        generation=Generation.SOLUTIONS,
        product="drama-subtitle",
        path=context.path,
        model="drama_subtitle",
        prompt="",
        units=_PRICE,
        results=(Result(type="subbed_video", sound=True), Result(type="srt"), Result(type="ass")),
        inputs=tuple(films),
        follow=Follow(shape="source_video", length="source_video", unit_price=_PRICE),
        sound=Sound.ORIGINAL,
        details={"glossary": glossary},
        terminal_callbacks_only=True,
        **unmarked_options(fields.object("options")),
    )


def _term(item: Fields, name: str) -> str:
    text = item.text(name)
    if not text.strip() or len(text) > _TERM_LENGTH:
        raise invalid(f"Each glossary entry must be non-empty and no longer than {_TERM_LENGTH} characters.")
    return text


def _check_number(settings: Fields, name: str) -> None:
    default, low, high = _NUMBERS[name]
    words = "margin_v, font_size and target_cps must be positive integers."
    value = worded(lambda: settings.number(name, default, 1, float("inf")), words)
    if value != int(value):
        raise invalid(words)
    if not low <= value <= high:
        raise invalid(f"{name} out of range. Please provide a value between {low} and {high}.")


READERS: dict[str, Reader] = {"/solutions/drama_subtitle": _drama_subtitle}
