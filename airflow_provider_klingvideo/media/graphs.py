"""Pieces of ffmpeg graphs that verification and rendering share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ffmpeg

from airflow_provider_klingvideo.media.probing import UNTRUSTED_INPUT, file_argument


def open_source(path: Path, threads: int | None = None) -> Any:
    """The input node of a source that nobody vouches for.

    :param threads: threads of the decoder; None leaves the choice to ffmpeg.
    """
    limits = {} if threads is None else {"threads": threads}
    return ffmpeg.input(file_argument(path), **UNTRUSTED_INPUT, **limits)


def decode_everything(source: Any) -> Any:
    """An output that decodes every picture and sound and writes nothing; with ``-xerror`` it is the decode check."""
    return ffmpeg.output(source["v:0"], source["a?"], "-", format="null")
