"""A request of a batch that knows where it stands in what a person has written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class PlacedRequest(dict[str, Any]):
    """The fields of a request, and its place.

    :param fields: the request.
    :param place: where it stands, in words: ``line 7``, ``entry 3``.
    """

    def __init__(self, fields: Mapping[str, Any], place: str) -> None:
        super().__init__(fields)
        self.place = place


def place_of(request: Mapping[str, Any]) -> str:
    """Return the place of a request, empty where it is not known."""
    return request.place if isinstance(request, PlacedRequest) else ""
