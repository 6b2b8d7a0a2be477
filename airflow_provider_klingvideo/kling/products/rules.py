"""What is legal: the rules of a request's product against what its model can do, before money is spent."""

from __future__ import annotations

import re
from typing import Literal

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, registry
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.products import PRODUCTS
from airflow_provider_klingvideo.kling.products.base import GenerationRequest

_NO_NAME = re.compile(r"[\s/?#%\\]|^\.*$")
"""It becomes a part of an address."""


def check_request(
    request: GenerationRequest,
    family: ApiFamily,
    *,
    unknown_models: Literal["warn", "refuse", "send"] = "warn",
) -> list[str]:
    """Check a request against the capability registry.

    :param request: the request.
    :param family: the API family that it will be sent to.
    :param unknown_models: what to do with a model that the registry does not know: ``warn`` sends it unless it looks
        like a misspelling of a known one, ``send`` sends it even then.
    :returns: warnings.
    :raises InvalidRequestError: naming every rule that is broken, the value, and what would be legal.
    """
    capability = registry().find(request.kind, request.model_name, family)
    if capability is None:
        _require_no_misspelling(request.model_name, unknown_models)
        _require_name(request.model_name)
        return _unknown(request, family, unknown_models)
    if capability.is_retired:
        retired = f"Kling retired {request.model_name} on {capability.retired_on}"
        raise InvalidRequestError(Fault("model", retired, str(capability.successor)))
    faults = [fault for rule in PRODUCTS[request.kind].rules for fault in rule(request, capability)]
    if faults:
        raise InvalidRequestError(faults, advice=f"Change the request; {request.model_name} can do what is legal")
    return []


def _require_name(model: str) -> None:
    if _NO_NAME.search(model):
        legal = "a name without blanks, slashes, question marks, number signs and per cent signs"
        raise InvalidRequestError(Fault("model", f"{quoted(model)} is no name of a model", legal))


def _require_no_misspelling(model: str, policy: str) -> None:
    meant = registry().meant(model)
    if meant is not None and policy != "send":
        wrong = f"{quoted(model)} is no model that is known; did you mean {quoted(meant)}?"
        advice = "Correct the name; if there is such a model, set [klingvideo] unknown_models to send"
        raise InvalidRequestError(Fault("model", wrong, meant), advice=advice)


def _unknown(request: GenerationRequest, family: ApiFamily, policy: str) -> list[str]:
    known = registry()
    elsewhere = known.families(request.kind, request.model_name)
    if elsewhere:
        wrong = f"{request.model_name} is not offered by the {family} API family, only by {', '.join(elsewhere)}"
        offered = ", ".join(name for name in known.model_names(request.kind) if known.find(request.kind, name, family))
        advice = "Use an API key for the new family, or another model"
        raise InvalidRequestError(Fault("model", wrong, offered or "none"), advice=advice)
    wrong = f"the capability registry of {known.as_of} does not know {request.model_name} for {request.kind}"
    names = ", ".join(known.model_names(request.kind))
    if (others := known.kinds_of(request.model_name)) and policy != "send":
        wrong = f"{request.model_name} is no model of {request.kind}; it makes {', '.join(others)}"
        raise InvalidRequestError(Fault("model", wrong, names))
    if policy == "refuse":
        advice = "Correct the name, or allow unknown models ([klingvideo] unknown_models)"
        raise InvalidRequestError(Fault("model", wrong, names), advice=advice)
    return [f"{wrong[0].upper()}{wrong[1:]}; known are {names}. It is sent as it is."]
