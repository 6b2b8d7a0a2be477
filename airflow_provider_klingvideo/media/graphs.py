"""Pieces of ffmpeg graphs that verification and rendering share."""

from __future__ import annotations

from collections.abc import Sequence
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


def decode_everything(source: Any, filtered: Sequence[tuple[bool, Any]] = ()) -> Any:
    """An output that decodes every picture and sound and writes nothing; with ``-xerror`` it is the decode check.

    :param filtered: streams that are looked at on the way: whether it is sound, and the stream.
    """
    pictures = [] if any(not of_sound for of_sound, _ in filtered) else [source["v:0"]]
    return ffmpeg.output(*(stream for _, stream in filtered), *pictures, source["a?"], "-", format="null")
