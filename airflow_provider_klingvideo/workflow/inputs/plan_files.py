"""The files that a render plan names: what makes them useless is found out before a video is ordered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from airflow_provider_klingvideo.media import MediaSettings, PlanError, RenderPlan, require_usable_files
from airflow_provider_klingvideo.storage.protocols import OpenPath
from airflow_provider_klingvideo.workflow.job.blocking import RunBlocking


@dataclass
class PlanFiles:
    """The files of one plan, looked at once for all jobs of a batch.

    :param plan: what is made of each video.
    :param open_path: makes a path object of a file's path or URI.
    :param settings: scratch space and ffmpeg.
    """

    plan: RenderPlan
    open_path: OpenPath
    settings: MediaSettings
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _verdict: PlanError | bool | None = None

    async def require_usable(self, run_blocking: RunBlocking) -> None:
        """Prove that they can be used.

        :param run_blocking: how work that blocks is run.
        :raises PlanError: naming those that cannot.
        :raises FFmpegError: ffmpeg was ended before it could tell.
        """
        async with self._looking:
            if self._verdict is None:
                self._verdict = await run_blocking(self._look)
        if isinstance(self._verdict, PlanError):
            raise self._verdict

    def _look(self) -> PlanError | bool:
        try:
            require_usable_files(self.plan, self.open_path, self.settings)
        except PlanError as error:
            if error.retryable:
                raise
            return error
        return True
