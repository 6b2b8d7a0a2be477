"""Stills and short animations."""

from __future__ import annotations

import math
from typing import Any

import ffmpeg

from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.outputs.branches import Branch, window
from airflow_provider_klingvideo.media.outputs.framing import KEEP_LAST, shaped, timed
from airflow_provider_klingvideo.media.outputs.geometry import Size, fit
from airflow_provider_klingvideo.media.outputs.plan import Output
from airflow_provider_klingvideo.media.outputs.presets import SIZING

CELL_BOX = (320, 320)
GRIDS = ((4, 3), (3, 2), (2, 1), (1, 1))
THUMB_BOX = (160, 160)
THUMB_SECONDS = 0.5
THUMB_COLUMNS = 10
MAX_THUMBS = 100
# JPEG's scale: 2 is best, 31 worst.
JPEG_BEST, JPEG_WORST = 2, 31


def build_gif(branch: Branch) -> Any:
    """An animated GIF: its palette is made from all frames, which are held in memory until then."""
    both = shaped(timed(branch), branch).split()
    painted = ffmpeg.filter([both[0], both[1].filter("palettegen")], "paletteuse")
    return ffmpeg.output(painted, str(branch.target), format="gif", loop=0)


def build_webp(branch: Branch) -> Any:
    """An animated WebP."""
    shrunk = shaped(timed(branch), branch).filter("format", "yuv420p")
    return ffmpeg.output(
        shrunk,
        str(branch.target),
        vcodec="libwebp_anim",
        format="webp",
        loop=0,
        quality=_quality(branch.output),
        compression_level=3,
    )


def build_poster(branch: Branch) -> Any:
    """One frame that is typical of the beginning."""
    start, end = window(branch.output, branch.info)
    # The most typical of a few early frames: no fade-in from black, and a clip of one frame has one, too.
    early = branch.frames().filter("trim", start=start, end=end).filter("fps", 5, **KEEP_LAST)
    chosen = early.filter("thumbnail", 10)
    return _still(shaped(chosen, branch) if branch.output.sets(SIZING) else chosen, branch)


def build_sheet(branch: Branch) -> Any:
    """Frames from beginning to end in a grid."""
    grid = _sheet_grid(branch.info)
    return _still(_tiled(branch.frames(), branch.info, grid, math.prod(grid), CELL_BOX), branch)


def build_sprite(branch: Branch) -> Any:
    """Small frames in a grid, one for every cue of :func:`thumbnail_cues`."""
    info = branch.info
    # Frames at a constant rate, the last one held: every cell gets its picture.
    steady = branch.frames().filter("fps", info.fps, **KEEP_LAST) if info.fps else branch.frames()
    held = steady.filter("tpad", stop_mode="clone", stop_duration=info.duration)
    return _still(_tiled(held, info, _sprite_grid(info), _thumbs(info), THUMB_BOX), branch)


def sheet_size(_output: Output, info: MediaInfo) -> Size:
    """Width and height of a contact sheet."""
    return _times(_sheet_grid(info), fit(info.display_size, CELL_BOX))


def sprite_size(_output: Output, info: MediaInfo) -> Size:
    """Width and height of a sprite."""
    return _times(_sprite_grid(info), fit(info.display_size, THUMB_BOX))


def thumbnail_cues(output: Output, info: MediaInfo) -> str:
    """WebVTT that names a part of the sprite for every span, as video players read it."""
    count, (width, height) = _thumbs(info), fit(info.display_size, THUMB_BOX)
    columns, span = _sprite_grid(info)[0], info.duration / count
    cues = [
        f"{_clock(index * span)} --> {_clock((index + 1) * span)}\n"
        f"{output.file_name}#xywh={index % columns * width},{index // columns * height},{width},{height}\n"
        for index in range(count)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _tiled(frames: Any, info: MediaInfo, grid: Size, count: int, box: Size) -> Any:
    # The first frame of each of as many equal spans as there are cells.
    spans = f"{count}/{info.duration:.6f}"
    spaced = frames.filter("select", f"isnan(prev_selected_t)+gt(floor(t*{spans}),floor(prev_selected_t*{spans}))")
    return spaced.filter("scale", *fit(info.display_size, box)).filter("tile", f"{grid[0]}x{grid[1]}", nb_frames=count)


def _still(frames: Any, branch: Branch) -> Any:
    worse = (100 - _quality(branch.output)) * (JPEG_WORST - JPEG_BEST) / 99
    return ffmpeg.output(
        frames.filter("format", "yuvj420p"),
        str(branch.target),
        vcodec="mjpeg",
        format="image2",
        update=1,
        **{"frames:v": 1, "q:v": JPEG_BEST + round(worse)},
    )


def _quality(output: Output) -> int:
    return output.quality or output.row.quality or 100


def _sheet_grid(info: MediaInfo) -> Size:
    """Columns and rows of the contact sheet: the largest grid that the clip can fill."""
    frames = max(1, round(info.duration * info.fps))
    return next((columns, rows) for columns, rows in GRIDS if columns * rows <= frames)


def _thumbs(info: MediaInfo) -> int:
    return max(1, min(MAX_THUMBS, math.ceil(info.duration / THUMB_SECONDS)))


def _sprite_grid(info: MediaInfo) -> Size:
    count = _thumbs(info)
    columns = min(THUMB_COLUMNS, count)
    return columns, math.ceil(count / columns)


def _times(grid: Size, cell: Size) -> Size:
    return grid[0] * cell[0], grid[1] * cell[1]


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
