"""The section ``[klingvideo]`` of Airflow's configuration, turned into the settings of the workflow."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo._compat import conf
from airflow_provider_klingvideo.runtime import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_klingvideo.media import MediaSettings, RenderPlan
    from airflow_provider_klingvideo.runtime.connections.connection import KlingSettings
    from airflow_provider_klingvideo.workflow import StepSettings
    from airflow_provider_klingvideo.workflow.batch.tables.limits import TableLimits
    from airflow_provider_klingvideo.workflow.job.journal import Listener

SECTION = "klingvideo"
log = logging.getLogger(__name__)
catalogue.heed()


def output_path() -> str:
    """Return the folder below which records and videos lie, a path or URI."""
    return conf.get(SECTION, "output_path", fallback="") or f"file://{_airflow_home()}/klingvideo"


def pages_output_paths() -> list[str]:
    """Return the further folders whose jobs the pages show."""
    told = conf.get(SECTION, "pages_output_paths", fallback="")
    return [path.strip() for path in told.split(",") if path.strip()]


def minimum_deferral_seconds() -> float:
    """Return the least time that a deferral lasts."""
    return float(conf.getfloat(SECTION, "minimum_deferral_seconds", fallback=10.0))


def slot_pause_seconds() -> float:
    """Return the pause between two looks for a free slot."""
    return float(conf.getfloat(SECTION, "slot_pause_seconds", fallback=3.0))


def table_limits() -> TableLimits:
    """Return how much of a batch's rows is read."""
    from airflow_provider_klingvideo.workflow.batch.tables.limits import TableLimits

    default = TableLimits()
    return TableLimits(
        max_bytes=conf.getint(SECTION, "rows_max_bytes", fallback=default.max_bytes),
        max_rows=conf.getint(SECTION, "rows_max_count", fallback=default.max_rows),
        max_cell=conf.getint(SECTION, "rows_max_cell", fallback=default.max_cell),
    )


def listeners() -> list[Listener]:
    """Return the user's own listeners of the journal: ``[klingvideo] listeners`` names their paths, with commas.

    One that cannot be loaded is told in the log and left out: it harms no job.
    """
    paths = [path.strip() for path in conf.get(SECTION, "listeners", fallback="").split(",") if path.strip()]
    return [listener for path in paths if (listener := _loaded(path)) is not None]


def _loaded(path: str) -> Listener | None:
    module, _, name = path.rpartition(".")
    try:
        found: Any = getattr(import_module(module), name)
        listener: Listener = found() if isinstance(found, type) else found
    except Exception:
        log.exception("The listener %s of [klingvideo] listeners cannot be loaded", path)
        return None
    return listener


def step_settings(connection: KlingSettings, overrides: Mapping[str, Any]) -> StepSettings:
    """Put together what the configuration, the connection and a task say.

    :param connection: the connection's settings.
    :param overrides: fields of :class:`StepSettings` that the task sets itself, ``plan`` as :func:`render_plan` takes
        it; None means not set.
    :raises PlanError: the render plan is none.
    """
    from airflow_provider_klingvideo.workflow import PollPolicy, StepSettings

    chosen = {name: value for name, value in overrides.items() if value is not None}
    plan = chosen.pop("plan", None)
    return StepSettings(
        concurrency_limit=connection.concurrency_limit,
        model_limits=connection.model_limits,
        slot_pause_seconds=slot_pause_seconds(),
        check_input_urls=conf.getboolean(SECTION, "check_input_urls", fallback=True),
        terms=connection.terms,
        unknown_models=conf.get(SECTION, "unknown_models", fallback="warn"),
        poll=PollPolicy(
            min_seconds=conf.getfloat(SECTION, "poll_min_seconds", fallback=2.0),
            max_seconds=conf.getfloat(SECTION, "poll_max_seconds", fallback=30.0),
        ),
        media=media_settings(connection.media_hosts),
        plan=render_plan(plan),
        **chosen,
    )


def render_plan(given: Any = None) -> RenderPlan:
    """Return what is made of a video: what a task says, else the configuration, else the default plan.

    :param given: JSON data or its text; empty for what the configuration says.
    :raises PlanError: it is no plan.
    """
    from airflow_provider_klingvideo.media import RenderPlan

    return RenderPlan.parse(given or conf.get(SECTION, "render_plan", fallback="") or None)


def media_settings(allowed_private_hosts: frozenset[str] = frozenset()) -> MediaSettings:
    """Return how videos are loaded and worked on.

    :param allowed_private_hosts: see :class:`~airflow_provider_klingvideo.media.MediaSettings`.
    """
    from airflow_provider_klingvideo.media import DownloadLimits, MediaSettings

    return MediaSettings(
        ffmpeg_path=conf.get(SECTION, "ffmpeg_path", fallback="") or None,
        limits=DownloadLimits(
            max_bytes=conf.getint(SECTION, "download_max_bytes", fallback=2 * 1024**3),
            total_seconds=conf.getfloat(SECTION, "download_timeout_seconds", fallback=900.0),
        ),
        allowed_private_hosts=allowed_private_hosts,
        threads=conf.getint(SECTION, "ffmpeg_threads", fallback=0) or None,
        nice=conf.getint(SECTION, "ffmpeg_nice", fallback=0),
    )


def log_to_standard_error() -> None:
    """Keep Airflow's log lines off the standard output, for a command that prints its result there."""
    from airflow.sdk.log import configure_logging

    configure_logging(output=sys.stderr)


def _airflow_home() -> str:
    return os.environ.get("AIRFLOW_HOME") or os.path.expanduser("~/airflow")  # noqa: PTH111 - no Path: parse time
