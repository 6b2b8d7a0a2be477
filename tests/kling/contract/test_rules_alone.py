"""Every rule of every product is broken alone by some request: it says so, and no other rule has anything to say."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from product_requests import LEGAL, VALUES

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling import PRODUCTS, ApiFamily, InvalidRequestError, parse_request, registry

RULES = [(kind, rule) for kind, product in PRODUCTS.items() for rule in product.rules]


def changes(kind: str) -> Iterator[dict[str, Any]]:
    known = PRODUCTS[kind].request.model_fields
    values = {field: some for field, some in VALUES.items() if field in known}
    yield from ({field: value} for field, some in values.items() for value in some)
    for one, other in itertools.combinations(values, 2):
        yield from ({one: first, other: second} for first in values[one] for second in values[other])


def requests(kind: str) -> Iterator[tuple[Any, ApiFamily]]:
    bases = [one for one in LEGAL.values() if one[1]["kind"] == kind]
    for change in changes(kind):
        for families, legal in bases:
            with contextlib.suppress(InvalidRequestError):
                request = parse_request({**legal, **change})
                yield from ((request, family) for family in families)


def broken(request: Any, family: ApiFamily) -> dict[Any, list[Fault]]:
    can = registry().find(request.kind, request.model_name, family)
    rules = PRODUCTS[request.kind].rules if can else ()
    return {rule: faults for rule in rules if (faults := list(rule(request, can)))}


@pytest.fixture(scope="module")
def alone() -> dict[tuple[str, Any], list[Fault]]:
    """By kind and rule: what it says where no other rule does."""
    found: dict[tuple[str, Any], list[Fault]] = {}
    for kind, product in PRODUCTS.items():
        missing = set(product.rules)
        for request, family in requests(kind):
            faults = broken(request, family)
            if len(faults) == 1 and missing.intersection(faults):
                found[kind, next(iter(faults))] = next(iter(faults.values()))
                missing -= faults.keys()
            if not missing:
                break
    return found


@pytest.mark.parametrize(
    ("kind", "rule"),
    RULES,
    ids=[f"{kind}-{rule.__qualname__.partition('.')[0]}-{n}" for n, (kind, rule) in enumerate(RULES)],
)
def test_it_is_broken_alone_and_names_what_is_wrong(alone, kind, rule):
    faults = alone.get((kind, rule))
    assert faults, "no request breaks this rule alone"
    assert all(fault.where and fault.what and fault.legal for fault in faults)
