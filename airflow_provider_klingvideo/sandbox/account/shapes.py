"""The shapes in which the results of a task are shown (kling-api sections 6.4 and 7.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_klingvideo.sandbox.account.tasks import DELETED, Result, Task

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

    @property
    def parts(self) -> list[Shown]:
        """The hidden results of its task."""
        return [part for part in _every(self.task, self.sign) if part.result.hidden]


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


def _status(shown: Shown, there: str) -> str:
    return DELETED if DELETED in shown.result.details else there


def _voice(shown: Shown) -> dict[str, Any]:
    voice = _legacy_voice(shown)
    known = {"id": voice["voice_id"], "name": voice["voice_name"], "url": voice["trial_url"]}
    return known | {"owned_by": voice["owned_by"], "status": _status(shown, "succeeded")}


def _legacy_voice(shown: Shown) -> dict[str, Any]:
    voice = shown.result.details
    return {
        "voice_id": voice["voice_id"] or shown.id,
        "voice_name": voice["name"],
        "trial_url": shown.url("mp3"),
        "owned_by": voice["owned_by"],
    }


def _element(shown: Shown) -> dict[str, Any]:
    element = shown.result.details
    return {
        "id": str(shown.task.element_id),
        "name": element["name"],
        "description": element["description"],
        "element_type": element["element_type"],
        "references": [_reference(part) for part in _heard_parts(shown)],
        "owned_by": element["owned_by"],
        "status": _status(shown, "succeeded"),
        "tags": [tag | {"id": int(tag["id"].removeprefix("o_"))} for tag in element["tags"]],
    }


def _reference(part: Shown) -> dict[str, Any]:
    if part.result.type == "voice":
        voice = _legacy_voice(part)
        known = {"id": voice["voice_id"], "name": voice["voice_name"], "owned_by": voice["owned_by"]}
        return {"type": "voice", "url": voice["trial_url"], "voice": known}
    extension = "png" if part.result.type == "image" else "mp4"
    role = "frontal" if part.result.role == "frontal" else "reference"
    return {"type": part.result.type, "role": role, "url": part.url(extension)}


def _heard_parts(shown: Shown) -> list[Shown]:
    """The files of an element; its voice only where one was given or could be heard."""
    return [
        part
        for part in shown.parts
        if part.result.type != "voice" or part.result.details["voice_id"] or shown.task.heard
    ]


def _legacy_element(shown: Shown) -> dict[str, Any]:
    element, parts = shown.result.details, _heard_parts(shown)
    images = {part.result.role: part.url("png") for part in parts if part.result.type == "image"}
    videos = [{"video_url": part.url("mp4")} for part in parts if part.result.type == "video"]
    voices = [_legacy_voice(part) for part in parts if part.result.type == "voice"]
    frontal = images.pop("frontal", None)
    view = {
        "element_id": shown.task.element_id,
        "element_name": element["name"],
        "element_description": element["description"],
        "reference_type": element["reference_type"],
        "tag_list": [{"tag_id": tag["id"]} for tag in element["tags"]],
        "owned_by": element["owned_by"],
        "status": _status(shown, "succeed"),
    }
    if frontal:
        references = [{"image_url": url} for url in images.values()]
        view["element_image_list"] = {"frontal_image": frontal, "refer_images": references}
    if videos:
        view["element_video_list"] = {"refer_videos": videos}
    if voices:
        view["element_voice_info"] = voices[0]
    return view


def _file(shown: Shown) -> dict[str, Any]:
    return {"url": shown.url(shown.result.type)}


# Result type -> its entry in ``outputs[]``; ``type`` is the result's own unless the entry says otherwise.
NEW_SHAPES: dict[str, Shape] = {
    "video": video,
    "image": image,
    "audio": audio,
    "series_image": _picture,
    "expanded_image": _picture,
    "view": _picture,
    "product_image": image,
    "model_images": image,
    "product_video": video,
    "subbed_video": video,
    "srt": _file,
    "ass": _file,
    "voice": _voice,
    "element": _element,
}
# Result type -> the array of ``task_result`` that it is in, and its entry there; those of one index are one entry.
LEGACY_SHAPES: dict[str, tuple[str, Shape]] = {
    "video": ("videos", _legacy_video),
    "image": ("images", _legacy_image),
    "audio": ("audios", _legacy_audio),
    "series_image": ("series_images", _legacy_image),
    "expanded_image": ("images", _expanded),
    "view": ("images", _view),
    "voice": ("voices", _legacy_voice),
    "element": ("elements", _legacy_element),
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
    return [shown for shown in _every(task, sign) if not shown.result.hidden]


def _every(task: Task, sign: Sign) -> list[Shown]:
    return [Shown(task, number, result, sign) for number, result in enumerate(task.results, 1)]
