"""Endpoints that Kling has switched off, or whose models are all gone (kling-api section 7.2)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import LEGACY_PROMPT_LIMIT
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.orders import Order
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import required_text
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute

_SWITCHED_OFF = "/v1/videos/multi-image2video"

router = APIRouter(route_class=VendorRoute)


@router.api_route(_SWITCHED_OFF, methods=["GET", "POST"])
@router.get(f"{_SWITCHED_OFF}/{{task_id}}")
async def no_longer_available(_: Request) -> Response:
    """Say that there is nothing any more."""
    raise invalid("This API is no longer available")


def _read_extension(fields: Fields, _: RequestContext) -> Order:
    """The path still answers, but only clips of retired models could be extended, and none of them is left."""
    video_id = required_text(fields, "video_id")
    for name in ("prompt", "negative_prompt"):
        fields.text(name, LEGACY_PROMPT_LIMIT)
    fields.number("cfg_scale", 0.5, 0, 1)
    raise invalid(f"video_id value '{video_id}' is invalid")


READERS: dict[str, Reader] = {"/v1/videos/video-extend": _read_extension}
