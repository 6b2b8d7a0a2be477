"""What is told of a price before the order: how much, how sure, and why."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_klingvideo.kling import ApiFamily, Sureness, Terms, parse_request, quote
from airflow_provider_klingvideo.kling.catalogue.price_book import parse_contract, parse_prices

NEW, LEGACY = ApiFamily.NEW, ApiFamily.LEGACY
FOX = {"prompt": "a red fox", "model": "kling-3.0", "audio": "native"}
MOTION = {"kind": "motion_control", "image": "https://example.org/a.png", "video": "https://example.org/a.mp4"}
LIPS = {"kind": "lip_sync", "video": "https://example.org/a.mp4", "sound": "https://example.org/a.mp3"}
EFFECT = {"kind": "effect", "scene": "hug_pro", "images": ["https://example.org/a.png"] * 2}


def told(params, family=NEW, **terms):
    return quote(parse_request(params), family, Terms(**terms))


def test_what_it_follows_from_is_told():
    found = told(FOX)
    assert (found.units, found.money, found.currency) == (Decimal("4.5"), Decimal("0.63"), "USD")
    assert str(found) == "4.5 units or 0.63 USD (5 x kling-3.0 native 720p at 0.9 units by the list of 2026-11-22)"


def test_money_is_that_of_the_region():
    found = told(FOX, region="beijing")
    assert (found.units, found.money, found.currency) == (Decimal("4.5"), Decimal("4.5"), "CNY")


@pytest.mark.parametrize(
    ("params", "family", "why"),
    [
        ({**FOX, "model": "kling-9"}, NEW, "kling-9 native 720p is on no price list"),
        (MOTION, NEW, "it follows what only Kling sees"),
        (EFFECT, LEGACY, "Kling publishes no price of effects"),
    ],
)
def test_unknown_is_said_as_unknown_and_why(params, family, why):
    found = told(params, family)
    assert (found.units, found.least, found.money, found.sure) == (None, None, None, Sureness.UNKNOWN)
    assert str(found).startswith("unknown (")
    assert why in found.why


def test_the_least_is_told_where_only_kling_sees_the_length():
    found = told({**LIPS, "sound_end_ms": 6000}, LEGACY)
    assert (found.units, found.least, found.sure) == (None, Decimal("1.0"), Sureness.AT_LEAST)
    assert str(found).startswith("at least 1 units or 0.14 USD, and 0.05 units for a look before (2 x lip_sync")


def test_a_contract_goes_before_the_list_and_only_where_it_says_something():
    rows = [{"model": "kling-3.0", "feature": "native", "units": {"720p": "0.5"}}]
    rates = [{"pack": "video", "currency": "EUR", "money": "0.10"}]
    contract = parse_contract({"prices": rows, "rates": rates, "discount": "0.2"}, "singapore")
    found = told(FOX, contract=contract)
    assert (found.units, found.money, found.currency) == (Decimal("2.5"), Decimal("0.200"), "EUR")
    assert found.sure is Sureness.CONTRACT
    assert found.why.endswith("by the contract")
    other = told({**FOX, "resolution": "1080p"}, contract=contract)
    assert (other.units, other.sure) == (Decimal("6.0"), Sureness.LISTED)


@pytest.mark.parametrize(
    ("contract", "fault"),
    [
        ([], "it is no object"),
        ({"price": []}, "it has price, but only"),
        ({"prices": {}}, "prices is no list of objects"),
        ({"prices": [{"units": {"any": 1}}]}, "prices.0 has no model"),
        ({"prices": [{"model": "kling-3.0", "units": {}}]}, "prices.0: units are no numbers by resolution"),
        ({"prices": [{"model": "kling-3.0", "units": {"any": -1}}]}, "prices.0: -1 is no number of at least 0"),
        ({"rates": [{"pack": "video", "currency": "USD", "money": "cheap"}]}, "rates.0: 'cheap' is no number"),
        ({"discount": "20"}, "the discount 20 is more than the whole price"),
        ({"discount": "NaN"}, "'NaN' is no number"),
    ],
)
def test_a_contract_that_is_none_says_where(contract, fault):
    with pytest.raises(ValueError, match=fault):
        parse_contract(contract, "singapore")


def test_what_a_later_version_writes_into_a_price_is_passed_over():
    row = {"model": "m", "feature": "any", "per": "call", "units": {"any": "1"}, "source": "s", "confidence": "c"}
    assert parse_prices([{**row, "new": 1}]) == parse_prices([row])
