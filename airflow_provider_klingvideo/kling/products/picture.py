"""What pictures made from a prompt have in common."""

from __future__ import annotations

from airflow_provider_klingvideo.kling.products.base import AspectRatio, Model, Resolution, WatermarkedRequest
from airflow_provider_klingvideo.kling.products.limits import ranged

MAX_PICTURES = 9
"""Pictures of one task (kling-api section 7.5)."""
MAX_REFERENCES = 10
"""Pictures and elements that a picture can be made from (kling-api section 7.5)."""


class PictureRequest(WatermarkedRequest):
    """What requests for pictures from a prompt share.

    :param model: the model.
    :param prompt: what the picture shows.
    :param resolution: ``1k``, ``2k`` or ``4k``.
    :param n: how many pictures, 1 to 9; each is paid.
    :param aspect_ratio: ``16:9``, ``9:16``, ``1:1``, ``4:3``, ``3:4``, ``3:2``, ``2:3`` or ``21:9``.
    """

    model: Model
    prompt: str = ""
    resolution: Resolution = "1k"
    n: int = 1
    aspect_ratio: AspectRatio = "16:9"


count = ranged("n", 1, MAX_PICTURES)
