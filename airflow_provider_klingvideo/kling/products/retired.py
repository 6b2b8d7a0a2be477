"""What Kling took away, and what to use in its place: told before anything is sent."""

from __future__ import annotations

from types import MappingProxyType

# kling-api sections 1 and 7.2.
KINDS = MappingProxyType(
    {
        "multi_image_to_video": "kind omni_video with reference_images",
        "video_extend": "kind image_to_video with the last frame of the video as first_frame",
    }
)
"""Retired products, and their successors."""

# kling-api sections 6.1, 7.2 and 11.2.
FIELDS = MappingProxyType(
    {
        "camera_control": "the words of the prompt for the movement of the camera",
        "static_mask": "kind motion_control",
        "dynamic_masks": "kind motion_control",
    }
)
"""Retired fields, and their successors."""
