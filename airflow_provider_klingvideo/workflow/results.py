"""The files that Kling offers for a finished task, and what they are called here."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.kling import TaskNotFoundError
from airflow_provider_klingvideo.media import ExpiredUrlError, ResultFile
from airflow_provider_klingvideo.workflow.job.errors import NoResultError, ResultExpiredError

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import Output

AskOutputs = Callable[[str, str], Sequence["Output"]]
"""Asks Kling for a finished task's outputs with fresh, signed addresses: ``outputs(task_id, kind)``."""

log = logging.getLogger(__name__)

VIDEOS = ("mp4",)
PICTURES = ("png", "jpg", "webp")
SOUNDS = ("mp3", "wav", "m4a", "aac")
# What a result may be, by its type. These words of Kling's become parts of files' names, no others do.
EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "video": VIDEOS,
    "product_video": VIDEOS,
    "subbed_video": VIDEOS,
    "image": PICTURES,
    "series_image": PICTURES,
    "expanded_image": PICTURES,
    "view": PICTURES,
    "product_image": PICTURES,
    "model_images": PICTURES,
    "audio": SOUNDS,
    "voice": (*SOUNDS, "mp4"),
    "element": (*PICTURES, *VIDEOS),
    "srt": ("srt",),
    "ass": ("ass",),
}
ANY_EXTENSION = tuple(dict.fromkeys(one for some in EXTENSIONS.values() for one in some))
UNKNOWN = "file"
"""What a result is called here whose type is not in the table."""


KEPT = timedelta(days=30)
"""How long Kling lists tasks and keeps what they made (kling-api sections 5 and 6.5)."""


@contextmanager
def expiry_told(task_id: str, accepted_at: datetime) -> Iterator[None]:
    """Tell a result that is not there any more from one whose address has to be asked for again.

    :raises ResultExpiredError: when it cannot be had, and Kling keeps such an old one no more.
    """
    try:
        yield
    except (ExpiredUrlError, NoResultError, TaskNotFoundError) as error:
        age = datetime.now(UTC) - accepted_at
        if age < KEPT:
            raise
        raise ResultExpiredError(
            f"The result of task {task_id} was not loaded in {age.days} days: {error.message}",
            http_status=error.http_status,
        ) from error


class FreshOutputs:
    """A task's outputs, asked for when the first address is needed, and again when that one is wanted anew.

    :param ask: see :data:`AskOutputs`.
    """

    def __init__(self, ask: AskOutputs, task_id: str, kind: str) -> None:
        self._ask = ask
        self._task_id = task_id
        self._kind = kind
        self._outputs: Sequence[Output] | None = None
        self._given: set[tuple[int, str]] = set()

    def url(self, index: int, select: Callable[[Output], str | None], name: str = "") -> str:
        """Return the address of one file.

        :param index: which output.
        :param select: takes the address from the output.
        :param name: tells several files of one output apart.
        :raises NoResultError: when Kling does not offer it.
        """
        if self._outputs is None or (index, name) in self._given:
            self._outputs = self._ask(self._task_id, self._kind)
        self._given.add((index, name))
        url = select(self._outputs[index]) if index < len(self._outputs) else None
        if not url:
            raise NoResultError(f"Task {self._task_id} offers no result {index + 1}{f' ({name})' if name else ''}")
        return url


def main_video(outputs: Sequence[Mapping[str, Any]]) -> int | None:
    """Return which output is the video that is cut; None when there is none."""
    return next((index for index, one in enumerate(outputs) if "video" in _type(one) and one.get("url")), None)


def _type(output: Mapping[str, Any]) -> str:
    """What Kling calls it; a record has no word where Kling had none."""
    return str(output.get("type", ""))


def other_files(outputs: Sequence[Mapping[str, Any]], fresh: FreshOutputs) -> list[ResultFile]:
    """Return every file but that of the main video: they are stored as they come.

    :param outputs: the outputs on record.
    :param fresh: where their addresses come from.
    """
    return list(_files(outputs, main_video(outputs), fresh))


def _files(outputs: Sequence[Mapping[str, Any]], main: int | None, fresh: FreshOutputs) -> Iterator[ResultFile]:
    numbers: Counter[str] = Counter()
    for index, one in enumerate(outputs):
        seconds, kind = one.get("seconds"), _type(one) if _type(one) in EXTENSIONS else UNKNOWN
        numbers[kind] += 1
        stem = "source" if index == main else f"{kind}-{numbers[kind]}"
        extensions = EXTENSIONS.get(kind, ANY_EXTENSION)
        if index != main and one.get("url"):
            yield ResultFile(stem, extensions, _url(fresh, index, lambda out: out.url), seconds)
        if one.get("watermark"):
            url = _url(fresh, index, lambda out: out.watermark_url, "watermark")
            yield ResultFile(f"{stem}-watermark", extensions, url, seconds)
        for name in _known_formats(one):
            url = _url(fresh, index, lambda out, name=name: out.other_urls.get(name), name)  # type: ignore[misc]
            yield ResultFile(stem, (name,), url, seconds)


def _url(fresh: FreshOutputs, index: int, select: Callable[[Output], str | None], name: str = "") -> Callable[[], str]:
    return lambda: fresh.url(index, select, name)


def _known_formats(output: Mapping[str, Any]) -> list[str]:
    """The further formats of an output that can be told by their first bytes and verified."""
    formats = output.get("formats", ())
    if unknown := [name for name in formats if name not in ANY_EXTENSION]:
        log.warning("Kling offers a result in a format that is not known here, and not loaded: %.100r", unknown)
    return [name for name in formats if name in ANY_EXTENSION]
