"""The read model of the pages, put together from the configuration."""

from __future__ import annotations

from functools import cache

from airflow_provider_klingvideo.runtime import configuration
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.workflow.board.board import Board


@cache
def board() -> Board:
    """Return the jobs below the configured output paths; one for each process, which keeps what it has read."""
    paths = (configuration.output_path(), *configuration.pages_output_paths())
    return Board([Session(output_path=path).store() for path in dict.fromkeys(paths)])
