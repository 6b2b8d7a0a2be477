"""What a selection in a picture looks like: discs around the chosen points, as RLE and as PNG.

The run lengths are those of COCO (column by column, compressed into printable characters), which ``size`` and
``counts`` stand for.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

from airflow_provider_klingvideo.sandbox.files.images import grey_png

Point = tuple[float, float]
"""Fractions of width and height, from the top left corner."""

_RADIUS = 12  # fractions of the shorter side
_LARGEST_RUN_BITS, _MORE, _SIGN, _FIRST_CHARACTER = 0x1F, 0x20, 0x10, 48


def draw_mask(points: Sequence[Point], width: int, height: int) -> dict[str, Any]:
    """The mask of a selection in both forms."""
    columns = [_intervals(points, x, width, height) for x in range(width)]
    pixels = bytearray(width * height)
    for x, intervals in enumerate(columns):
        for top, bottom in intervals:
            pixels[top * width + x : bottom * width + x : width] = b"\xff" * (bottom - top)
    size = [height, width]
    picture = base64.b64encode(grey_png(width, height, bytes(pixels))).decode()
    return {
        "rle_mask": {"size": size, "counts": _compressed(_runs(columns, height))},
        "png_mask": {"size": size, "base64": picture},
    }


def _intervals(points: Sequence[Point], x: int, width: int, height: int) -> list[tuple[int, int]]:
    """The parts of a column that lie in a disc, from top to bottom, without overlap."""
    radius = min(width, height) / _RADIUS
    merged: list[tuple[int, int]] = []
    reaching = [(px * width - x, py * height) for px, py in points]
    halves = [(y, math.sqrt(radius**2 - distance**2)) for distance, y in reaching if abs(distance) <= radius]
    for top, bottom in sorted((max(0, round(y - half)), min(height, round(y + half))) for y, half in halves):
        if merged and top <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(bottom, merged[-1][1]))
        elif bottom > top:
            merged.append((top, bottom))
    return merged


def _runs(columns: Sequence[Sequence[tuple[int, int]]], height: int) -> list[int]:
    """How many pixels are out, in, out, ... of the selection."""
    runs, end = [], 0
    for x, intervals in enumerate(columns):
        for top, bottom in intervals:
            runs += [x * height + top - end, bottom - top]
            end = x * height + bottom
    return [*runs, len(columns) * height - end]


def _compressed(runs: Sequence[int]) -> str:
    text = ""
    for index, run in enumerate(runs):
        value, more = (run - runs[index - 2] if index > 2 else run), True
        while more:
            bits = value & _LARGEST_RUN_BITS
            value >>= 5
            more = value != (-1 if bits & _SIGN else 0)
            text += chr(bits + (_MORE if more else 0) + _FIRST_CHARACTER)
    return text
