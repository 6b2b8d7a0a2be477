"""The shapes in which the results of a task are shown (kling-api sections 6.4 and 7.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_klingvideo.sandbox.tasks import Result, Task

Sign = Callable[[Task, str], str]
"""Makes the signed URL of a task's file, by the end of the file's name (``1.mp4``)."""

WATERMARK = "watermark"


@dataclass(frozen=True)
class Shown:
    """A result in an answer.

    :param number: of the result within its task, from 1.
    """

    task: Task
    number: int
    result: Result
    sign: Sign

    @property
    def id(self) -> str:
        """The id by which later requests name it."""
        return f"{self.task.id}-{self.number}"

    def url(self, extension: str) -> str:
        """The address of its file."""
        return self.sign(self.task, f"{self.number}.{extension}")

    def urls(self, extension: str) -> dict[str, str]:
        """``url``, and ``watermark_url`` where that was asked for."""
        marked = {"watermark_url": self.sign(self.task, f"{self.number}-{WATERMARK}.{extension}")}
        return {"url": self.url(extension)} | (marked if self.task.watermark else {})


Shape = Callable[[Shown], dict[str, Any]]


def video(shown: Shown) -> dict[str, Any]:
    """A clip."""
    return {"id": shown.id, "duration": shown.result.duration} | shown.urls("mp4")


def image(shown: Shown) -> dict[str, Any]:
    """A picture; ``group_id`` only where pictures belong together."""
    group = {"group_id": shown.result.group} if shown.result.group else {}
    return shown.urls("png") | group


def audio(shown: Shown) -> dict[str, Any]:
    """A sound."""
    seconds = shown.result.duration
    urls = {"mp3_url": shown.url("mp3"), "wav_url": shown.url("wav")}
    return {"id": shown.id} | urls | {"mp3_duration": seconds, "wav_duration": seconds}


def _legacy_video(shown: Shown) -> dict[str, Any]:
    length = {"duration": shown.result.duration} if shown.result.timed else {}
    return {"id": shown.id} | shown.urls("mp4") | length | shown.result.legacy_extra


def _legacy_image(shown: Shown) -> dict[str, Any]:
    return {"index": shown.number - 1} | shown.urls("png") | shown.result.legacy_extra


def _legacy_audio(shown: Shown) -> dict[str, Any]:
    seconds = shown.result.duration
    urls = {"url_mp3": shown.url("mp3"), "url_wav": shown.url("wav")}
    return {"id": shown.id} | urls | {"duration_mp3": seconds, "duration_wav": seconds}


def _picture(shown: Shown) -> dict[str, Any]:
    """What only the legacy generation tells from other pictures."""
    return {"type": "image"} | image(shown)


def _expanded(shown: Shown) -> dict[str, Any]:
    return {"index": shown.number - 1, "url": shown.url("png")}


def _view(shown: Shown) -> dict[str, Any]:
    return {"index": int(shown.result.group), f"url_{shown.result.role}": shown.url("png")}


# Result type -> its entry in ``outputs[]``; ``type`` is the result's own unless the entry says otherwise.
NEW_SHAPES: dict[str, Shape] = {
    "video": video,
    "image": image,
    "audio": audio,
    "series_image": _picture,
    "expanded_image": _picture,
    "view": _picture,
}
# Result type -> the array of ``task_result`` that it is in, and its entry there; those of one index are one entry.
LEGACY_SHAPES: dict[str, tuple[str, Shape]] = {
    "video": ("videos", _legacy_video),
    "image": ("images", _legacy_image),
    "audio": ("audios", _legacy_audio),
    "series_image": ("series_images", _legacy_image),
    "expanded_image": ("images", _expanded),
    "view": ("images", _view),
}


def outputs(task: Task, sign: Sign) -> list[dict[str, Any]]:
    """The ``outputs[]`` of a task that succeeded."""
    if task.fate.without_outputs:
        return []
    return [{"type": shown.result.type} | NEW_SHAPES[shown.result.type](shown) for shown in all_shown(task, sign)]


def task_result(task: Task, sign: Sign) -> dict[str, Any]:
    """The ``task_result`` of a task that succeeded; ``task_result`` of its details goes first."""
    arrays: dict[str, list[dict[str, Any]]] = {}
    for shown in all_shown(task, sign):
        name, shape = LEGACY_SHAPES[shown.result.type]
        entries = arrays.setdefault(name, [])
        if not task.fate.without_outputs:
            _add(entries, shape(shown))
    return {**task.details.get("task_result", {}), **arrays}


def _add(entries: list[dict[str, Any]], entry: dict[str, Any]) -> None:
    if entries and "index" in entry and entries[-1].get("index") == entry["index"]:
        entries[-1] |= entry
    else:
        entries.append(entry)


def all_shown(task: Task, sign: Sign) -> list[Shown]:
    """The results of a task that are entries of their own."""
    return [Shown(task, number, result, sign) for number, result in enumerate(task.results, 1) if not result.hidden]
