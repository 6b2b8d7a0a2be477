"""Which addresses only this machine's network can see, however they are written.

Python's tables say what is private; they do not look into the IPv6 addresses that carry one of IPv4, and those of older
versions lack ranges that were reserved since.
"""

from __future__ import annotations

import socket
import unicodedata
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote

Address = IPv4Address | IPv6Address

# IANA's registry of special addresses, 2026: what Python 3.11 takes for public.
_RESERVED = tuple(
    ip_network(one)
    for one in ("192.88.99.0/24", "64:ff9b:1::/48", "100:0:0:1::/64", "3fff::/20", "5f00::/16", "fec0::/10")
)
# Networks whose addresses end with one of IPv4: compatible, mapped, translated (RFC 4291, 2765), NAT64 (RFC 6052).
_ENDING_WITH_IPV4 = tuple(IPv6Network(one) for one in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
# The two words before the IPv4 address of an ISATAP interface (RFC 5214), in any network.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
_LOOPBACK_NAME = "localhost"


def is_public(address: str) -> bool:
    """Whether an IP address can be reached from anywhere, and leads nowhere else than it says.

    :param address: as a resolver gives it, with or without a zone.
    """
    ip = ip_address(address.partition("%")[0])
    inner = _carried(ip) if isinstance(ip, IPv6Address) else None
    return _is_global(ip) if inner is None else _is_global(inner)


def literal_address(host: str) -> str | None:
    """Return the IP address that a host names without being resolved, None for a name.

    Resolvers and proxies differ in what they read as an address: decimal, octal and hexadecimal numbers, fewer than
    four of them, digits of other scripts, escaped letters, a dot at the end. All of it is read here.
    """
    plain = unicodedata.normalize("NFKC", unquote(host)).replace("\u3002", ".").partition("%")[0].rstrip(".").lower()
    plain = plain.strip("[]")
    if plain == _LOOPBACK_NAME or plain.endswith(f".{_LOOPBACK_NAME}"):
        return "127.0.0.1"
    try:
        return str(ip_address(plain))
    except ValueError:
        return _of_numbers(plain)


def _of_numbers(plain: str) -> str | None:
    try:
        return socket.inet_ntoa(socket.inet_aton(plain))
    except (OSError, ValueError):
        return None


def _is_global(ip: Address) -> bool:
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _RESERVED)


def _carried(ip: IPv6Address) -> IPv4Address | None:
    """The address of IPv4 at which packets to this one arrive."""
    if any(ip in network for network in _ENDING_WITH_IPV4) or int(ip) >> 32 & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.sixtofour
