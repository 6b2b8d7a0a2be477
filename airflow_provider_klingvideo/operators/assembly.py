"""Many videos become one film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_klingvideo._compat import AirflowSkipException
from airflow_provider_klingvideo.operators.base import UI_COLORS, TriedAgain, with_retry_defaults

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klingvideo.storage.protocols import StorePath

__all__ = ["KlingVideoAssembleOperator"]


class KlingVideoAssembleOperator(TriedAgain, BaseOperator):
    """Make one film of several videos: ``film.mp4``, ``poster.jpg`` and ``film.json``, which tells what it is made of.

    Orders nothing and costs nothing at Kling. Run again with the same clips and plan, it keeps the film that lies
    in the store.

    :param clips: (templated) jobs, as their tasks return them, or paths and URIs of MP4 files, in the order in which
        they are shown; also the output of a mapped task. Every job must be COMPLETED.
    :param film: (templated) the plan, see :class:`~airflow_provider_klingvideo.media.FilmPlan`: ``transition``,
        ``title``, ``music``, ``size`` ... Values that are None or empty count as not given.
    :param output_path: (templated) folder of the film, a path or object storage URI; default: a folder of the task's
        name beside the jobs of the DAG run. Left to ``default_args``, it is the folder of all jobs, as for other tasks.
    :param assembly_timeout: seconds that making the film may take.
    """

    template_fields: Sequence[str] = ("clips", "film", "output_path")
    template_fields_renderers: ClassVar[dict[str, str]] = {"film": "json"}
    ui_color = UI_COLORS["work"]

    def __init__(
        self,
        *,
        clips: Any,
        film: Mapping[str, Any] | None = None,
        output_path: str | None = None,
        assembly_timeout: float = 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_defaults(kwargs))
        self.clips = clips
        self.film = film
        self.output_path = output_path
        # In a folder that all tasks of a DAG share, one film would replace another.
        self._is_shared = output_path == (kwargs.get("default_args") or {}).get("output_path")
        self.assembly_timeout = assembly_timeout

    def execute(self, context: Context) -> dict[str, Any]:
        """Return where the film and its poster lie, its checksum, length and size."""
        from airflow_provider_klingvideo.media import FilmPlan, assemble
        from airflow_provider_klingvideo.runtime import configuration
        from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors
        from airflow_provider_klingvideo.runtime.paths import open_path
        from airflow_provider_klingvideo.workflow.films import clips_of

        if self.clips in ([], ()):
            raise AirflowSkipException("There are no clips: there is nothing to make a film of.")
        folder = self._folder(context)
        with airflow_errors():
            film = assemble(
                clips_of(self.clips, open_path),
                FilmPlan.parse(self.film or {}),
                folder,
                settings=configuration.media_settings(),
                open_path=open_path,
                timeout=self.assembly_timeout,
            )
        for warning in film.warnings:
            self.log.warning("%s", warning)
        self.log.info("%d shots, pictures %s", len(film.clips), "copied" if film.copied else "encoded")
        for artifact in film.artifacts.values():
            self.log.info("%s: %d bytes, SHA-256 %s", artifact.path, artifact.size, artifact.sha256)
        return {
            "folder": str(folder),
            "shots": len(film.clips),
            "artifacts": {name: artifact.to_json() for name, artifact in film.artifacts.items()},
        }

    def _folder(self, context: Context) -> StorePath:
        from airflow_provider_klingvideo.runtime.paths import open_path
        from airflow_provider_klingvideo.runtime.places import store_of
        from airflow_provider_klingvideo.runtime.session import Session
        from airflow_provider_klingvideo.storage.names import folder_of

        if self.output_path and not self._is_shared:
            folder: StorePath = open_path(self.output_path)
            return folder
        return folder_of(store_of(Session(output_path=self.output_path), context).base, self.task_id)

    def on_kill(self) -> None:
        """End the ffmpeg processes of this task."""
        from airflow_provider_klingvideo.media import terminate_all

        terminate_all()
