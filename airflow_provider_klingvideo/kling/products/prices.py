"""What a request will cost, by the registry's price rows (kling-api section 14). Decimal throughout."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, registry
from airflow_provider_klingvideo.kling.products import PRODUCTS
from airflow_provider_klingvideo.kling.products.base import GenerationRequest


@dataclass(frozen=True)
class Estimate:
    """An expected price.

    :param units: units of the product's pack.
    :param usd: the same in US dollars at the list price, None where a unit has no list price.
    """

    units: Decimal
    usd: Decimal | None


def estimate(request: GenerationRequest, family: ApiFamily) -> Estimate | None:
    """Return what a request is expected to cost, None when no price is known for it."""
    product, known = PRODUCTS[request.kind], registry()
    can = known.find(request.kind, request.model_name, family)
    units = product.units(request, can) if product.units else None
    if units is None:
        return None
    usd = known.usd_per_unit.get(product.pack)
    return Estimate(units=units, usd=None if usd is None else units * usd)
