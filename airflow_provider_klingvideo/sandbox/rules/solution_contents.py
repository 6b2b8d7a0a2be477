"""What the bodies of the solutions family have in common (kling-api section 8)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from airflow_provider_klingvideo.sandbox.account.answers import Refusal, invalid
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.limits import MEGABYTE, NEW_IMAGE, Limits
from airflow_provider_klingvideo.sandbox.account.orders import Input, read_address, read_input, unmarked_options
from airflow_provider_klingvideo.sandbox.rules.contents import Contents

PICTURE = NEW_IMAGE.model_copy(update={"formats": NEW_IMAGE.formats | {"webp"}})
# kling-api section 8: the long side at most 2048 pixels, the short one more than 300; no ratio is named.
TRY_ON_PICTURE = PICTURE.model_copy(
    update={"max_bytes": 10 * MEGABYTE, "shortest": 301, "longest": 2048, "ratio": None}
)
PICTURES = 5
BAD_VOICE = "Invalid voice_id. Please select a valid voice from the voice library."

_Value = TypeVar("_Value")


def read_contents(fields: Fields, limits: Mapping[str, int]) -> Contents:
    """The items of a body; too many of a type are refused in this family's words."""
    words = {
        kind: f"Only one {kind} item is allowed in contents."
        if limit == 1
        else f"At most {limit} {kind} items are allowed in contents."
        for kind, limit in limits.items()
    }
    return Contents(fields, limits, too_many=words)


def texts(contents: Contents, kind: str, limit: int, absent: str = "") -> list[str]:
    """The texts of a type.

    :param absent: the refusal when there is none, or a blank one; empty where it may be missing.
    """
    found = [item.text("text") for item in contents.of(kind)]
    if (absent and not found) or not all(text.strip() for text in found):
        raise invalid(absent or f"content item of type '{kind}' must have non-blank text")
    if any(len(text) > limit for text in found):
        raise invalid(f"{kind} exceeds the {limit}-character limit.")
    return found


def pictures(contents: Contents, kind: str, limits: Limits = PICTURE, absent: str = "") -> list[Input]:
    """The pictures of a type, as URL or raw Base64.

    :param absent: the refusal when there is none, or one without a source.
    """
    return [read_input(kind, url, limits) for url in _urls(contents, kind, absent)]


def addresses(contents: Contents, kind: str, limits: Limits, absent: str = "") -> list[Input]:
    """The files of a type that can only be given as URL."""
    return [read_address(kind, url, limits) for url in _urls(contents, kind, absent)]


def _urls(contents: Contents, kind: str, absent: str) -> list[str]:
    found = [item.text("url") for item in contents.of(kind)]
    if (absent and not found) or not all(url.strip() for url in found):
        raise invalid(absent or f"content item of type '{kind}' must have a non-blank url")
    return found


def worded(read: Callable[[], _Value], words: str) -> _Value:
    """A value whose refusal has fixed words."""
    try:
        return read()
    except Refusal as refusal:
        raise invalid(words) from refusal


def chosen(settings: Fields, name: str, allowed: Collection[str], words: str, default: str = "") -> str:
    """One of several words, required where there is no default."""
    value = worded(lambda: settings.choice(name, allowed, default), words)
    if not value:
        raise invalid(words)
    return value


def resolution(settings: Fields, default: str = "") -> str:
    """The resolution of a film."""
    words = "Unsupported resolution. Only 720p and 1080p are supported."
    return chosen(settings, "resolution", ("720p", "1080p"), words, default)


def options(fields: Fields, watermark: str = "watermark") -> dict[str, Any]:
    """Watermark, callback and external id, as arguments of :class:`~.orders.Order`.

    :param watermark: how the watermark's object is called; pages differ in that.
    """
    given = fields.object("options")
    return unmarked_options(given) | {"watermark": given.object(watermark).flag("enabled", False)}
