"""Addresses in texts that people see: without what signs them."""

from __future__ import annotations

import re

_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*", re.IGNORECASE)


def without_queries(text: str) -> str:
    """Cut the queries off all addresses in a text: whoever has one can load the picture or the video."""
    return _QUERY.sub(r"\1", text)
