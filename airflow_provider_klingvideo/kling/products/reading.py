"""What the text of a field means, by its type: a choice, a number, yes or no, an id, an address, or words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin

from airflow_provider_klingvideo._text import (
    is_rounded,
    plain_boolean,
    plain_name,
    plain_number,
    require_printable,
    spelled,
    trimmed,
    without_controls,
)


class MediaKind(StrEnum):
    """What a media input is."""

    PICTURE = "picture"
    SOUND = "sound"
    VIDEO = "video"


@dataclass(frozen=True)
class OneOf:
    """Marks a text that is usually one of some names; others are left to the rules.

    :param names: returns them.
    """

    names: Callable[[], Iterable[str]]


class Sort(StrEnum):
    """What a field holds."""

    WORDS = "words"
    NAME = "name"
    CHOICE = "choice"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ADDRESS = "address"
    PARTS = "parts"


@dataclass(frozen=True)
class Meaning:
    """What a field holds.

    :param sort: its sort.
    :param names: what is usually chosen from; empty for no choice.
    """

    sort: Sort
    names: tuple[str, ...] = ()

    @property
    def legal(self) -> str:
        """What a cell may hold, in words."""
        return f"one of {', '.join(self.names)}" if self.names else _LEGAL[self.sort]

    def read(self, text: str) -> str:
        """Return a text as it is usually written; words stay as they are, but for control characters.

        :raises ValueError: a name has a control character, or an id has lost its digits in a spreadsheet.
        """
        if self.sort is Sort.WORDS and not self.names:
            return without_controls(text)
        require_printable(text)
        # Some write `16 : 9`.
        return spelled(text, self.names) or spelled("".join(text.split()), self.names) or _READERS[self.sort](text)


def _id(text: str) -> str:
    name = plain_name(text)
    if is_rounded(name):
        raise ValueError("is an id that a spreadsheet has rounded; format its column as text")
    return name


def _number(text: str) -> str:
    if (number := plain_number(text)) is None:
        raise ValueError("is not a number")
    return number


def _boolean(text: str) -> str:
    if (value := plain_boolean(text)) is None:
        raise ValueError("is neither true nor false")
    return value


_READERS: Mapping[Sort, Callable[[str], str]] = {
    Sort.WORDS: without_controls,
    Sort.NAME: _id,
    Sort.CHOICE: plain_name,
    Sort.NUMBER: _number,
    Sort.BOOLEAN: _boolean,
    Sort.ADDRESS: trimmed,
    Sort.PARTS: trimmed,
}


_LEGAL: Mapping[Sort, str] = {
    Sort.WORDS: "plain text",
    Sort.NAME: "an id, as text",
    Sort.CHOICE: "a name",
    Sort.NUMBER: "a number",
    Sort.BOOLEAN: "true or false",
    Sort.ADDRESS: "an address or a path",
    Sort.PARTS: "plain text or JSON",
}


def meaning_of(name: str, annotation: Any, metadata: Iterable[Any] = ()) -> Meaning:
    """Return what a field holds.

    :param name: its name; by it ids are known.
    :param annotation: its type.
    :param metadata: what pydantic has taken out of the annotation.
    """
    found = [*metadata, *_arms(annotation)]
    names = tuple(value for one in found for value in _names(one))
    return Meaning(next((sort for sort, is_it in _SORTS if is_it(name, found, names)), Sort.PARTS), names)


def _arms(annotation: Any) -> Iterator[Any]:
    """The types of a union, and what marks them; what is inside of lists and parts is not looked at."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        yield from (*marks, *_arms(inner))
    elif origin in (list, tuple, Literal) or not get_args(annotation):
        yield annotation
    else:
        for arm in get_args(annotation):
            yield from _arms(arm)


def _names(mark: Any) -> Iterable[str]:
    if isinstance(mark, OneOf):
        return mark.names()
    return [value for value in get_args(mark) if isinstance(value, str)] if get_origin(mark) is Literal else ()


_SORTS: tuple[tuple[Sort, Callable[[str, list[Any], tuple[str, ...]], bool]], ...] = (
    (Sort.ADDRESS, lambda name, found, _: name == "callback_url" or any(isinstance(one, MediaKind) for one in found)),
    (Sort.NUMBER, lambda _name, found, _: int in found or float in found),
    (Sort.BOOLEAN, lambda _name, found, _: bool in found),
    (Sort.CHOICE, lambda _name, _found, names: bool(names)),
    (Sort.NAME, lambda name, found, _: str in found and name.endswith("_id")),
    (Sort.WORDS, lambda _name, found, _: str in found),
)
"""The first that fits."""
