"""How an address may be shown: whoever has a signed one can load the picture or the video."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_QUERY = re.compile(r"\?[^\s\"'<>]+")


def without_query(url: str) -> str:
    """Remove what can carry a secret from an address: user, password, query string and fragment.

    :param url: any text; one that is no URL with a host comes back unchanged.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return without_queries(url)
    if not parts.netloc:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def without_queries(text: str) -> str:
    """Remove everything that looks like a query string from a longer text."""
    return _QUERY.sub("?...", text)


def without_signatures(value: Any) -> Any:
    """Return JSON values in which no address carries a query, a user or a password."""
    if isinstance(value, Mapping):
        return {name: without_signatures(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_signatures(item) for item in value]
    return without_query(value) if isinstance(value, str) else value
