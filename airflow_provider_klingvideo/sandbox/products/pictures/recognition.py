"""Image recognition: what can be cut out of a picture comes with the answer (kling-api section 7.5)."""

from __future__ import annotations

from decimal import Decimal

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_klingvideo.sandbox.account.answers import Answer
from airflow_provider_klingvideo.sandbox.account.catalog import Generation
from airflow_provider_klingvideo.sandbox.account.fields import Fields, parse_object
from airflow_provider_klingvideo.sandbox.account.limits import LEGACY_IMAGE
from airflow_provider_klingvideo.sandbox.account.orders import Order, read_input
from airflow_provider_klingvideo.sandbox.account.shapes import all_shown
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.account.views import deductions
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import required_text
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, base_url, sandbox_of

SEGMENTS = ("object_seg", "head_seg", "face_seg", "cloth_seg")
UNITS = Decimal("0.1")

PATH = "/v1/videos/image-recognize"

router = APIRouter(route_class=VendorRoute)


@router.post(PATH)
async def recognise(request: Request) -> Response:
    """Find object, head, face and clothes; the sandbox finds all of them in every picture."""
    sandbox = sandbox_of(request)
    fields = Fields(parse_object(await request.body()))
    order = Order(
        generation=Generation.LEGACY,
        product="image-recognize",
        path=PATH,
        model="image-recognize",
        prompt="",
        units=UNITS,
        results=tuple(Result(type="image", role=segment) for segment in SEGMENTS),
        inputs=(read_input("image", required_text(fields, "image"), LEGACY_IMAGE),),
        follow=Follow(shape="image"),
    )
    task = await sandbox.perform(order, base_url(request))
    images = [
        {"type": found.result.role, "is_contain": True, "url": found.url("png")}
        for found in all_shown(task, sandbox.sign_for(base_url(request)))
    ]
    return Answer({"task_result": {"images": images}} | deductions(task, task.timeline[-1]))
