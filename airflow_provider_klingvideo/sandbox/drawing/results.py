"""The files of succeeded tasks behind signed addresses that expire (kling-api section 5)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from airflow_provider_klingvideo.sandbox.account.shapes import WATERMARK
from airflow_provider_klingvideo.sandbox.account.tasks import Result, Task
from airflow_provider_klingvideo.sandbox.drawing.artists import ARTISTS
from airflow_provider_klingvideo.sandbox.drawing.commissions import Commission
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings

_RENDERERS = 2
_MARKED = f"-{WATERMARK}"


class Results:
    """Signs addresses, and makes a file when it is first asked for.

    :param settings: of the sandbox.
    :param folder: where results and input files lie.
    """

    def __init__(self, settings: SandboxSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._renderers = asyncio.Semaphore(_RENDERERS)
        self._one_at_a_time: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    def url(self, base_url: str, task: Task, tail: str) -> str:
        """The signed address of one of a task's files.

        :param tail: the end of the file's name, behind the task's id.
        """
        name = f"{task.id}-{tail}"
        expires = int(task.timeline[-1].at / 1000 + self._settings.media_ttl_seconds)
        return f"{base_url}/media/{name}?Expires={expires}&Signature={self._signature(name, expires)}"

    def _signature(self, name: str, expires: int) -> str:
        message = f"{name}\n{expires}".encode()
        return hmac.new(self._settings.secret_key.encode(), message, hashlib.sha256).hexdigest()

    def admits(self, name: str, expires: str, signature: str, now: int) -> bool:
        """Whether an address was signed here and has not expired."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12 and signature.isascii()):
            return False
        genuine = hmac.compare_digest(self._signature(name, int(expires)), signature)
        return genuine and now < int(expires) * 1000

    async def file(self, task: Task, medium: Medium, seconds: float | None = None) -> Path:
        """One of a task's files; made once, the same bytes ever after.

        :param seconds: in place of the result's own length.
        :raises SandboxMediaError: when it cannot be made.
        """
        length = "" if seconds is None else f"-{seconds:g}s"
        target = self._folder / f"{task.id}-{medium.number}{_MARKED * medium.watermark}{length}.{medium.extension}"
        async with self._one_at_a_time[target]:
            if not target.is_file():
                commission = Commission(
                    task=task,
                    result=task.results[medium.number - 1],
                    number=medium.number,
                    folder=self._folder,
                    target=target,
                    watermark=medium.watermark,
                    seconds=seconds,
                    settings=self._settings,
                )
                _, make = ARTISTS[medium.extension]
                async with self._renderers:
                    await asyncio.to_thread(make, commission)
        return target

    @staticmethod
    def result_at(url: str, tasks: Mapping[str, Task]) -> Result | None:
        """The result behind an address of this sandbox, none behind any other."""
        folder, _, name = urlsplit(url).path.rpartition("/")
        medium = read_name(name) if folder == "/media" else None
        task = tasks.get(medium.task_id) if medium else None
        return task.results[medium.number - 1] if task and medium and 1 <= medium.number <= len(task.results) else None

    def forget(self) -> None:
        """Delete all results and input files."""
        for file in self._folder.iterdir():
            if file.is_file():
                file.unlink()


@dataclass(frozen=True)
class Medium:
    """What the name of a file says.

    :param number: of the result within its task, from 1.
    :param watermark: whether the marked version is meant.
    """

    task_id: str
    number: int
    watermark: bool
    extension: str


_NAME = re.compile(rf"([0-9]+)-([0-9]{{1,3}})({_MARKED})?\.([a-z0-9]+)")


def read_name(name: str) -> Medium | None:
    """What a file's name says, none if it is no such name."""
    found = _NAME.fullmatch(name)
    return Medium(found[1], int(found[2]), bool(found[3]), found[4]) if found else None
