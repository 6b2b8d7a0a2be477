"""What a request will cost, by the registry's price rows (kling-api section 14). Decimal throughout."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_klingvideo.kling.capabilities import Generation, registry
from airflow_provider_klingvideo.kling.requests import GenerationRequest


@dataclass(frozen=True)
class Estimate:
    """An expected price.

    :param units: the vendor's units.
    :param usd: the same in US dollars at the list price.
    """

    units: Decimal
    usd: Decimal


def estimate(request: GenerationRequest, generation: Generation) -> Estimate | None:
    """Return what a request is expected to cost, None when no price is known for it.

    Billing follows the seconds that were asked for.
    """
    known = registry()
    capability = known.find(request.kind, request.model, generation)
    default = capability.audio[0] if capability else "off"
    price = known.price(request.model, default if request.audio == "default" else request.audio)
    per_second = price.units_per_second.get(request.resolution) if price else None
    if per_second is None:
        return None
    units = per_second * request.duration
    return Estimate(units=units, usd=units * known.usd_per_unit)
