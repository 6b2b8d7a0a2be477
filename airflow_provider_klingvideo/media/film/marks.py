"""Marks that a film takes over from its clips: what tells that a machine made them must not get lost on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import ffmpeg

from airflow_provider_klingvideo.media.ffmpeg.graphs import open_source
from airflow_provider_klingvideo.media.ffmpeg.passes import Passes
from airflow_provider_klingvideo.storage.objects import storage_errors

# The label of GB 45438-2025. Of ffmpeg's metadata format: a backslash stands before what would end the value.
_MARK = re.compile(r"^(AIGC)=((?:[^\\\n]|\\.)*)$", re.MULTILINE | re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STREAMS = "\n[STREAM]"


def marks_of(clips: Iterable[Path], passes: Passes) -> dict[str, str]:
    """Return the marks of the first clip that has some, by name.

    :raises FFmpegError: a clip cannot be read.
    """
    for clip in clips:
        listing = passes.folder / "metadata.txt"
        passes.run(ffmpeg.output(open_source(clip)["v:0"], str(listing), c="copy", format="ffmetadata"))
        with storage_errors(f"reading the metadata of {clip.name}"):
            text = listing.read_text("utf-8", errors="replace").partition(_STREAMS)[0]
        if marks := {name: _ESCAPED.sub(r"\1", value) for name, value in _MARK.findall(text)}:
            return marks
    return {}
