"""What a create request asks for, whichever generation it was written in."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_klingvideo.sandbox.answers import Refusal, invalid
from airflow_provider_klingvideo.sandbox.catalog import Family, Generation, Product, Sound

BAD_BASE64 = "File is not in a valid base64 format"


@dataclass(frozen=True)
class ImageSource:
    """An input image: an address to fetch, or the bytes that came with the request."""

    role: str
    url: str | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Order:
    """A create request that passed validation.

    :param model: as the caller named it.
    :param aspect_ratio: none where the input image decides.
    :param external_id: empty when the caller gave none.
    """

    generation: Generation
    product: Product
    path: str
    model: str
    prompt: str
    resolution: str
    aspect_ratio: str | None
    seconds: int
    sound: Sound
    units: Decimal
    images: tuple[ImageSource, ...]
    watermark: bool
    callback_url: str
    external_id: str


def read_image(role: str, value: str) -> ImageSource:
    """An image as the vendor takes it: http(s) URL or raw Base64 (kling-api section 6.1).

    :raises Refusal: 1201 for anything else, a ``data:`` prefix included.
    """
    if value.lower().startswith(("http://", "https://")):
        return ImageSource(role, url=value)
    try:
        return ImageSource(role, content=base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError) as error:
        raise invalid(BAD_BASE64) from error


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
