"""Input images named by a path: read when they are needed, so that no picture travels in a job record."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from airflow_provider_klingvideo.workflow.errors import InputError
from airflow_provider_klingvideo.workflow.paths import OpenPath

IMAGE_FIELDS = ("first_frame", "last_frame")

MEGABYTE = 1024 * 1024
# kling-api sections 6.1 and 7.1.
MAX_IMAGE_BYTES = {"new": 50 * MEGABYTE, "legacy": 10 * MEGABYTE}
SIGNATURES = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff"}

# No path that a person writes is as long; base64 of the smallest legal picture is longer.
LONGEST_PATH = 1024


def is_url(value: str) -> bool:
    """Whether the vendor can fetch the value itself."""
    return value.startswith(("http://", "https://"))


def inline_images(params: Mapping[str, Any]) -> list[str]:
    """Name the fields that hold a picture itself instead of its address; a record must not carry it."""
    return [
        name
        for name in IMAGE_FIELDS
        if isinstance(value := params.get(name), str)
        and not is_url(value)
        and (value.startswith("data:") or len(value) > LONGEST_PATH)
    ]


def with_inputs(params: Mapping[str, Any], open_path: OpenPath, generation: str) -> dict[str, Any]:
    """Replace paths of pictures by their content as base64; URLs stay.

    :param params: parameters of a request.
    :param open_path: makes a path object of a path or URI.
    :param generation: ``new`` or ``legacy``; it decides how large a picture may be.
    :raises InputError: for a file that is missing, empty, too large, or no PNG or JPEG.
    """
    paths = {
        name: value
        for name in IMAGE_FIELDS
        if isinstance(value := params.get(name), str) and value and not is_url(value)
    }
    return {**params, **{name: _read(name, value, open_path, generation) for name, value in paths.items()}}


def _read(name: str, value: str, open_path: OpenPath, generation: str) -> str:
    limit = MAX_IMAGE_BYTES[generation]
    try:
        path = open_path(value)
        if not path.exists():
            raise InputError(
                f"{name}: there is no file {value}",
                advice="Check the path; the worker must be able to read it",
            )
        size = path.stat().st_size
        if size > limit:
            raise InputError(
                f"{name}: {value} has {size / MEGABYTE:.1f} MB; at most {limit // MEGABYTE} MB are accepted"
            )
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{name}: {value} cannot be read: {error}", retryable=True) from error
    if not content.startswith(tuple(SIGNATURES.values())):
        raise InputError(f"{name}: {value} is neither a {' nor a '.join(SIGNATURES)} file")
    return base64.b64encode(content).decode()
