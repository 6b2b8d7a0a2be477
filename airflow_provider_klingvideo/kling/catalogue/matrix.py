"""The capability matrix for people: what each model and product can do, a row each."""

from __future__ import annotations

from airflow_provider_klingvideo.kling.catalogue.capabilities import Capability, in_words, registry

HEAD = ("kind", "model", "API", "resolutions", "seconds", "ratios", "sound", "last frame", "elements", "prompt", "also")
"""The columns; ``prompt`` is the longest one in characters."""

_FLAGS = ("multi_shot", "negative_prompt", "cfg_scale")
_SOUNDS: dict[tuple[str, ...], str] = {("native",): "always", ("off",): "none"}


def matrix(kind: str | None = None) -> list[list[str]]:
    """Return the rows of what can be ordered today.

    :param kind: only this product.
    """
    current = (one for one in registry().capabilities if not one.is_retired and kind in (None, one.kind))
    return [_cells(one) for one in sorted(current, key=lambda one: one.kind)]


def retired(kind: str | None = None) -> list[str]:
    """Return a line for each model that Kling retired: name, date, successor."""
    gone = [one for one in registry().capabilities if one.is_retired and kind in (None, one.kind)]
    return sorted({f"{one.model} ({one.kind}, {one.retired_on}): use {one.successor}" for one in gone})


def _cells(one: Capability) -> list[str]:
    return [
        one.kind,
        one.model if one.model != one.kind else "",
        str(one.family),
        ", ".join(one.resolutions),
        in_words(one.durations, ", "),
        ", ".join(one.aspect_ratios or ()),
        _sound(one) if one.fps else "",
        _last_frame(one) if one.kind in ("image_to_video", "omni_video") else "",
        str(one.elements or ""),
        str(one.prompt_max or ""),
        ", ".join(name for name in _FLAGS if getattr(one, name)),
    ]


def _sound(one: Capability) -> str:
    choice = _SOUNDS.get(one.audio, ", ".join(one.audio))
    return f"{choice} (native: {one.native_audio_resolution})" if one.native_audio_resolution else choice


def _last_frame(one: Capability) -> str:
    if not one.last_frame:
        return "no"
    return ", ".join(["yes", *filter(None, [one.last_frame_resolution, "silent" if one.last_frame_silent else ""])])
