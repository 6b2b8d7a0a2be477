"""A request of a batch that knows where it stands in what a person has written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_klingvideo.errors import Fault

WHOLE_ROW = "the row"
"""The place of a fault that no single cell has."""


class PlacedRequest(dict[str, Any]):
    """The fields of a request, and its place.

    :param fields: the request.
    :param place: where it stands, in words: ``line 7``, ``entry 3``.
    :param faults: what is wrong with its cells, which are no fields then.
    """

    def __init__(self, fields: Mapping[str, Any], place: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(fields)
        self.place = place
        self.faults = tuple(faults)


def place_of(request: Mapping[str, Any]) -> str:
    """Return the place of a request, empty where it is not known."""
    return request.place if isinstance(request, PlacedRequest) else ""


def faults_in(request: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Return what was wrong with the cells of a request."""
    return request.faults if isinstance(request, PlacedRequest) else ()
