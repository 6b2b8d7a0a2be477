"""Text of any origin, made so that every file and every database takes it."""

from __future__ import annotations

import re
from typing import Any

REPLACEMENT = "\ufffd"
"""What Unicode provides for a character that cannot be told."""
VISIBLE_NUL = "\u2400"
"""The picture of a NUL, so that a reader sees what was there."""

# Soft hyphen, zero-width characters, marks of direction, byte order mark: what a page copies along and nobody sees.
INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_AROUND = re.compile(rf"^[\s{INVISIBLE}]+|[\s{INVISIBLE}]+$")
CLOSING = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u201e": "\u201c",
    "\u2018": "\u2019",
    "\u00ab": "\u00bb",
}

_SURROGATES = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    """Replace what a file in UTF-8 or a database refuses; everything else stays as it is.

    Half a character (a lone surrogate, which JSON can carry and UTF-8 cannot) becomes U+FFFD. A NUL, which PostgreSQL
    refuses in text and in JSON, becomes U+2400.
    """
    return _SURROGATES.sub(REPLACEMENT, text).replace("\0", VISIBLE_NUL)


def storable_json(value: Any) -> Any:
    """Do so in all texts of a JSON value, the keys of objects included; tuples become lists, as in JSON.

    :param value: what ``json.dumps`` takes.
    """
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable_json(key): storable_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(one) for one in value]
    return value


def trimmed(text: str) -> str:
    """Return a text without blanks, and what cannot be seen, before and behind it."""
    return _AROUND.sub("", text)


def unquoted(text: str) -> str:
    """Return a text without the quotes around it, where a pair of them encloses all of it."""
    closing = CLOSING.get(text[:1])
    is_enclosed = closing is not None and len(text) > 1 and text.find(closing, 1) == len(text) - 1
    return text[1:-1] if is_enclosed else text
