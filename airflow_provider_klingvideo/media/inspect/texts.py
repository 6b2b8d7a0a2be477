"""Reading a text file as its writer meant it, whatever program has written it."""

from __future__ import annotations

import codecs
import re

# The longer marks first: that of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_END_OF_FILE = "\x1a"


def decoded(content: bytes) -> str:
    """Return a text with single line feeds at the ends of its lines, without marks of encoding and of the file's end.

    :param content: UTF-8, or UTF-16 or UTF-32 with a byte order mark; UTF-16 also without one.
    :raises UnicodeDecodeError: it is in another encoding.
    """
    text = content.decode(_encoding(content)).lstrip("\ufeff").rstrip(_END_OF_FILE)
    return re.sub("\r\n?", "\n", text)


def line_of(content: bytes, error: UnicodeDecodeError) -> int:
    """Return the number of the line at which decoding failed, from 1."""
    before = content[: error.start]
    return 1 + max(before.count(b"\n"), before.count(b"\r"))


def _encoding(content: bytes) -> str:
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if marked or len(content) < 4:
        return marked or "utf-8"
    # Half of the bytes of a Western text in UTF-16 are zero; a text in UTF-8 has none.
    return {(False, True): "utf-16-le", (True, False): "utf-16-be"}.get((content[0] == 0, content[1] == 0), "utf-8")
