"""The clips of succeeded tasks behind signed addresses that expire (kling-api section 5)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import defaultdict
from pathlib import Path

from airflow_provider_klingvideo.sandbox.render import plan_clip, render
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings
from airflow_provider_klingvideo.sandbox.tasks import Task

_RENDERERS = 2
_WATERMARK = "-watermark"


class Results:
    """Signs addresses, and draws a clip when it is first asked for.

    :param settings: of the sandbox.
    :param folder: where clips and input images lie.
    """

    def __init__(self, settings: SandboxSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._renderers = asyncio.Semaphore(_RENDERERS)
        self._one_at_a_time: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    def url(self, base_url: str, task: Task, watermark: bool) -> str:
        """The signed address of a task's clip."""
        name = f"{task.id}{_WATERMARK if watermark else ''}.mp4"
        ended = task.timeline[-1].at
        expires = int(ended / 1000 + self._settings.media_ttl_seconds)
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

    async def clip(self, task: Task, *, watermark: bool, seconds: float | None = None) -> Path:
        """The file of a task's clip; drawn once, the same bytes ever after.

        :param seconds: in place of the task's own length.
        :raises SandboxMediaError: when it cannot be drawn.
        """
        length = "" if seconds is None else f"-{seconds:g}s"
        target = self._folder / f"{task.id}{_WATERMARK if watermark else ''}{length}.mp4"
        async with self._one_at_a_time[target]:
            if not target.is_file():
                height = self._settings.max_render_height
                clip = plan_clip(task, self._folder, watermark=watermark, max_height=height, seconds=seconds)
                async with self._renderers:
                    await asyncio.to_thread(render, clip, target, self._settings.ffmpeg)
        return target

    def forget(self) -> None:
        """Delete all clips and input images."""
        for file in self._folder.iterdir():
            if file.is_file():
                file.unlink()


def task_id_of(name: str) -> tuple[str, bool]:
    """The task that a clip's name is about, and whether its watermarked clip is meant."""
    stem = name.removesuffix(".mp4")
    return stem.removesuffix(_WATERMARK), stem.endswith(_WATERMARK)
