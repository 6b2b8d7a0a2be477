"""Kling's answers about tasks, read tolerantly: both families' shapes become one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from airflow_provider_klingvideo._urls import without_queries
from airflow_provider_klingvideo.kling.wire.bills import Bill, bill_of
from airflow_provider_klingvideo.kling.wire.reading import (
    exact_text_of,
    list_of,
    mapping_of,
    seconds_of,
    text_of,
    time_of,
    words_of,
)


class TaskStatus(StrEnum):
    """Where a task is; a word that is not known is no failure."""

    SUBMITTED = "submitted"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_terminal(self) -> bool:
        """Whether the task has ended."""
        return self in (TaskStatus.SUCCEEDED, TaskStatus.FAILED)


# The legacy family spells it without -ed (kling-api section 5).
_STATUS_WORDS = {**{str(status): status for status in TaskStatus}, "succeed": TaskStatus.SUCCEEDED}


@dataclass(frozen=True)
class Output:
    """One result of a task.

    :param type: ``video``, ``image``, ``audio``, ``voice``, ``element``, ``srt`` ..., in Kling's words.
    :param url: where it lies, signed; empty for what has no file.
    :param id: Kling's id of it, which other requests take.
    :param name: the name of a voice or an element.
    :param duration: seconds, None when Kling does not say.
    :param group: which series an image belongs to.
    :param is_deleted: whether a voice or an element is no more.
    :param other_urls: the same in other formats, by format (``wav``).
    """

    type: str
    url: str = field(repr=False)
    id: str | None = None
    name: str | None = None
    watermark_url: str | None = field(default=None, repr=False)
    duration: float | None = None
    group: str | None = None
    is_deleted: bool = False
    other_urls: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Task:
    """A task as Kling describes it.

    :param id: Kling's id; text, since it exceeds what a float holds.
    :param status: where it is.
    :param status_word: Kling's own word.
    :param message: why it failed.
    :param external_id: our id.
    :param outputs: its results.
    :param bill: what was billed, None while Kling does not say.
    """

    id: str
    status: TaskStatus
    status_word: str = ""
    message: str = ""
    external_id: str | None = None
    outputs: tuple[Output, ...] = ()
    bill: Bill | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether Kling says that it succeeded."""
        return self.status is TaskStatus.SUCCEEDED

    @property
    def seconds(self) -> float | None:
        """How long Kling took from order to end, by its own clock; None while it runs or does not say."""
        if not self.status.is_terminal or self.created_at is None or self.updated_at is None:
            return None
        return max(0.0, (self.updated_at - self.created_at).total_seconds())

    @property
    def video(self) -> Output | None:
        """The first video that can be loaded."""
        return first_video(self.outputs)

    def public_answer(self) -> dict[str, Any]:
        """Kling's answer without signed queries, for records and support."""
        return dict(_without_queries(self.raw))


def first_video(outputs: Iterable[Output]) -> Output | None:
    """Return the first video that can be loaded, whatever Kling's word for it (``product_video`` ...)."""
    return next((one for one in outputs if "video" in one.type and one.url), None)


def parse_task(data: Any) -> Task | None:
    """Read a task of either family; None when it has no id and thus is none."""
    if not isinstance(data, Mapping):
        return None
    task_id = text_of(data.get("id")) or text_of(data.get("task_id"))
    if not task_id:
        return None
    word = text_of(data.get("status")) or text_of(data.get("task_status"))
    return Task(
        id=task_id,
        status=_STATUS_WORDS.get(word, TaskStatus.UNKNOWN),
        status_word=word,
        message=words_of(text_of(data.get("message")) or text_of(data.get("task_status_msg"))),
        external_id=exact_text_of(data.get("external_id"))
        or exact_text_of(mapping_of(data.get("task_info")).get("external_task_id"))
        or None,
        outputs=_outputs(data),
        bill=bill_of(data),
        created_at=time_of(data.get("create_time") or data.get("created_at")),
        updated_at=time_of(data.get("update_time") or data.get("updated_at")),
        raw=data,
    )


def parse_tasks(data: Any) -> list[Task]:
    """Read a list of tasks, a page of them, or a single one."""
    if isinstance(data, Mapping) and isinstance(data.get("result"), list):
        data = data["result"]
    items = data if isinstance(data, list) else [data]
    return [task for task in map(parse_task, items) if task]


# The lists of a legacy result and what lies in them (kling-api sections 7.1, 7.3 and 7.5).
_LEGACY_RESULTS = {
    "videos": "video",
    "images": "image",
    "series_images": "image",
    "audios": "audio",
    "voices": "voice",
    "elements": "element",
}
# What the families call the same; the first that is given counts (kling-api sections 6.4 and 7.1).
_IDS = ("id", "voice_id", "element_id")
_NAMES = ("name", "voice_name", "element_name")
_URLS = ("url", "mp3_url", "url_mp3", "trial_url")
_DURATIONS = ("duration", "mp3_duration", "duration_mp3")
_WAV_URLS = ("wav_url", "url_wav")


def _outputs(data: Mapping[str, Any]) -> tuple[Output, ...]:
    result = mapping_of(data.get("task_result"))
    legacy = (
        {**item, "type": kind, **({"group_id": name} if name == "series_images" else {})}
        for name, kind in _LEGACY_RESULTS.items()
        for item in list_of(result.get(name))
    )
    return tuple(
        output for item in [*list_of(data.get("outputs")), *legacy] for output in (_output(one) for one in _each(item))
    )


def _each(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Take apart an item that holds several pictures, as multi-shot images do (kling-api section 7.5)."""
    numbered = [item[key] for key in sorted(item) if key.startswith("url_") and key[4:].isdigit()]
    if numbered:
        yield from ({"type": item.get("type"), "group_id": text_of(item.get("index")), "url": url} for url in numbered)
    else:
        yield item


def _output(item: Mapping[str, Any]) -> Output:
    url, wav = _first(item, _URLS), _first(item, _WAV_URLS)
    return Output(
        type=text_of(item.get("type")),
        url=url or wav,
        id=_first(item, _IDS) or None,
        name=_first(item, _NAMES) or None,
        watermark_url=text_of(item.get("watermark_url")) or None,
        duration=next((seconds_of(item[key]) for key in _DURATIONS if key in item), None),
        group=text_of(item.get("group_id")) or None,
        is_deleted=item.get("status") == "deleted",
        other_urls={"wav": wav} if url and wav else {},
    )


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((text for key in keys if (text := text_of(item.get(key)))), "")


def _without_queries(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_queries(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_queries(item) for item in value]
    return without_queries(value) if isinstance(value, str) else value
