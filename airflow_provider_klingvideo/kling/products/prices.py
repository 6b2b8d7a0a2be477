"""What a request will cost: the one quote that everything which speaks of a price goes by. Decimal throughout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, registry
from airflow_provider_klingvideo.kling.catalogue.price_book import OF_CONTRACT, OFFICIAL, Line, Price, Terms
from airflow_provider_klingvideo.kling.products import PRODUCTS
from airflow_provider_klingvideo.kling.products.base import GenerationRequest, Product


class Sureness(StrEnum):
    """How sure a quote is."""

    LISTED = "listed"
    """By Kling's own list."""
    CONTRACT = "contract"
    """By the user's contract."""
    UNCONFIRMED = "unconfirmed"
    """By a price that others report."""
    AT_LEAST = "at least"
    """Only the least is known."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Quote:
    """An expected price.

    :param units: units of the product's pack, None when they are not known.
    :param least: the units that it costs at least, where ``units`` cannot say it.
    :param preparation: units of a paid look that has to come before the order, None where there is none.
    :param money: the same as ``units`` for an account that no pack pays for, None where a unit has no price in money.
    :param currency: of the money.
    :param sure: how sure it is.
    :param why: what it follows from, or why it is not known.
    """

    units: Decimal | None = None
    least: Decimal | None = None
    preparation: Decimal | None = None
    money: Decimal | None = None
    currency: str | None = None
    sure: Sureness = Sureness.UNKNOWN
    why: str = ""

    def __str__(self) -> str:
        """Say it for a person, for example ``3 units or 0.42 USD (5 x ...)``."""
        money = "" if self.money is None else f" or {self.money.normalize():f} {self.currency}"
        known = self.units if self.units is not None else self.least
        price = "unknown" if known is None else f"{known.normalize():f} units{money}"
        mark = f"{self.sure} " if self.sure in (Sureness.AT_LEAST, Sureness.UNCONFIRMED) else ""
        look = f", and {self.preparation.normalize():f} units for a look before" if self.preparation else ""
        return f"{mark}{price}{look} ({self.why})"


def quote(request: GenerationRequest, family: ApiFamily, terms: Terms | None = None) -> Quote:
    """Return what a request is expected to cost; what is not known is None, and never zero.

    :param terms: by what the account pays; by default Kling's list for Singapore.
    """
    terms = terms or Terms()
    product = PRODUCTS[request.kind]
    can = registry().find(request.kind, request.model_name, family)
    preparation = _preparation(product, request, terms)
    for make, sure in _lines(product, request, can):
        line = make()
        price = line and registry().book.price(line, terms)
        if line and price:
            return _priced(product, line, price, terms, sure, preparation)
        if line:
            return Quote(preparation=preparation, why=f"{line} is on no price list")
    return Quote(preparation=preparation, why=_why_unknown(product, request))


def _lines(
    product: Product[Any], request: Any, can: Any
) -> tuple[tuple[Callable[[], Line | None], Sureness | None], ...]:
    """What of the list is ordered; then the least of it."""
    line, least = product.line, product.least
    return (
        (lambda: line(request, can) if line else None, None),
        (lambda: least(request) if least else None, Sureness.AT_LEAST),
    )


def _priced(
    product: Product[Any], line: Line, price: Price, terms: Terms, sure: Sureness | None, preparation: Decimal | None
) -> Quote:
    book = registry().book
    each = price.units_of(line, terms.region) or Decimal(0)
    units, rate = each * line.count, book.rate(product.pack, terms)
    is_least = sure is Sureness.AT_LEAST
    money = units * rate.money * (1 - terms.contract.discount) if rate else None
    source = "the contract" if price.confidence == OF_CONTRACT else f"the list of {book.as_of}"
    return Quote(
        units=None if is_least else units,
        least=units if is_least else None,
        preparation=preparation,
        money=money,
        currency=rate.currency if rate else None,
        sure=sure or _sureness(price),
        why=f"{line.count} x {line} at {each:f} units by {source}",
    )


def _sureness(price: Price) -> Sureness:
    if price.confidence == OF_CONTRACT:
        return Sureness.CONTRACT
    return Sureness.LISTED if price.confidence in OFFICIAL else Sureness.UNCONFIRMED


def _preparation(product: Product[Any], request: GenerationRequest, terms: Terms) -> Decimal | None:
    operation = product.preparation(request) if product.preparation else None
    line = operation and Line(operation.what)
    price = line and registry().book.price(line, terms)
    return price.units_of(line, terms.region) if line and price else None


def _why_unknown(product: Product[Any], request: GenerationRequest) -> str:
    if product.line or registry().book.has(request.model_name):
        return "it follows what only Kling sees, such as the length of an input"
    return f"Kling publishes no price of {product.label.lower()}"
