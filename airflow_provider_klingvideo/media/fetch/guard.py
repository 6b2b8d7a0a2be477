"""Keep downloads away from addresses that only this machine's network can see.

The address that was checked is the one that is connected to, so a name that resolves differently the second time
gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Set
from dataclasses import dataclass
from urllib.request import getproxies, proxy_bypass

import httpx

from airflow_provider_klingvideo.media.errors import DownloadError

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
        return base.join(url) if base else httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise DownloadError("The address of the video is no valid URL", retryable=False) from error


def check_target(url: httpx.URL, allowed_private_hosts: Set[str]) -> Target:
    """Resolve the host of an address and check every address it has.

    :param allowed_private_hosts: ``host`` or ``host:port`` that may have any address.
    :raises DownloadError: scheme other than http and https, or an address that is private, loopback, link-local,
        reserved or multicast (not retryable); or a name that does not resolve now (retryable).
    """
    if url.scheme not in DEFAULT_PORTS or not url.host:
        raise DownloadError(
            f"Refused to download from a {url.scheme or 'relative'} address: only http and https are fetched",
            retryable=False,
        )
    port = url.port or DEFAULT_PORTS[url.scheme]
    allowed = not allowed_private_hosts.isdisjoint({url.host, f"{url.host}:{port}"})
    if _has_proxy(url):
        addresses: tuple[str, ...] = ()
        checked = _literal_addresses(url.host)
    else:
        addresses = checked = _resolve(url.host, port)
    if not allowed and (private := [address for address in checked if not _is_public(address)]):
        raise DownloadError(
            f"Refused to download from {url.host}: {private[0]} is not a public address",
            retryable=False,
            advice=f"If this is meant, add {url.host} to allowed_private_hosts",
        )
    return Target(url, addresses)


def _resolve(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DownloadError(f"The name {host} does not resolve: {error}") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _literal_addresses(host: str) -> tuple[str, ...]:
    """What a host says about its address without being resolved; names are resolved behind the proxy."""
    if host == "localhost":
        return ("127.0.0.1",)
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        return ()


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return ip.is_global and not ip.is_multicast


def _has_proxy(url: httpx.URL) -> bool:
    proxies = getproxies()
    return (url.scheme in proxies or "all" in proxies) and not proxy_bypass(url.host)
