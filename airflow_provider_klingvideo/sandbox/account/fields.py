"""Reads the JSON object of a request and says what is wrong in Kling's words (kling-api section 16)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from airflow_provider_klingvideo.sandbox.account.answers import Refusal, invalid


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a request's body.

    :raises Refusal: 1200 for anything else, texts that are not valid Unicode included.
    """
    try:
        value = json.loads(body, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal(1200) from error
    if not isinstance(value, dict):
        raise Refusal(1200)
    return value


class Fields:
    """The fields of one object; ``null`` counts as absent, unknown keys are nobody's business.

    :param values: the object.
    :param path: where it lies in the request, as Kling writes it (``settings.``).
    """

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path

    def wrong(self, name: str) -> Refusal:
        """The refusal of a value."""
        value = self._values.get(name)
        return invalid(f"{self._path}{name} value '{value}' is invalid")

    def _typed(self, name: str, kind: type | tuple[type, ...], expected: str) -> Any:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise invalid(f"{self._path}{name} value type is invalid, expected {expected}")
        return value

    def text(self, name: str, limit: int | None = None) -> str:
        """A text, empty when absent."""
        value: str = self._typed(name, str, "string") or ""
        if limit is not None and len(value) > limit:
            raise invalid(f"{self._path}{name} exceeds the {limit}-character limit.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._typed(name, bool, "boolean")
        return default if value is None else value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number within bounds."""
        value = self._typed(name, (int, float), "number")
        if value is None:
            return default
        if not low <= value <= high:
            raise self.wrong(name)
        return float(value)

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """One of several words."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in allowed:
            raise self.wrong(name)
        return value

    def integer(self, name: str, allowed: Collection[int], default: int, *, as_text: bool = False) -> int:
        """A small whole number; ``as_text`` takes only digits in a string, otherwise a number goes too."""
        value = self._values.get(name)
        if value is None:
            return default
        kinds = str if as_text else (int, str)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise invalid(f"{self._path}{name} value type is invalid, expected {'string' if as_text else 'integer'}")
        digits = str(value) if isinstance(value, int) and abs(value) < 1000 else value
        if not isinstance(digits, str) or not (digits.isascii() and digits.isdigit()) or len(digits) > 3:
            raise self.wrong(name)
        if int(digits) not in allowed:
            raise self.wrong(name)
        return int(digits)

    def millis(self, name: str, default: int) -> int:
        """A time in milliseconds, as a number or as digits in a string."""
        value = self._values.get(name)
        if value is None or value == "":
            return default
        text = value if isinstance(value, str) else str(value) if type(value) is int else ""
        if not (text.isascii() and text.isdigit()) or len(text) > 15:
            raise self.wrong(name)
        return int(text)

    def identifier(self, name: str) -> str:
        """An id that legacy bodies carry as a number or as a text."""
        return str(self._typed(name, (int, str), "long") or "")

    def array(self, name: str) -> list[Any]:
        """An array, empty when absent."""
        value: list[Any] = self._typed(name, list, "array") or []
        return value

    def object(self, name: str) -> Fields:
        """A nested object, empty when absent."""
        return Fields(self._typed(name, dict, "object") or {}, f"{self._path}{name}.")

    def objects(self, name: str) -> list[Fields]:
        """An array of objects."""
        fields = []
        for index, item in enumerate(self.array(name)):
            where = f"{self._path}{name}[{index}]"
            if not isinstance(item, dict):
                raise invalid(f"{where} value type is invalid, expected object")
            fields.append(Fields(item, f"{where}."))
        return fields

    def holds(self, name: str, value: str) -> bool:
        """Whether a field that can also be something else has exactly this value."""
        return bool(self._values.get(name) == value)

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None
