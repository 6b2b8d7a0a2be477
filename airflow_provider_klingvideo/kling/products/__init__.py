"""The products that can be ordered, one module each."""

from __future__ import annotations

from typing import Any

from airflow_provider_klingvideo.kling.products import image_to_video, text_to_video
from airflow_provider_klingvideo.kling.products.base import Product

PRODUCTS: dict[str, Product[Any]] = {
    module.PRODUCT.kind: module.PRODUCT
    for module in (
        text_to_video,
        image_to_video,
    )
}
"""By kind."""
