"""One call of Kling's API as data, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One call.

    :param method: HTTP method.
    :param path: path below the base URL.
    :param parse: makes the result of the answer's ``data``; raises ValueError when it makes no sense.
    :param query: query parameters.
    :param json: body.
    :param is_create: whether it may cost money or make something, so that it is never sent twice without asking.
    :param what: of a call that costs and makes no task its name, as the price list has it; empty for all others.
    :param lifetime: of such a call: for how long its answer is of use, None for ever.
    :param empty_codes: business codes which say that there is nothing, and are no error here.
    """

    method: str
    path: str
    parse: Callable[[Any], T]
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    is_create: bool = False
    what: str = ""
    lifetime: timedelta | None = None
    empty_codes: frozenset[int] = frozenset()
