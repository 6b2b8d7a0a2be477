"""Sizes of pictures: even sides, aspect ratios, boxes."""

from __future__ import annotations

Size = tuple[int, int]

ASPECTS: dict[str, Size] = {"16:9": (16, 9), "9:16": (9, 16), "1:1": (1, 1), "4:5": (4, 5), "3:4": (3, 4)}


def even(length: float) -> int:
    """Round to an even length, as most encoders want sides."""
    return max(2, round(length / 2) * 2)


def fit(size: Size, box: Size) -> Size:
    """Shrink a size into a box, keeping the aspect ratio; both sides even."""
    scale = min(1.0, box[0] / size[0], box[1] / size[1])
    return even(size[0] * scale), even(size[1] * scale)


def inside(size: Size, box: Size) -> Size:
    """Scale a size, up or down, to the largest that lies inside a box with even sides; both sides even."""
    scale = min(box[0] / size[0], box[1] / size[1])
    return min(box[0], even(size[0] * scale)), min(box[1], even(size[1] * scale))


def around(size: Size, box: Size) -> Size:
    """Scale a size, up or down, to the smallest that covers a box with even sides; both sides even."""
    scale = max(box[0] / size[0], box[1] / size[1])
    return max(box[0], even(size[0] * scale)), max(box[1], even(size[1] * scale))


def wanted_size(shown: Size, width: int | None, height: int | None, aspect: str | None) -> Size:
    """The size of an output, both sides even.

    An aspect ratio without a side keeps the length of the source's short side: 9:16 of 1920x1080 is 1080x1920.

    :param shown: size of the source as a player shows it.
    :param width: pixels; None follows from the height and the aspect ratio.
    :param height: pixels; None follows from the width and the aspect ratio.
    :param aspect: a key of :data:`ASPECTS`; None keeps the source's.
    """
    if width and height:
        return width, height
    across, down = ASPECTS[aspect] if aspect else shown
    if width:
        return width, even(width * down / across)
    if height:
        return even(height * across / down), height
    short = min(shown) / min(across, down)
    return even(across * short), even(down * short)
