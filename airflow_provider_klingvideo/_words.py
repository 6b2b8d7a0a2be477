"""How words that others have written may be shown: they are read, and never obeyed."""

from __future__ import annotations

import re
import unicodedata

_PICTURES = {chr(code): chr(0x2400 + code) for code in range(0x20)} | {"\x7f": "\u2421"}
_SHOWN = {**_PICTURES, "\t": " ", "\n": " ", "\r": " "}
_ORDINARY = re.compile("[^\x20-\x7e]")
# Controls, what is invisible or turns the order of letters, ends of lines and paragraphs, halves of characters.
_COMMANDING = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
# Selectors of variants that no font has: a text can be hidden in them.
_HIDDEN = range(0xE0100, 0xE01F0)


def harmless(text: str) -> str:
    """Make a text one that can be printed in a line: it commands no terminal and begins no line of a log.

    Tabs and ends of lines become spaces. What else controls something, or is not seen (marks of direction, joiners of
    no width, tags), becomes its picture (U+2400 and following) or U+FFFD, one character for one.
    """
    return _ORDINARY.sub(_harmless_letter, text)


def printable(text: str) -> str:
    """Do so with each line of a text of ours, whose ends of lines are meant."""
    return "\n".join(map(harmless, text.split("\n")))


def _harmless_letter(found: re.Match[str]) -> str:
    letter = found[0]
    if unicodedata.category(letter) in _COMMANDING or ord(letter) in _HIDDEN:
        return _SHOWN.get(letter, "\ufffd")
    return letter
