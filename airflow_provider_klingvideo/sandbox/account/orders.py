"""What a create request asks for, whichever generation it was written in."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from airflow_provider_klingvideo.sandbox.account.answers import Refusal, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import (
    ASPECT_RATIOS,
    Family,
    Generation,
    Pack,
    Sound,
    clip_seconds,
    frame_size,
)
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.limits import MEGABYTE, Limits
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.files.media_facts import MediaFacts

BAD_BASE64 = "File is not in a valid base64 format"


@dataclass(frozen=True)
class Input:
    """An input file: an address to fetch, the bytes that came with the request, or something of the account itself.

    :param role: what it is for.
    :param facts: of a medium of the account, which is not fetched.
    """

    role: str
    limits: Limits
    url: str | None = None
    content: bytes | None = None
    facts: MediaFacts | None = None


@dataclass(frozen=True)
class Order:
    """A create request that passed validation.

    :param product: short name, shown in the ledger.
    :param path: that the task was created on; queries and lists of the legacy generation are per path.
    :param model: as the caller named it.
    :param units: what it costs; where that follows from an input, the least that it can be.
    :param results: what will be made.
    :param inputs: looked at after the task was accepted.
    :param follow: what of the results is only known then.
    :param pack: that pays, and whose slots it takes.
    :param weight: how many of these.
    :param resolution: of a video; ``seconds`` and ``sound`` likewise, for the ledgers.
    :param external_id: empty when the caller gave none.
    :param details: what the views of this product need, as JSON.
    :param terminal_callbacks_only: whether only the end is told to the callback address.
    """

    generation: Generation
    product: str
    path: str
    model: str
    prompt: str
    units: Decimal
    results: tuple[Result, ...]
    inputs: tuple[Input, ...] = ()
    follow: Follow = field(default_factory=Follow)
    pack: Pack = Pack.VIDEO
    weight: int = 1
    resolution: str = ""
    seconds: int = 0
    sound: Sound = Sound.SILENT
    watermark: bool = False
    callback_url: str = ""
    external_id: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    terminal_callbacks_only: bool = False


def clip(shape: str, resolution: str, seconds: int, sound: Sound) -> Result:
    """The one result of most video products.

    :param shape: aspect ratio; empty where an input decides.
    """
    width, height = frame_size(ASPECT_RATIOS[shape], resolution) if shape else (0, 0)
    return Result(width=width, height=height, seconds=clip_seconds(seconds), sound=sound is not Sound.SILENT)


def legacy_options(fields: Fields) -> dict[str, Any]:
    """Watermark, callback and external id of a legacy body, as arguments of :class:`Order` (kling-api section 7.1)."""
    return unmarked_options(fields) | {"watermark": fields.object("watermark_info").flag("enabled", False)}


def unmarked_options(fields: Fields) -> dict[str, Any]:
    """The same of a product that knows no watermark."""
    return {"callback_url": fields.text("callback_url"), "external_id": fields.text("external_task_id")}


def new_options(fields: Fields) -> dict[str, Any]:
    """The same of a body of the new generation (kling-api section 6.1)."""
    return legacy_options(fields.object("options"))


def read_input(role: str, value: str, limits: Limits) -> Input:
    """A file as Kling takes it: http(s) URL or raw Base64 (kling-api section 6.1).

    :raises Refusal: 1201 for anything else, a ``data:`` prefix included, and for too many bytes.
    """
    if _is_address(value):
        return Input(role, limits, url=value)
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(BAD_BASE64) from error
    if len(content) > limits.max_bytes:
        raise invalid(f"File size exceeds the limit of {limits.max_bytes // MEGABYTE}MB")
    return Input(role, limits, content=content)


def read_address(role: str, value: str, limits: Limits) -> Input:
    """A file that can only be given as an http(s) URL, as all films are.

    :raises Refusal: 1201 for anything else.
    """
    if not _is_address(value):
        raise invalid(f"{limits.kind.capitalize()} URL is invalid")
    return Input(role, limits, url=value)


def _is_address(value: str) -> bool:
    return value.lower().startswith(("http://", "https://"))


def chosen_sound(family: Family, *, wanted: bool, voices: int) -> Sound:
    """Which row of the price table a request falls in."""
    if voices:
        return Sound.VOICE
    return Sound.NATIVE if wanted or family.always_sounds else Sound.SILENT


def takes_last_frame(family: Family, resolution: str, sound: Sound) -> bool:
    """Whether an end frame goes together with this resolution and sound (kling-api section 6.3)."""
    allowed = resolution in family.last_frame_resolutions
    return allowed and (sound is Sound.SILENT or family.last_frame_with_sound)


def missing(kind: str, identifier: str) -> Refusal:
    """The refusal of an element or voice that the account does not have."""
    texts = {"element": f"Element id not found: {identifier}", "voice": "Voice id not found"}
    return invalid(texts[kind])
