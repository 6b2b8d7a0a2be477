"""The pictures, sounds and videos of a request, wherever in it they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar, get_args, get_origin

from airflow_provider_klingvideo.kling.products.base import Part
from airflow_provider_klingvideo.kling.products.reading import MediaKind

P = TypeVar("P", bound=Part)

Replace = Callable[[str, MediaKind, str], str]
"""Called with where a value lies (``reference_images.0.url``), its kind, the value; returns what takes its place."""


def with_media(request: P, replace: Replace) -> P:
    """Return a request with another value in the place of every picture, sound and video.

    :param request: a request or a part of one.
    :param replace: see :data:`Replace`.
    """
    return _part(request, "", replace)


def _part(part: P, where: str, replace: Replace) -> P:
    changes = {
        name: _value(getattr(part, name), field.annotation, field.metadata, f"{where}{name}", replace)
        for name, field in type(part).model_fields.items()
    }
    return part.model_copy(update=changes)


def _value(value: Any, annotation: Any, metadata: Iterable[Any], where: str, replace: Replace) -> Any:
    if isinstance(value, Part):
        return _part(value, f"{where}.", replace)
    if isinstance(value, list | tuple):
        items = get_args(annotation)[:1]
        return type(value)(
            _value(item, next(iter(items), None), (), f"{where}.{index}", replace) for index, item in enumerate(value)
        )
    kind = _kind(annotation, metadata) if isinstance(value, str) else None
    return replace(where, kind, value) if kind else value


def _kind(annotation: Any, metadata: Iterable[Any]) -> MediaKind | None:
    """The mark on a type: at the field itself, or inside of ``Picture | None``."""
    found = next((mark for mark in metadata if isinstance(mark, MediaKind)), None)
    if found or annotation is None:
        return found
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        return _kind(inner, marks)
    return next((kind for arm in get_args(annotation) if (kind := _kind(arm, ()))), None)
