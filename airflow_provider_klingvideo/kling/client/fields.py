"""The fields of all products together: what the columns of a table may be, and how their cells are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from airflow_provider_klingvideo._json import texts_in
from airflow_provider_klingvideo._text import require_printable, trimmed, with_plain_lines
from airflow_provider_klingvideo.kling.catalogue.capabilities import API_CHOICES
from airflow_provider_klingvideo.kling.client.unmeant import no_prompt, no_value
from airflow_provider_klingvideo.kling.products import PRODUCTS
from airflow_provider_klingvideo.kling.products.reading import Meaning, Sort

PROMPT = "prompt"


@cache
def known_fields() -> Mapping[str, Meaning]:
    """Return what every field of a request holds, over all products."""
    found: dict[str, list[Meaning]] = {"api": [Meaning(Sort.CHOICE, API_CHOICES)]}
    for product in PRODUCTS.values():
        for name, meaning in product.request.meanings().items():
            found.setdefault(name, []).append(meaning)
    return {name: _common(meanings) for name, meanings in found.items()}


def _common(meanings: Sequence[Meaning]) -> Meaning:
    """What can be said of a field that each product has a meaning of its own for: ``music`` is yes, a file or words."""
    sorts = {meaning.sort for meaning in meanings}
    names = dict.fromkeys(name for meaning in meanings for name in meaning.names)
    return Meaning(sorts.pop(), tuple(names)) if len(sorts) == 1 else Meaning(Sort.PARTS)


def meaning_of_cell(name: str) -> Meaning:
    """Return what a column holds; one that is no field of a request, such as the key's, holds plain text or JSON."""
    return known_fields().get(name, Meaning(Sort.PARTS))


def cell_as_meant(name: str, value: Any) -> Any:
    """Read a cell of a table: as its field is read, and without what an editor or an export has put around it.

    :param name: the field.
    :param value: a JSON value.
    :returns: the value, its text as it is usually written; an empty text for blanks.
    :raises ValueError: it is no text where one is needed, or one that nobody means.
    """
    meaning = meaning_of_cell(name)
    if isinstance(value, str):
        return _text(name, meaning, value)
    if meaning.sort in _NEVER_BARE and not isinstance(value, _NEVER_BARE[meaning.sort]):
        raise ValueError("is no text")
    for text in texts_in(value):
        require_printable(text)
    return value


_NEVER_BARE: Mapping[Sort, type | tuple[type, ...]] = {Sort.WORDS: str, Sort.CHOICE: str, Sort.NAME: (str, dict)}
"""What a cell holds at least: an id may also be taken from another job, ``{"id_of": ...}``."""


def _text(name: str, meaning: Meaning, text: str) -> str:
    require_printable(text)
    plain = trimmed(with_plain_lines(text))
    if reason := no_prompt(plain) if name == PROMPT else no_value(plain):
        raise ValueError(f"{reason}; leave the cell empty, or the row out")
    return meaning.read(plain) if plain else ""


def as_meant(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request as a table with it is read today; what would be refused stays as it is.

    By it rows that an earlier version has kept are recognised.
    """
    meant = {name: _or_as_it_is(name, value) for name, value in request.items()}
    return {name: value for name, value in meant.items() if value != ""}


def _or_as_it_is(name: str, value: Any) -> Any:
    try:
        return cell_as_meant(name, value)
    except ValueError:
        return value
