"""The account's voices and elements, and Kling's own (kling-api sections 7.3 and 7.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.reading import text_of
from airflow_provider_klingvideo.kling.wire.tasks import Output, Task, parse_tasks

VOICES, ELEMENTS = "/v1/general/custom-voices", "/v1/general/advanced-custom-elements"
PRESET_VOICES, PRESET_ELEMENTS = "/v1/general/presets-voices", "/v1/general/advanced-presets-elements"
DEFAULT_PAGE = 100


@dataclass(frozen=True)
class LibraryItem:
    """A voice or an element.

    :param id: names it in requests.
    :param name: its name.
    :param url: a sample of a voice, signed; empty for an element.
    """

    id: str
    name: str
    url: str = field(repr=False)


def list_voices(page: int = 1, size: int = DEFAULT_PAGE) -> Operation[list[LibraryItem]]:
    """List the account's own voices, a page of at most 1000; a page that is not full is the last one."""
    return _listing(VOICES, page, size)


def preset_voices(page: int = 1, size: int = DEFAULT_PAGE) -> Operation[list[LibraryItem]]:
    """List Kling's voices for videos; speech from text has a catalogue of its own."""
    return _listing(PRESET_VOICES, page, size)


def delete_voice(voice_id: str) -> Operation[None]:
    """Delete one of the account's own voices."""
    return _deletion("/v1/general/delete-voices", {"voice_id": voice_id})


def list_elements(page: int = 1, size: int = DEFAULT_PAGE) -> Operation[list[LibraryItem]]:
    """List the account's own elements, a page of at most 500; a page that is not full is the last one."""
    return _listing(ELEMENTS, page, size)


def preset_elements(page: int = 1, size: int = DEFAULT_PAGE) -> Operation[list[LibraryItem]]:
    """List Kling's elements."""
    return _listing(PRESET_ELEMENTS, page, size)


def delete_element(element_id: str) -> Operation[None]:
    """Delete one of the account's own elements."""
    return _deletion("/v1/general/delete-advanced-elements", {"element_id": element_id})


def _listing(path: str, page: int, size: int) -> Operation[list[LibraryItem]]:
    return Operation("GET", path, _items, query={"pageNum": page, "pageSize": size})


def _deletion(path: str, body: Mapping[str, Any]) -> Operation[None]:
    return Operation("POST", path, lambda _data: None, json=body)


def _items(data: Any) -> list[LibraryItem]:
    return [_item(output) for task in parse_tasks(data) for output in _of(task)]


def _of(task: Task) -> tuple[Output, ...]:
    """What a task made; it is left out once it is deleted."""
    return tuple(one for one in task.outputs if one.id and not one.is_deleted)


def _item(output: Output) -> LibraryItem:
    return LibraryItem(text_of(output.id), output.name or "", output.url)
