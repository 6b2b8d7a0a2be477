"""A picture continued beyond its edges (kling-api section 7.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products import picture, video
from airflow_provider_klingvideo.kling.products.base import (
    Picture,
    Product,
    Route,
    WatermarkedRequest,
    common_options,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import ranged

LARGEST_GROWTH = 3.0
SIDES = ("up", "down", "left", "right")


class ImageExpandRequest(WatermarkedRequest):
    """A picture continued beyond its edges.

    :param image: the picture.
    :param up: how far upwards, as a share of the height, 0 to 2.
    :param down: the same downwards.
    :param left: the same to the left, as a share of the width.
    :param right: the same to the right.
    :param prompt: what is to be seen there.
    :param n: how many pictures, 1 to 9; each is paid.
    """

    kind: Literal["image_expand"] = "image_expand"
    image: Picture
    up: float = 0
    down: float = 0
    left: float = 0
    right: float = 0
    prompt: str = ""
    n: int = 1


def _area(request: ImageExpandRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 7.5."""
    growth = (1 + request.up + request.down) * (1 + request.left + request.right)
    if growth > LARGEST_GROWTH:
        yield Fault(
            ", ".join(SIDES), f"make an area of {growth:.2f} times the old one", f"at most {LARGEST_GROWTH:g} times"
        )


def _body(request: ImageExpandRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return without_nones(
        {
            "image": request.image,
            **{f"{side}_expansion_ratio": getattr(request, side) for side in SIDES},
            "prompt": request.prompt or None,
            "n": request.n,
            **common_options(request, external_task_id),
        }
    )


def _line(request: ImageExpandRequest, _can: Capability | None) -> Line:
    return Line("image_expand", "any", "any", request.n)


PRODUCT = Product(
    kind="image_expand",
    label="Image expansion",
    request=ImageExpandRequest,
    routes={ApiFamily.LEGACY: Route("/v1/images/editing/expand", _body)},
    rules=(*(ranged(side, 0, 2) for side in SIDES), _area, video.prompt_length, picture.count),
    line=_line,
    pack="image",
)
