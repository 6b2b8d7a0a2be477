"""The vendor's answers about tasks and packs, read tolerantly: both generations' shapes become one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from airflow_provider_klingvideo._urls import without_queries

# Far beyond any amount, length or time; larger ones overflow when they are added up or printed.
LARGEST_EXPONENT = 20


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


# The legacy generation spells it without -ed (kling-api section 5).
_STATUS_WORDS = {**{str(status): status for status in TaskStatus}, "succeed": TaskStatus.SUCCEEDED}


@dataclass(frozen=True)
class Output:
    """One result of a task.

    :param type: ``video``, ``image``, ``audio``, ``voice``, ``element``, ``srt`` ..., in the vendor's words.
    :param url: where it lies, signed; empty for what has no file.
    :param id: the vendor's id of it, which other requests take.
    :param name: the name of a voice or an element.
    :param duration: seconds, None when the vendor does not say.
    :param group: which series an image belongs to.
    :param other_urls: the same in other formats, by format (``wav``).
    """

    type: str
    url: str = field(repr=False)
    id: str | None = None
    name: str | None = None
    watermark_url: str | None = field(default=None, repr=False)
    duration: float | None = None
    group: str | None = None
    other_urls: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Task:
    """A task as the vendor describes it.

    :param id: the vendor's id; text, since it exceeds what a float holds.
    :param status: where it is.
    :param status_word: the vendor's own word.
    :param message: why it failed.
    :param external_id: our id.
    :param outputs: its results.
    :param billed_units: what was billed, None while the vendor does not say.
    """

    id: str
    status: TaskStatus
    status_word: str = ""
    message: str = ""
    external_id: str | None = None
    outputs: tuple[Output, ...] = ()
    billed_units: Decimal | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether the vendor says that it succeeded."""
        return self.status is TaskStatus.SUCCEEDED

    @property
    def video(self) -> Output | None:
        """The first video that can be loaded."""
        return next((one for one in self.outputs if "video" in one.type and one.url), None)

    def public_answer(self) -> dict[str, Any]:
        """The vendor's answer without signed queries, for records and support."""
        return dict(_without_queries(self.raw))


@dataclass(frozen=True)
class ResourcePack:
    """A pack of units that the account has bought."""

    name: str
    status: str
    total: Decimal | None
    remaining: Decimal | None


def parse_task(data: Any) -> Task | None:
    """Read a task of either generation; None when it has no id and thus is none."""
    if not isinstance(data, Mapping):
        return None
    task_id = _text(data.get("id")) or _text(data.get("task_id"))
    if not task_id:
        return None
    word = _text(data.get("status")) or _text(data.get("task_status"))
    return Task(
        id=task_id,
        status=_STATUS_WORDS.get(word, TaskStatus.UNKNOWN),
        status_word=word,
        message=without_queries(_text(data.get("message")) or _text(data.get("task_status_msg"))),
        external_id=_text(data.get("external_id"))
        or _text(_mapping(data.get("task_info")).get("external_task_id"))
        or None,
        outputs=_outputs(data),
        billed_units=_billed(data),
        created_at=_time(data.get("create_time") or data.get("created_at")),
        updated_at=_time(data.get("update_time") or data.get("updated_at")),
        raw=data,
    )


def parse_tasks(data: Any) -> list[Task]:
    """Read a list of tasks, a page of them, or a single one."""
    if isinstance(data, Mapping) and isinstance(data.get("result"), list):
        data = data["result"]
    items = data if isinstance(data, list) else [data]
    return [task for task in map(parse_task, items) if task]


def parse_packs(data: Any) -> list[ResourcePack]:
    """Read the packs of ``/account/costs`` (kling-api section 9).

    :raises ValueError: when the second code, inside the data, is an error.
    """
    if _mapping(data).get("code"):
        raise ValueError("the packs could not be read")
    packs = _list(_mapping(data).get("resource_pack_subscribe_infos"))
    return [
        ResourcePack(
            name=_text(pack.get("resource_pack_name")),
            status=_text(pack.get("status")),
            total=_decimal(pack.get("total_quantity")),
            remaining=_decimal(pack.get("remaining_quantity")),
        )
        for pack in packs
    ]


# The lists of a legacy result and what lies in them (kling-api sections 7.1, 7.3 and 7.5).
_LEGACY_RESULTS = {
    "videos": "video",
    "images": "image",
    "series_images": "image",
    "audios": "audio",
    "voices": "voice",
    "elements": "element",
}
# What the generations call the same; the first that is given counts (kling-api sections 6.4 and 7.1).
_IDS = ("id", "voice_id", "element_id")
_NAMES = ("name", "voice_name", "element_name")
_URLS = ("url", "mp3_url", "url_mp3", "trial_url")
_DURATIONS = ("duration", "mp3_duration", "duration_mp3")
_WAV_URLS = ("wav_url", "url_wav")


def _outputs(data: Mapping[str, Any]) -> tuple[Output, ...]:
    result = _mapping(data.get("task_result"))
    legacy = (
        {**item, "type": kind, **({"group_id": name} if name == "series_images" else {})}
        for name, kind in _LEGACY_RESULTS.items()
        for item in _list(result.get(name))
    )
    return tuple(
        output for item in [*_list(data.get("outputs")), *legacy] for output in (_output(one) for one in _each(item))
    )


def _each(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Take apart an item that holds several pictures, as multi-shot images do (kling-api section 7.5)."""
    numbered = [item[key] for key in sorted(item) if key.startswith("url_") and key[4:].isdigit()]
    if numbered:
        yield from ({"type": item.get("type"), "group_id": _text(item.get("index")), "url": url} for url in numbered)
    else:
        yield item


def _output(item: Mapping[str, Any]) -> Output:
    url, wav = _first(item, _URLS), _first(item, _WAV_URLS)
    return Output(
        type=_text(item.get("type")),
        url=url or wav,
        id=_first(item, _IDS) or None,
        name=_first(item, _NAMES) or None,
        watermark_url=_text(item.get("watermark_url")) or None,
        duration=next((_seconds(item[key]) for key in _DURATIONS if key in item), None),
        group=_text(item.get("group_id")) or None,
        other_urls={"wav": wav} if url and wav else {},
    )


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((text for key in keys if (text := _text(item.get(key)))), "")


def _billed(data: Mapping[str, Any]) -> Decimal | None:
    amounts = [_decimal(item.get("amount")) for item in _list(data.get("billing"))]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else _decimal(data.get("final_unit_deduction"))


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    """A text or a whole number as text; empty for anything else: an object is no id, and no URL."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= LARGEST_EXPONENT else None


def _seconds(value: Any) -> float | None:
    number = _decimal(value)
    return float(number) if number is not None else None


def _time(milliseconds: Any) -> datetime | None:
    number = _decimal(milliseconds)
    try:
        return datetime.fromtimestamp(float(number) / 1000, UTC) if number is not None else None
    except (OverflowError, OSError, ValueError):
        return None


def _without_queries(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_queries(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_queries(item) for item in value]
    return without_queries(value) if isinstance(value, str) else value
