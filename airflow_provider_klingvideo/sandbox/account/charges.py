"""What a task costs, and what pays for it: a resource pack, money, or the one and then the other."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from airflow_provider_klingvideo.sandbox.account.catalog import Pack
from airflow_provider_klingvideo.sandbox.settings import Region, SandboxSettings

NOTHING = Decimal(0)

# Money for a unit (kling-api section 14); for a try-on no page has a price, it is taken to be that of a video's unit.
_PRICES: Mapping[Region, tuple[str, Mapping[Pack, Decimal]]] = {
    "singapore": (
        "USD",
        {Pack.VIDEO: Decimal("0.14"), Pack.IMAGE: Decimal("0.0035"), Pack.TRY_ON: Decimal("0.14")},
    ),
    "beijing": ("CNY", {Pack.VIDEO: Decimal(1), Pack.IMAGE: Decimal("0.025"), Pack.TRY_ON: Decimal(1)}),
}


class Tariff(BaseModel):
    """How a task is paid.

    :param pack_limit: units that the resource pack pays at most; None for all.
    :param unit_price: money for each other unit, before the discount.
    :param discount: the share of that price which is not taken.
    """

    model_config = ConfigDict(frozen=True)

    pack_limit: Decimal | None = None
    currency: str = "USD"
    unit_price: Decimal = NOTHING
    discount: Decimal = NOTHING

    def charge(self, units: Decimal) -> Charge:
        """Divide a price."""
        from_pack = units if self.pack_limit is None else min(units, self.pack_limit)
        list_price = (units - from_pack) * self.unit_price
        return Charge(from_pack, list_price * (1 - self.discount), list_price, self.currency)


class Charge(NamedTuple):
    """What was taken.

    :param units: of the resource pack.
    :param cash: money, of the balance.
    :param list_price: the same without the discount.
    """

    units: Decimal
    cash: Decimal
    list_price: Decimal
    currency: str


def tariff_of(settings: SandboxSettings, pack: Pack, left: Decimal) -> Tariff:
    """Return how the account pays for a task.

    :param left: units that its pack still has.
    """
    limits = {"units": None, "cash": NOTHING, "mixed": max(left, NOTHING)}
    currency, prices = _PRICES[settings.region]
    return Tariff(
        pack_limit=limits[settings.payment],
        currency=currency,
        unit_price=prices[pack],
        discount=settings.discount,
    )
