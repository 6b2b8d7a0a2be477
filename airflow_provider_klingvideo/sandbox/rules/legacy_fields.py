"""What many bodies of the legacy generation have in common (kling-api sections 7.1 and 7.2)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import RETIRED_MODELS
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.library import ElementType, Library, OwnResult
from airflow_provider_klingvideo.sandbox.account.limits import Limits
from airflow_provider_klingvideo.sandbox.account.orders import Input, missing, read_address, read_input


def legacy_model(
    fields: Fields, known: Collection[str], default: str, retired: Collection[str] = RETIRED_MODELS
) -> str:
    """The model that is meant.

    :param default: what an absent or empty name means.
    :param retired: models that this path had once.
    """
    model = fields.text("model_name") or default
    if model in retired:
        raise invalid(f"The model '{model}' has been discontinued and is no longer available.")
    if model not in known:
        raise fields.wrong("model_name")
    return model


def legacy_elements(fields: Fields, limit: int, library: Library) -> tuple[ElementType, ...]:
    """What kind each element of ``element_list`` is.

    :param limit: how many the model takes.
    """
    items = fields.objects("element_list")
    if len(items) > limit:
        raise invalid(f"element_list exceeds the limit of {limit} of the current model")
    found = []
    for item in items:
        identifier = item.identifier("element_id")
        kind = library.element(identifier)
        if kind is None:
            raise missing("element", identifier)
        found.append(kind)
    return tuple(found)


def required_text(fields: Fields, name: str, limit: int | None = None) -> str:
    """A text that may not be blank."""
    text = fields.text(name, limit)
    if not text.strip():
        raise invalid(f"{name} is required")
    return text


def read_video(fields: Fields, limits: Limits, library: Library) -> Input:
    """The film of ``video_id`` or ``video_url``, of which exactly one is needed."""
    own_id, url = either(fields, "video_id", "video_url")
    return _own(limits, library.video(own_id), "Video") if own_id else read_address("video", url, limits)


def read_sound(fields: Fields, limits: Limits, library: Library) -> Input:
    """The sound of ``audio_id`` or ``sound_file``, of which exactly one is needed."""
    own_id, file = either(fields, "audio_id", "sound_file")
    return _own(limits, library.audio(own_id), "Audio") if own_id else read_input("audio", file, limits)


def either(fields: Fields, own: str, other: str) -> tuple[str, str]:
    """Two texts of which exactly one is needed; the other one is empty."""
    own_id, given = fields.text(own), fields.text(other)
    if not own_id.strip() and not given.strip():
        raise invalid(f"{own} or {other} is required")
    if own_id and given:
        raise invalid(f"{own} and {other} cannot be used together")
    return own_id, given


def _own(limits: Limits, result: OwnResult | None, what: str) -> Input:
    if result is None:
        raise invalid(f"{what} id not found")
    return Input(what.lower(), limits, facts=result.facts)


def parent_video(item: Input, fields: Fields) -> dict[str, Any]:
    """What ``task_info`` says about the film that a task was made from, as far as it is known at once."""
    known = {"duration": f"{item.facts.seconds:.3f}"} if item.facts else {}
    return {"parent_video": {"id": fields.text("video_id"), "url": item.url or "", **known}}
