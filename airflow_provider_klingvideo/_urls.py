"""How an address may be shown: whoever has a signed one can load the picture or the video."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

_QUERY = re.compile(r"\?[^\s\"'<>]+")
_FRAGMENT = re.compile(r"(://[^\s\"'<>#]*)#[^\s\"'<>]+")
_USER = re.compile(r"(https?://)[^\s/?#@\"'<>]+(?::[^\s/?#\"'<>]*)?@", re.IGNORECASE)
_WEB = re.compile(r"(https?://)([^/?#]*@)?([^/?#]*[^?#]*)(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class SignedAddress:
    """A web address and what may sign it.

    :param shown: scheme, host and path.
    :param userinfo: user and password, with the ``@`` behind them.
    :param tail: query and fragment, with the signs before them.
    """

    shown: str
    userinfo: str
    tail: str

    @property
    def secrets(self) -> set[str]:
        """The parts, and the values within them, also without their escapes."""
        query, _, fragment = self.tail.removeprefix("?").partition("#")
        values = {value for _, value in parse_qsl(query)} | {one.partition("=")[2] for one in query.split("&")}
        user, _, password = self.userinfo.removesuffix("@").partition(":")
        return {query, fragment, unquote(fragment), password, unquote(password), user, *values} - {""}


def signed_address(text: str) -> SignedAddress | None:
    """Return a web address in its parts, None where nothing can sign it: it has no user, query or fragment."""
    parts = _WEB.fullmatch(text)
    if parts is None or not (parts[2] or parts[4]):
        return None
    return SignedAddress(f"{parts[1]}{parts[3]}", parts[2] or "", parts[4])


def without_query(url: str) -> str:
    """Remove what can carry a secret from an address: user, password, query string and fragment.

    :param url: any text; of one that is no URL with a host, all that looks like a query or a fragment is replaced.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return without_queries(url)
    if not parts.netloc:
        return without_queries(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def without_queries(text: str) -> str:
    """Remove from a longer text all that looks like what signs an address: query, fragment, user and password."""
    return _USER.sub(r"\1", _QUERY.sub("?...", _FRAGMENT.sub(r"\1#...", text)))


def without_signatures(value: Any) -> Any:
    """Return JSON values in which no address carries a query, a user or a password."""
    if isinstance(value, Mapping):
        return {name: without_signatures(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_signatures(item) for item in value]
    return without_query(value) if isinstance(value, str) else value
