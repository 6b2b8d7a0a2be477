"""What turns the body of a create request into an order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.library import Library
from airflow_provider_klingvideo.sandbox.account.orders import Order


@dataclass(frozen=True)
class RequestContext:
    """What a body is read against.

    :param path: of the request.
    :param library: what the account owns.
    """

    path: str
    library: Library


Reader = Callable[[Fields, RequestContext], Order]
"""The order in a body; raises :class:`~.answers.Refusal` with Kling's words."""
