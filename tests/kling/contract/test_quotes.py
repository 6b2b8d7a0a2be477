"""The quote is the bill: every priced combination is ordered from sandboxes, which compute their bills themselves."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from kling_servers import API_KEY
from product_requests import BOTH, CLIP, ELEMENT, PICTURE, VOICE

from airflow_provider_klingvideo.kling import (
    PRODUCTS,
    ApiFamily,
    ApiKeyAuth,
    InvalidRequestError,
    KlingClient,
    Quote,
    Task,
    Terms,
    check_request,
    parse_request,
    quote,
    registry,
)
from airflow_provider_klingvideo.kling.products.media_fields import with_media
from airflow_provider_klingvideo.kling.products.reading import MediaKind
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

SECONDS = range(3, 31)
COUNTS = range(1, 10)
FIRST = {"first_frame": PICTURE}
# What may decide the price, by product: fields that every request has, and those that are tried in all combinations.
FIXED: dict[str, dict[str, Any]] = {
    "text_to_video": {"prompt": "a red fox"},
    "image_to_video": {"prompt": "it runs", **FIRST},
    "omni_video": {"prompt": "a red fox", "aspect_ratio": "16:9"},
    "image": {"prompt": "a red fox"},
    "omni_image": {"prompt": "a red fox"},
    "multi_image": {"prompt": "a red fox", "subject_images": [PICTURE]},
    "image_expand": {"image": PICTURE, "up": 0.1},
    "image_multi_shot": {"image": PICTURE},
    "text_to_audio": {"prompt": "rain"},
}
VARIED: dict[str, list[dict[str, Any]]] = {
    "image_to_video": [{}, {"last_frame": PICTURE}, {"voices": [VOICE]}, {"elements": [ELEMENT]}],
    "omni_video": [{}, FIRST, {"reference_video": {"url": CLIP, "use": "feature"}}, {**FIRST, "aspect_ratio": None}],
    "image": [{}, {"image": PICTURE}],
    "omni_image": [{}, {"series": 3}],
    "text_to_audio": [{"duration": seconds} for seconds in (3, 10)],
}


def combinations() -> Iterator[tuple[ApiFamily, dict[str, Any]]]:
    """Every legal request of the products that a list prices."""
    for can in registry().capabilities:
        if can.is_retired or can.kind not in FIXED:
            continue
        known = PRODUCTS[can.kind].request.model_fields
        tried = {
            "resolution": can.resolutions or ("720p",),
            "duration": SECONDS,
            "audio": (*can.audio, "default"),
            "n": COUNTS,
        }
        names = [name for name in tried if name in known and can.kind != "text_to_audio"]
        model = {"model": can.model} if "model" in known else {}
        for values in itertools.product(*(tried[name] for name in names)):
            for more in VARIED.get(can.kind, [{}]):
                fields = {**FIXED[can.kind], **model, **dict(zip(names, values, strict=True)), **more}
                yield can.family, {"kind": can.kind, **{key: one for key, one in fields.items() if one is not None}}


def legal() -> list[tuple[ApiFamily, Any]]:
    found = []
    for family, fields in combinations():
        try:
            request = parse_request(fields)
            check_request(request, family, unknown_models="refuse")
        except InvalidRequestError:
            continue
        found.append((family, request))
    return found


LEGAL = legal()
MADE: dict[MediaKind, dict[str, Any]] = {
    MediaKind.PICTURE: {"kind": "image", "model": "kling-3.0"},
    MediaKind.VIDEO: {"kind": "text_to_video", "model": "kling-2.5-turbo"},
}
PLENTY = {name: Decimal(10**9) for name in ("balance", "image_balance", "try_on_balance", "credit")}
MANY = dict.fromkeys(("slots", "image_slots", "try_on_slots"), 10**6)


def as_units(told: Quote) -> dict[str, Any]:
    return {"units": told.units, "cash": {}}


def as_cash(told: Quote) -> dict[str, Any]:
    return {"units": None, "cash": {told.currency: told.money}}


class Shop:
    """Orders, with inputs that the sandbox can fetch: a picture and a video of its own."""

    def __init__(self, client: KlingClient) -> None:
        self.client = client
        self.numbers = itertools.count()
        self.media: dict[MediaKind, str] = {}
        for kind, fields in MADE.items():
            request = parse_request({**fields, "prompt": "a red fox"})
            task = self.ended(self.order(request, ApiFamily.LEGACY), request)
            self.media[kind] = str(task.outputs[0].url)

    def order(self, request: Any, family: ApiFamily) -> str:
        fetchable = with_media(request, lambda _where, kind, _value: self.media[kind])
        return str(self.client.create(fetchable, external_task_id=f"quote-{next(self.numbers)}", family=family).id)

    def ended(self, task_id: str, request: Any) -> Task:
        deadline = time.monotonic() + 60
        while not (task := self.client.get_task(task_id, kind=request.kind)).status.is_terminal:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return task

    def bill_of(self, task_id: str, request: Any) -> dict[str, Any]:
        task = self.ended(task_id, request)
        assert task.bill is not None, task.message
        return {"units": task.bill.units or None, "cash": task.bill.cash}


@pytest.mark.parametrize(
    ("payment", "region", "billed", "step"),
    [("units", "singapore", as_units, 1), ("cash", "singapore", as_cash, 1), ("cash", "beijing", as_cash, 7)],
    ids=["pack", "dollars", "yuan"],
)
def test_the_quote_of_every_priced_combination_is_its_bill(payment, region, billed, step):
    settings = SandboxSettings(
        api_key=API_KEY, region=region, payment=payment, queue_seconds=0, generation_seconds=0, **PLENTY, **MANY
    )
    with SandboxServer(settings) as sandbox, KlingClient(ApiKeyAuth(API_KEY), base_url=sandbox.url) as client:
        shop = Shop(client)
        quotes = [(family, request, quote(request, family, Terms(region))) for family, request in LEGAL[::step]]
        orders = [(shop.order(request, family), request, told) for family, request, told in quotes if told.units]
        bills = [(str(request), billed(told), shop.bill_of(task_id, request)) for task_id, request, told in orders]
    assert {request: (told, bill) for request, told, bill in bills if told != bill} == {}
    assert len(bills) == len(LEGAL[::step]) > 2000 // step


def test_both_families_are_tried():
    assert {family for family, _ in LEGAL} == set(BOTH)
