"""The products that can be ordered, a module each or one for a family."""

from __future__ import annotations

from typing import Any

from airflow_provider_klingvideo.kling.products import (
    audio,
    avatar,
    effect,
    image,
    image_expand,
    image_multi_shot,
    image_to_video,
    library,
    lip_sync,
    lip_sync_text,
    motion_control,
    multi_elements,
    multi_image,
    omni_image,
    omni_video,
    solutions,
    text_to_video,
    try_on,
)
from airflow_provider_klingvideo.kling.products.base import Product

PRODUCTS: dict[str, Product[Any]] = {
    product.kind: product
    for product in (
        text_to_video.PRODUCT,
        image_to_video.PRODUCT,
        omni_video.PRODUCT,
        motion_control.PRODUCT,
        avatar.PRODUCT,
        lip_sync.PRODUCT,
        lip_sync_text.PRODUCT,
        effect.PRODUCT,
        multi_elements.PRODUCT,
        image.PRODUCT,
        omni_image.PRODUCT,
        multi_image.PRODUCT,
        image_expand.PRODUCT,
        image_multi_shot.PRODUCT,
        try_on.PRODUCT,
        try_on.KOLORS_PRODUCT,
        audio.PRODUCT,
        audio.VIDEO_PRODUCT,
        library.PRODUCT,
        library.ELEMENT_PRODUCT,
        *solutions.PRODUCTS,
    )
}
"""By kind."""
