"""The words in which the OpenAPI document describes what a field may hold (JSON Schema)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

FILE_FORMAT = "uri-or-base64"
"""The name of a format of this document's own."""

IMAGE = "https://example.org/portrait.png"
FILM = "https://example.org/film.mp4"
SOUND = "https://example.org/sound.mp3"
ELEMENT = "829836802793406551"
PROMPT = "A fox walks through fresh snow at sunrise"


@dataclass(frozen=True)
class Body:
    """The body of a request.

    :param summary: what the endpoint makes.
    :param example: one that the sandbox accepts as it stands, unless ``needs`` says what it lacks.
    :param needs: what has to be made before, because the body names it.
    """

    summary: str
    schema: Schema
    example: Mapping[str, Any]
    needs: str = ""


def text(limit: int | None = None, about: str = "") -> Schema:
    """A text of at most so many characters."""
    length = {} if limit is None else {"maxLength": limit}
    return {"type": "string", **length, **_about(about)}


def choice(*values: Any, default: Any = None, about: str = "") -> Schema:
    """One of several values."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": kinds[type(values[0])], "enum": list(values), **_default(default), **_about(about)}


def whole(low: int, high: int, default: int | None = None, about: str = "") -> Schema:
    """A whole number between two others."""
    return {"type": "integer", "minimum": low, "maximum": high, **_default(default), **_about(about)}


def number(low: float, high: float, default: float | None = None, about: str = "") -> Schema:
    """A number between two others."""
    return {"type": "number", "minimum": low, "maximum": high, **_default(default), **_about(about)}


def flag(default: bool, about: str = "") -> Schema:
    """True or false."""
    return {"type": "boolean", "default": default, **_about(about)}


def array(item: Schema, least: int = 0, most: int | None = None, about: str = "") -> Schema:
    """Several of something."""
    limits = ({"minItems": least} if least else {}) | ({"maxItems": most} if most is not None else {})
    return {"type": "array", "items": item, **limits, **_about(about)}


def record(fields: Mapping[str, Schema], *required: str, about: str = "") -> Schema:
    """An object; keys that it does not have are ignored."""
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": dict(fields), **needed, **_about(about)}


def contents(items: Iterable[Schema]) -> Schema:
    """The ``contents`` of a request, each item one of several types."""
    return array({"anyOf": list(items)}, least=1)


def item(kind: str, fields: Mapping[str, Schema], *required: str, about: str = "") -> Schema:
    """One type of item of ``contents``."""
    return record({"type": {"const": kind}, **fields}, "type", *required, about=about)


def millis(about: str = "") -> Schema:
    """A time in Unix milliseconds."""
    return {
        "type": ["integer", "string"],
        "pattern": "^[0-9]{1,15}$",
        "minimum": 0,
        "maximum": 10**15 - 1,
        **_about(about),
    }


def picture(about: str = "") -> Schema:
    """A picture in a field."""
    return file(f"http(s) URL or raw Base64 without data: prefix{'; ' if about else ''}{about}")


def file(about: str) -> Schema:
    """A file in a field, as URL or as raw Base64."""
    return text(about=about) | {"format": FILE_FORMAT}


def address(about: str = "") -> Schema:
    """A file that can only be given as URL."""
    return text(about=f"http(s) URL{'; ' if about else ''}{about}") | {"format": "uri"}


def new_options(watermark: str | None = "watermark_info") -> Schema:
    """The ``options`` of the new generation and of the solutions."""
    marked = {watermark: record({"enabled": flag(False)})} if watermark else {}
    return record({**_CALL, **marked})


def legacy_options(*, watermark: bool = True) -> dict[str, Schema]:
    """What most bodies of the legacy generation have in common."""
    return {**_CALL, **({"watermark_info": record({"enabled": flag(False)})} if watermark else {})}


def _about(words: str) -> Schema:
    return {"description": words} if words else {}


def _default(value: Any) -> Schema:
    return {} if value is None else {"default": value}


_CALL = {
    "callback_url": text(about="told of every change of the status") | {"format": "uri"},
    "external_task_id": text(about="of your own; unique in the account, over all products"),
}
