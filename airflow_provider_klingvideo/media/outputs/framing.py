"""Pictures of a branch: the wanted part at the wanted rate, scaled, cropped, padded, in the wanted colours."""

from __future__ import annotations

from typing import Any

from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.outputs.branches import Branch, size_of, window
from airflow_provider_klingvideo.media.outputs.geometry import around, inside

# Without it the fps filter drops a clip's only frame.
KEEP_LAST = {"eof_action": "pass"}
# The blurred edges keep nothing that could be recognised, whatever the size of the picture.
BLURS_PER_SIDE = 27
BT709 = {"color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709"}


def timed(branch: Branch) -> Any:
    """The wanted part of the pictures, at the wanted speed and at a constant rate."""
    output, info = branch.output, branch.info
    frames = branch.frames()
    start, end = window(output, info)
    if start > 0 or end < info.duration:
        frames = frames.filter("trim", start=start, end=end).filter("setpts", "PTS-STARTPTS")
    if output.speed:
        frames = frames.filter("setpts", f"PTS/{output.speed}")
    fps = output.fps or output.row.fps or (info.fps if info.variable_fps or output.speed else 0)
    return frames.filter("fps", fps, **KEEP_LAST) if fps else frames


def shaped(frames: Any, branch: Branch) -> Any:
    """Scale pictures to the output's size; another aspect ratio is cropped or gets edges."""
    output, shown = branch.output, branch.info.display_size
    width, height = size = size_of(output, branch.info)
    if output.fit in {None, "crop"}:
        covering = around(shown, size) if output.changes_aspect else size
        scaled = frames.filter("scale", *covering)
        return scaled if covering == size else scaled.filter("crop", width, height)
    within = inside(shown, size)
    if output.fit == "pad":
        return frames.filter("scale", *within).filter("pad", width, height, -1, -1)
    both = frames.split()
    behind = both[0].filter("scale", *around(shown, size)).filter("crop", width, height)
    behind = behind.filter("gblur", sigma=max(1, min(size) // BLURS_PER_SIDE))
    return behind.overlay(both[1].filter("scale", *within), x="(W-w)/2", y="(H-h)/2", format="auto")


def tagged(frames: Any, info: MediaInfo) -> Any:
    """What has no tags counts as BT.709, also for what is drawn over it."""
    return frames if info.color_space else frames.filter("setparams", colorspace="bt709")


def colored(frames: Any, info: MediaInfo, pixel_format: str) -> Any:
    """Turn tagged pictures into BT.709 of limited range, and say so in their tags."""
    if not info.is_bt709:
        frames = frames.filter("scale", out_color_matrix="bt709", out_range="tv")
    frames = frames.filter("format", pixel_format)
    return frames.filter("setparams", range="tv", **BT709).filter("setsar", 1)
