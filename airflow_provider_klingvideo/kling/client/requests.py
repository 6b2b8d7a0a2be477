"""Reading a request: whichever product it is for, by its ``kind``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

from pydantic import ValidationError

from airflow_provider_klingvideo._text import spelled
from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.products import PRODUCTS, image_to_video, retired, text_to_video
from airflow_provider_klingvideo.kling.products.base import GenerationRequest, Product
from airflow_provider_klingvideo.kling.products.other_names import meant_by
from airflow_provider_klingvideo.validation import faults_of, with_json_read

KINDS = {kind: tuple(product.request.model_fields) for kind, product in PRODUCTS.items()}
"""The fields of each product."""


def parse_request(params: Mapping[str, Any]) -> GenerationRequest:
    """Read a request; without ``kind`` a first frame makes it one from a picture, otherwise it is one from text.

    :param params: ``kind`` and the fields of that product's request; numbers may be text, lists and objects their JSON
        text.
    :raises InvalidRequestError: naming every field at fault.
    """
    product = _product_of(params)
    nearby = () if params.get("kind") else KINDS[image_to_video.PRODUCT.kind]
    hint = partial(meant_by, kind=product.kind, kinds=KINDS, nearby=nearby)
    try:
        given = with_json_read({**params, "kind": product.kind}, product.request)
        request: GenerationRequest = product.request.model_validate(given)
    except ValidationError as error:
        raise InvalidRequestError(faults_of(error, product.request, whole="the request", hint=hint)) from None
    return request


def with_texts_read(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request in which lists and objects that came as JSON text are such; what is not valid stays as it is.

    :param params: see :func:`parse_request`.
    """
    try:
        product = _product_of(params)
    except InvalidRequestError:
        return dict(params)
    return dict(with_json_read(params, product.request))


def _product_of(params: Mapping[str, Any]) -> Product[Any]:
    implied = image_to_video if params.get("first_frame") else text_to_video
    kind = params.get("kind") or implied.PRODUCT.kind
    kind = spelled(kind, PRODUCTS) or kind if isinstance(kind, str) else kind
    if isinstance(kind, str) and kind in retired.KINDS:
        raise InvalidRequestError(Fault("kind", f"Kling retired {kind}", retired.KINDS[kind]))
    product = PRODUCTS.get(kind) if isinstance(kind, str) else None
    if product is None:
        close = get_close_matches(str(kind), PRODUCTS, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise InvalidRequestError(Fault("kind", f"there is no kind {quoted(kind)}{meant}", ", ".join(PRODUCTS)))
    return product
