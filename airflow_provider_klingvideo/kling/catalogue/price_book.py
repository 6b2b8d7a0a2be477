"""What Kling charges, as dated data: units by line of its price list, and money for a unit by region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

R = TypeVar("R")

ANY = "any"
DEFAULT_REGION = "singapore"
OFFICIAL = frozenset({"official-mirror", "official-older"})
"""The confidences of what Kling's own pages say."""
OF_CONTRACT = "contract"


@dataclass(frozen=True)
class Line:
    """What is ordered of the price list.

    :param model: the model's name here, or the product's.
    :param feature: what is ordered of it, such as the sound of a video.
    :param resolution: in which.
    :param count: how many of what the list prices: seconds, calls or pictures.
    """

    model: str
    feature: str = ANY
    resolution: str = ANY
    count: int = 1

    def __str__(self) -> str:
        """Say what it is, for example ``kling-3.0 native 720p``."""
        return " ".join([self.model, *(part for part in (self.feature, self.resolution) if part != ANY)])


@dataclass(frozen=True)
class Price:
    """A row of a price list (kling-api section 14).

    :param model: as :class:`Line` has it, and
    :param feature: likewise.
    :param per: what the units are for: ``second``, ``5 seconds``, ``call`` or ``image``.
    :param units: Kling's units by resolution, ``any`` where it does not matter.
    :param region: where it holds, None for everywhere.
    """

    model: str
    feature: str
    per: str
    units: Mapping[str, Decimal]
    source: str
    confidence: str
    region: str | None = None

    def units_of(self, line: Line, region: str) -> Decimal | None:
        """Return the units for one of a line, None where this is not its row."""
        if (self.model, self.feature) != (line.model, line.feature) or self.region not in (None, region):
            return None
        return self.units.get(line.resolution, self.units.get(ANY))


@dataclass(frozen=True)
class Rate:
    """Money for a unit, where no pack pays for it.

    :param pack: whose unit: ``video``, ``image`` or ``try_on``.
    :param region: where it holds.
    """

    pack: str
    region: str
    currency: str
    money: Decimal
    source: str
    confidence: str


@dataclass(frozen=True)
class Contract:
    """What an account pays otherwise than the list says.

    :param prices: rows that go before those of the list.
    :param rates: money for a unit that goes before that of the list.
    :param discount: the share of the money that is not paid.
    """

    prices: tuple[Price, ...] = ()
    rates: tuple[Rate, ...] = ()
    discount: Decimal = Decimal(0)


@dataclass(frozen=True)
class Terms:
    """By what an account pays.

    :param region: ``singapore`` or ``beijing``.
    """

    region: str = DEFAULT_REGION
    contract: Contract = field(default_factory=Contract)


@dataclass(frozen=True)
class PriceBook:
    """A price list.

    :param as_of: the day that it is of.
    """

    as_of: str
    prices: tuple[Price, ...]
    rates: tuple[Rate, ...]

    def price(self, line: Line, terms: Terms) -> Price | None:
        """Return the row that prices a line: of the contract, else of the list; None where neither has it."""
        rows = (*terms.contract.prices, *self.prices)
        return next((row for row in rows if row.units_of(line, terms.region) is not None), None)

    def rate(self, pack: str, terms: Terms) -> Rate | None:
        """Return the money for a unit: of the contract, else of the list; None where neither says it."""
        rates = (*terms.contract.rates, *self.rates)
        return next((one for one in rates if (one.pack, one.region) == (pack, terms.region)), None)

    def units(self, name: str) -> Decimal | None:
        """Return the units of a call that the list prices as a whole, None where it does not."""
        row = self.price(line := Line(name), terms := Terms())
        return row.units_of(line, terms.region) if row else None

    def has(self, model: str) -> bool:
        """Whether the list says anything about a model or product."""
        return any(row.model == model for row in self.prices)


def parse_prices(rows: Any) -> tuple[Price, ...]:
    """Read rows of a price list; fields of a later version are passed over.

    :raises ValueError: they are none; the message says which and why.
    """
    return tuple(_read(_price, "prices", number, row) for number, row in enumerate(_rows("prices", rows)))


def parse_rates(rows: Any) -> tuple[Rate, ...]:
    """Read money for units.

    :raises ValueError: likewise.
    """
    return tuple(_read(_rate, "rates", number, row) for number, row in enumerate(_rows("rates", rows)))


def parse_contract(data: Any, region: str) -> Contract:
    """Read a contract: ``prices`` and ``rates`` in the form of the list's, and ``discount``.

    :param region: where its money holds.
    :raises ValueError: it is none; the message says why.
    """
    if not isinstance(data, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - every fault of a contract is one kind of error
    if strange := ", ".join(sorted(data.keys() - {"prices", "rates", "discount"})):
        raise ValueError(f"it has {strange}, but only prices, rates and discount are known")
    origin = {"source": "the contract", "confidence": OF_CONTRACT}
    prices = [{"feature": ANY, "per": "", **row, **origin} for row in _rows("prices", data.get("prices", []))]
    rates = [{**row, **origin, "region": region} for row in _rows("rates", data.get("rates", []))]
    discount = _decimal(data.get("discount", 0))
    if discount > 1:
        raise ValueError(f"the discount {discount} is more than the whole price, which is 1")
    return Contract(parse_prices(prices), parse_rates(rates), discount)


def _rows(name: str, rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{name} is no list of objects")
    return rows


def _read(read: Callable[[dict[str, Any]], R], name: str, number: int, row: dict[str, Any]) -> R:
    try:
        return read(row)
    except KeyError as error:
        raise ValueError(f"{name}.{number} has no {error.args[0]}") from None
    except ValueError as error:
        raise ValueError(f"{name}.{number}: {error}") from None


def _price(row: dict[str, Any]) -> Price:
    if not isinstance(row["units"], dict) or not row["units"]:
        raise ValueError('units are no numbers by resolution, for example {"720p": "0.8"}')
    return Price(
        model=str(row["model"]),
        feature=str(row["feature"]),
        per=str(row["per"]),
        units={name: _decimal(value) for name, value in row["units"].items()},
        source=str(row["source"]),
        confidence=str(row["confidence"]),
        region=row.get("region"),
    )


def _rate(row: dict[str, Any]) -> Rate:
    return Rate(
        pack=str(row["pack"]),
        region=str(row["region"]),
        currency=str(row["currency"]),
        money=_decimal(row["money"]),
        source=str(row["source"]),
        confidence=str(row["confidence"]),
    )


def _decimal(value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal(-1)
    if isinstance(value, bool) or not number.is_finite() or number < 0:
        raise ValueError(f"{value!r} is no number of at least 0")
    return number
