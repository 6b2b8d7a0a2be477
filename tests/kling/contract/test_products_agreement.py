"""The client's rules and the sandbox's were written apart: for every product, what one accepts the other must accept,
and refuse likewise; where both accept, the price that was estimated is the price of the order.

What Kling ignores silently, a field that a path does not know, is refused by the client alone.
"""

from __future__ import annotations

import itertools
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kling_servers import API_KEY
from product_requests import AUDIO, FACE, LEGAL, SELECTION, SESSION, VALUES, VIDEO

from airflow_provider_klingvideo.kling import (
    PRODUCTS,
    ApiFamily,
    ApiKeyAuth,
    InvalidRequestError,
    KlingClient,
    Quote,
    check_request,
    parse_request,
    quote,
)
from airflow_provider_klingvideo.kling.client.operations import create
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

numbers = itertools.count()

# What only the client knows: Kling would take it, and make something else of it than was meant.
ONLY_OURS = (
    # A model without shots reads them as one long prompt.
    "shots: are not known",
    "prompt: is given with shots",
    "multi_shot: several",
    # The 2.x models ignore it.
    "cfg_scale: is not known",
    # Handles are no part of a legacy body.
    "is given 2 times",
    # One of the two would not be sent.
    "frontal_image or video: none is given, or more than one",
)
# What only Kling knows: its libraries and sessions.
ONLY_THE_VENDORS = ("not found", "Invalid voice_id", "does not fit a video")


class Shop:
    """A sandbox, and what of its own the requests speak of."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        self.prices: dict[str, Decimal] = {}
        self.client = KlingClient(ApiKeyAuth(API_KEY), base_url=sandbox.url)
        clip = self.client.create(
            parse_request({"prompt": "a red fox", "model": "kling-2.5-turbo"}), external_task_id="clip"
        )
        while not (outputs := self.client.get_task(clip.id, kind="text_to_video").outputs):
            time.sleep(0.02)
        video_id = str(outputs[0].id)
        faces = self.client.identify_faces(video_id=video_id)
        selection = self.client.init_selection(video_id=video_id)
        self.client.add_selection(selection.session_id, 0, [(0.5, 0.5)])
        speech = self.client.speak("Hello there, how are you today?", voice_id="oversea_male1")
        self.names = {
            SESSION: faces.session_id,
            FACE: faces.faces[0].id,
            SELECTION: selection.session_id,
            AUDIO: speech.audio_id,
            VIDEO: video_id,
        }

    def accepts(self, request: Any, family: ApiFamily) -> bool:
        self.number = next(numbers)
        try:
            self.client.create(request, external_task_id=f"agreement-{self.number}", family=family)
        except InvalidRequestError as error:
            self.words = error.vendor_message or error.message
            return False
        self.words = ""
        return True

    def expect(self, price: Quote) -> None:
        """Remember the price of the order that was just accepted."""
        if price.units is not None:
            self.prices[f"agreement-{self.number}"] = price.units

    def wrong_prices(self) -> dict[str, tuple[Decimal, str]]:
        """Which orders since the last call were not quoted as they were estimated."""
        quoted = {row["external_id"]: row["quoted_units"] for row in self.sandbox.ledger()["tasks"]}
        expected, self.prices = self.prices, {}
        return {name: (units, quoted[name]) for name, units in expected.items() if units != Decimal(quoted[name])}

    def named(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self.names.get(value, value) if isinstance(value, str) else value for name, value in fields.items()
        }


@pytest.fixture(scope="module")
def shop():
    plenty = {name: Decimal(10**9) for name in ("balance", "image_balance", "try_on_balance")}
    many = dict.fromkeys(("slots", "image_slots", "try_on_slots"), 10**6)
    everything = SandboxSettings(
        api_key=API_KEY, queue_seconds=0, generation_seconds=0, max_render_height=64, **plenty, **many
    )
    with SandboxServer(everything) as server:
        yield Shop(server)


def disagreement(shop: Shop, legal: dict[str, Any], changes: dict[str, Any], family: ApiFamily) -> str:
    """Say where client and sandbox differ about a request; empty where they agree, or it cannot be written down."""
    try:
        request = parse_request(shop.named({**legal, **changes}))
    except InvalidRequestError:
        return ""
    refusal = ""
    try:
        check_request(request, family, unknown_models="refuse")
    except InvalidRequestError as error:
        refusal = error.message
    accepted = shop.accepts(request, family)
    if accepted and not refusal:
        shop.expect(quote(request, family))
    if accepted != bool(refusal) or any(words in shop.words for words in ONLY_THE_VENDORS):
        return ""
    if accepted and (any(words in refusal for words in ONLY_OURS) or is_not_sent(shop, legal, changes, family)):
        return ""
    return f"client: {refusal or 'accepted'}; sandbox: {shop.words or 'accepted'}"


def is_not_sent(shop: Shop, legal: dict[str, Any], changes: dict[str, Any], family: ApiFamily) -> bool:
    """Whether some of the changes leave no trace in what is sent: the client refuses what would be ignored."""
    whole = body(shop, {**legal, **changes}, family)
    without = (
        {**legal, **{name: value for name, value in changes.items() if name != left_out}} for left_out in changes
    )
    return any(body(shop, fields, family) == whole for fields in without)


def body(shop: Shop, fields: dict[str, Any], family: ApiFamily) -> Any:
    return create(parse_request(shop.named(fields)), family, "same").json


CASES = [(name, family) for name, (families, _) in LEGAL.items() for family in families]
IDS = [f"{name}-{family}" for name, family in CASES]


@pytest.mark.parametrize(("name", "family"), CASES, ids=IDS)
def test_a_legal_request_is_accepted_by_both(shop, name, family):
    request = parse_request(shop.named(LEGAL[name][1]))
    assert check_request(request, family) == []
    assert shop.accepts(request, family), shop.words


@pytest.mark.parametrize(("name", "family"), CASES, ids=IDS)
def test_any_one_change_is_judged_alike(shop, name, family):
    legal = LEGAL[name][1]
    known = PRODUCTS[legal["kind"]].request.model_fields
    found = {}
    for field, values in VALUES.items():
        for value in values if field in known else ():
            if words := disagreement(shop, legal, {field: value}, family):
                found[f"{field}={str(value)[:60]}"] = words
    assert found == {}
    assert shop.wrong_prices() == {}


CHANGES = st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(0, 99), min_size=2, max_size=4)


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(case=st.sampled_from(CASES), changes=CHANGES)
# What is not sent, beside another change that is.
@example(
    case=("t2v", ApiFamily.NEW),
    changes={"audio": VALUES["audio"].index("native"), "prompt": VALUES["prompt"].index("\u00fc")},
)
def test_any_changes_are_judged_alike(shop, case, changes):
    name, family = case
    legal = LEGAL[name][1]
    known = PRODUCTS[legal["kind"]].request.model_fields
    chosen = {field: VALUES[field][index % len(VALUES[field])] for field, index in changes.items() if field in known}
    assert disagreement(shop, legal, chosen, family) == ""


@pytest.mark.parametrize("kind", PRODUCTS)
def test_every_product_and_every_field_is_tried(kind):
    assert kind in {request["kind"] for _, request in LEGAL.values()}
    tried = {*VALUES, "kind", "scene"}
    assert set(PRODUCTS[kind].request.model_fields) <= tried
