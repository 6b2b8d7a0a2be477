"""Text that comes in, read as its writer meant it: without what nobody sees, and every spelling of a name as one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache

LONGEST_NAME = 200
"""A longer text is a spelling of no name."""

_SPACES = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# Soft hyphen, what has no width, marks of direction, byte order mark: pages, chats and PDF files copy them along.
INVISIBLE = "\u00ad\u180e\ufeff" + "".join(
    map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x206A)))
)
_EDGES = _SPACES + INVISIBLE
CLOSING = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u201e": "\u201c",
    "\u2018": "\u2019",
    "\u00ab": "\u00bb",
}
"""The quotes that end what others begin."""
_LINE_END = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_SEPARATORS = re.compile(r"[\s_-]+")
_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})")
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+")

_LOOK_ALIKES = str.maketrans(
    "\u2010\u2012\u2013\u2014\u2015\u2043\u2212\u2236\ua789"
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458\u0455\u0501\u04cf"
    "\u03b1\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7",
    "-------::abekmhopctyxijsdlaikvoptux",
)
"""Dashes, colons, and Cyrillic and Greek small letters that look like those of ASCII."""

BOOLEANS: Mapping[str, str] = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1", "1.0"), "true"),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0", "0.0"), "false"),
}


def trimmed(text: str) -> str:
    """Return a text without white space of every kind, and what cannot be seen, at its ends."""
    return text.strip(_EDGES)


def unquoted(text: str) -> str:
    """Return a text without the quotes around it, where a pair of them encloses all of it."""
    closing = CLOSING.get(text[:1])
    is_enclosed = closing is not None and len(text) > 1 and text.find(closing, 1) == len(text) - 1
    return text[1:-1] if is_enclosed else text


def with_plain_lines(text: str) -> str:
    r"""Return a text in which every line ends with ``\n``, whatever ended it."""
    return _LINE_END.sub("\n", text)


def unprintable(text: str) -> re.Match[str] | None:
    """Find the first character that no text has: a control character but tab and line ends, or half a character."""
    return _UNPRINTABLE.search(text)


def require_printable(text: str) -> None:
    """Refuse what no file and no API takes as text.

    :raises ValueError: naming the character and its place.
    """
    if found := unprintable(text):
        half = "half a character" if "\ud800" <= found[0] <= "\udfff" else "a control character"
        raise ValueError(f"has {half} (U+{ord(found[0]):04X}) at its character {found.start() + 1}")


def without_controls(text: str) -> str:
    """Return a text without control characters; tabs, line ends and halves of characters stay."""
    return _UNPRINTABLE.sub(lambda found: found[0] if "\ud800" <= found[0] <= "\udfff" else "", text)


def plain_name(text: str) -> str:
    """Return a name without surrounding blanks and invisible characters, its compatibility forms replaced (NFKC)."""
    if text.isascii():
        return text.strip()
    visible = (sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    return "".join(visible).strip()


@lru_cache(10_000)
def folded(name: str) -> str:
    """Return what all spellings of a name have in common: case, separators and look-alikes make no difference."""
    return _SEPARATORS.sub("-", plain_name(name).casefold().translate(_LOOK_ALIKES))


def spelled(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a name is a spelling of, None for no known one."""
    names = tuple(known)
    if not names or len(name) > LONGEST_NAME:
        return None
    return name if name in names else _by_folded(names).get(folded(name))


@lru_cache(100)
def _by_folded(names: tuple[str, ...]) -> Mapping[str, str]:
    return {folded(one): one for one in names}


def closest(name: str, known: Iterable[str], likeness: float = 0.7) -> str | None:
    """Return the known name that was probably meant by one that is not known.

    :param likeness: how much of two names must agree, 0 to 1.
    """
    if len(name) > LONGEST_NAME:
        return None
    by_folded = _by_folded(tuple(known))
    return next((by_folded[one] for one in get_close_matches(folded(name), by_folded, 1, likeness)), None)


def plain_number(text: str) -> str | None:
    """Return a decimal number as it is usually written (``5`` for `` 5.0 ``), None for what is none."""
    plain = plain_name(text)
    return f"{Decimal(plain).normalize():f}" if _NUMBER.fullmatch(plain) else None


def plain_boolean(text: str) -> str | None:
    """Return ``true`` or ``false``, None for what is neither."""
    return BOOLEANS.get(plain_name(text).casefold())


def is_rounded(text: str) -> bool:
    """Whether a text is a long number as a spreadsheet shows it, most of its digits lost: ``8.29837E+17``."""
    return _ROUNDED.fullmatch(text) is not None
