"""Text of any origin, made so that every file and every database takes it."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

REPLACEMENT = "\ufffd"
"""What Unicode provides for a character that cannot be told."""
VISIBLE_NUL = "\u2400"
"""The picture of a NUL, so that a reader sees what was there."""

_SURROGATES = re.compile("[\ud800-\udfff]")
# What moves the cursor, begins a sequence of commands for a terminal or a new line, or turns the order of letters.
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHOWN = {**{chr(code): chr(0x2400 + code) for code in range(0x20)}, "\x7f": "\u2421", **dict.fromkeys("\t\n\r", " ")}


def storable(text: str) -> str:
    """Replace what a file in UTF-8 or a database refuses; everything else stays as it is.

    Half a character (a lone surrogate, which JSON can carry and UTF-8 cannot) becomes U+FFFD. A NUL, which PostgreSQL
    refuses in text and in JSON, becomes U+2400.
    """
    return _SURROGATES.sub(REPLACEMENT, text).replace("\0", VISIBLE_NUL)


def harmless(text: str) -> str:
    """Make a text from outside one that can be printed in a line: it commands no terminal and begins no line of a log.

    Tabs and ends of lines become spaces, what else controls something its picture (U+2400 ...) or U+FFFD, one
    character for one. Half characters stay, see :func:`storable`.
    """
    return _COMMANDS.sub(lambda found: _SHOWN.get(found[0], REPLACEMENT), text)


def storable_json(value: Any) -> Any:
    """Do so in all texts of a JSON value, the keys of objects included; tuples become lists, as in JSON.

    A number that JSON does not have (NaN, infinite) becomes None.

    :param value: what ``json.dumps`` takes.
    """
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, dict):
        return {storable_json(key): storable_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(one) for one in value]
    return value
