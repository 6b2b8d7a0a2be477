"""Keep downloads away from addresses that only this machine's network can see.

The address that was checked is the one that is connected to, so a name that resolves differently the second time
gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Set
from dataclasses import dataclass
from urllib.request import getproxies, proxy_bypass

import httpx

from airflow_provider_klingvideo.media.errors import DownloadError
from airflow_provider_klingvideo.media.fetch.private import is_public, literal_address

LAST_PORT = 65535
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Target:
    """A checked address to fetch.

    :param url: what to fetch.
    :param addresses: IP addresses to connect to; empty when a proxy resolves the name.
    """

    url: httpx.URL
    addresses: tuple[str, ...]


def parse_url(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """Parse an address, relative to ``base`` where there is one.

    :raises DownloadError: it makes no sense; the text itself is not shown, it may hold a signature.
    """
    try:
        parsed = base.join(url) if base else httpx.URL(url)
        # The host is decoded when it is first asked for.
        _ = parsed.host
    except (httpx.InvalidURL, ValueError) as error:
        raise DownloadError("The address of the video is no valid URL", retryable=False) from error
    return parsed


def check_target(url: httpx.URL, allowed_private_hosts: Set[str]) -> Target:
    """Resolve the host of an address and check every address it has.

    :param allowed_private_hosts: ``host`` or ``host:port`` that may have any address.
    :raises DownloadError: scheme other than http and https, no port, a name that cannot be one, or an address that is
        private, loopback, link-local, reserved or multicast (not retryable); or a name that does not resolve now
        (retryable).
    """
    if url.scheme not in DEFAULT_PORTS or not url.host:
        raise DownloadError(
            f"Refused to download from a {url.scheme or 'relative'} address: only http and https are fetched",
            retryable=False,
        )
    port = DEFAULT_PORTS[url.scheme] if url.port is None else url.port
    if not 0 < port <= LAST_PORT:
        raise DownloadError(f"Refused to download from {url.host}: {port} is no port", retryable=False)
    literal = literal_address(url.host)
    allowed = not allowed_private_hosts.isdisjoint({url.host, f"{url.host}:{port}"})
    if not allowed:
        _require_public(url.host, (literal,) if literal else ())
    if _has_proxy(url):
        return Target(url, ())
    addresses = _resolve(url.host, port)
    if not allowed:
        _require_public(url.host, addresses)
    return Target(url, addresses)


def _require_public(host: str, addresses: Iterable[str]) -> None:
    if private := [address for address in addresses if not is_public(address)]:
        raise DownloadError(
            f"Refused to download from {host}: {private[0]} is not a public address",
            retryable=False,
            advice=f"If this is meant, add {host} to allowed_private_hosts",
        )


def _resolve(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise DownloadError(f"{host} is no name: {error}", retryable=False) from error
    except OSError as error:
        raise DownloadError(f"The name {host} does not resolve: {error}") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _has_proxy(url: httpx.URL) -> bool:
    proxies = getproxies()
    return (url.scheme in proxies or "all" in proxies) and not proxy_bypass(url.host)
