"""Pieces of ffmpeg graphs that verification and rendering share."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import ffmpeg

from airflow_provider_klingvideo.media.ffmpeg.trust import UNTRUSTED_INPUT, file_argument
from airflow_provider_klingvideo.storage.text import storable

# In packets; more than ffmpeg's default of any version.
_queue_lengths = cycle(range(64, 1064))


def input_of_its_own(name: str, **options: Any) -> Any:
    """The input node of something that several outputs of one run may use.

    ffmpeg-python takes equal inputs for one, and refuses the equal filters behind them; so each has a queue of another
    length, which makes no other difference.

    :param name: as ffmpeg wants it.
    :param options: of the input.
    """
    return ffmpeg.input(name, thread_queue_size=next(_queue_lengths), **options)


def open_source(path: Path, threads: int | None = None) -> Any:
    """The input node of a source that nobody vouches for.

    :param threads: threads of the decoder; None leaves the choice to ffmpeg.
    """
    limits = {} if threads is None else {"threads": threads}
    return ffmpeg.input(file_argument(path), **UNTRUSTED_INPUT, **limits)


def decode_everything(source: Any) -> Any:
    """An output that decodes every picture and sound and writes nothing; with ``-xerror`` it is the decode check."""
    return ffmpeg.output(source["v:0"], source["a?"], "-", format="null")


def metadata(tags: Mapping[str, str]) -> dict[str, str]:
    """Options of an output that write metadata; ffmpeg-python cannot repeat an option, but number it.

    :param tags: texts of any origin by name: what no command can carry in them is replaced.
    """
    return {f"metadata:g:{number}": storable(f"{name}={text}") for number, (name, text) in enumerate(tags.items())}
