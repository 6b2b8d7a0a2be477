"""Reading a request: whichever product it is for, by its ``kind``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from airflow_provider_klingvideo._urls import without_queries
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.products import PRODUCTS, image_to_video, retired, text_to_video
from airflow_provider_klingvideo.kling.products.base import LONGEST_VALUE_SHOWN, GenerationRequest


def parse_request(params: Mapping[str, Any]) -> GenerationRequest:
    """Read a request; without ``kind`` a first frame makes it one from a picture, otherwise it is one from text.

    :param params: ``kind`` and the fields of that product's request; numbers may be text.
    :raises InvalidRequestError: naming every field at fault.
    """
    implied = image_to_video if params.get("first_frame") else text_to_video
    kind = params.get("kind") or implied.PRODUCT.kind
    product = PRODUCTS.get(kind) if isinstance(kind, str) else None
    if isinstance(kind, str) and kind in retired.KINDS:
        raise InvalidRequestError(f"The vendor retired {kind}", advice=f"Use {retired.KINDS[kind]}")
    if product is None:
        close = get_close_matches(str(kind), PRODUCTS, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise InvalidRequestError(f"There is no kind {kind!r}{meant}", advice=f"Use one of: {', '.join(PRODUCTS)}")
    try:
        request: GenerationRequest = product.request.model_validate({**params, "kind": kind})
    except ValidationError as error:
        faults = "; ".join(_fault(dict(one)) for one in error.errors(include_url=False))
        raise InvalidRequestError(f"The request is not legal: {faults}") from None
    return request


def _fault(error: dict[str, Any]) -> str:
    """Say what is wrong with a field in the words of a person; a long value (a picture) is not shown."""
    name = ".".join(str(part) for part in error["loc"]) or "the request"
    if error["type"] == "extra_forbidden" and name in retired.FIELDS:
        return f"{name} is retired, use {retired.FIELDS[name]}"
    if error["type"] == "extra_forbidden":
        return f"{name} is not a field of this request"
    if error["type"] == "missing":
        return f"{name} is missing"
    shown = without_queries(repr(error.get("input")))
    value = shown if len(shown) <= LONGEST_VALUE_SHOWN else f"{shown[:LONGEST_VALUE_SHOWN]}..."
    message = error["msg"].removeprefix("Value error, ")
    return f"{name} {message} (it is {value})"
