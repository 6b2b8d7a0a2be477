"""Who makes which kind of file."""

from __future__ import annotations

from airflow_provider_klingvideo.sandbox.drawing.commissions import Artist
from airflow_provider_klingvideo.sandbox.drawing.render import draw
from airflow_provider_klingvideo.sandbox.drawing.sounds import sound
from airflow_provider_klingvideo.sandbox.drawing.subtitles import ass, srt

# The end of a file's name -> content type, and what makes such a file.
ARTISTS: dict[str, tuple[str, Artist]] = {
    "mp4": ("video/mp4", draw),
    "png": ("image/png", draw),
    "mp3": ("audio/mpeg", sound),
    "wav": ("audio/wav", sound),
    "srt": ("application/x-subrip", srt),
    "ass": ("text/x-ssa", ass),
}
