from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_klingvideo._urls import without_query
from airflow_provider_klingvideo.media import DownloadError
from airflow_provider_klingvideo.media.fetch.guard import check_target, parse_url
from airflow_provider_klingvideo.media.fetch.private import is_public


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/v.mp4",
        "http://127.1/v.mp4",
        "http://0x7f000001/v.mp4",
        "http://2130706433/v.mp4",
        "http://localhost/v.mp4",
        "http://10.1.2.3/v.mp4",
        "http://172.16.0.1/v.mp4",
        "http://192.168.1.1/v.mp4",
        "http://100.64.0.1/v.mp4",
        "http://169.254.169.254/latest",
        "http://0.0.0.0/v.mp4",
        "http://224.0.0.1/v.mp4",
        "http://240.0.0.1/v.mp4",
        "http://[::1]/v.mp4",
        "http://[::]/v.mp4",
        "http://[fe80::1]/v.mp4",
        "http://[fc00::1]/v.mp4",
        "http://[::ffff:127.0.0.1]/v.mp4",
        "http://[2002:7f00:1::]/v.mp4",
        "https://127.0.0.1:8443/v.mp4",
    ],
)
def test_addresses_of_the_inner_network_are_refused(url: str) -> None:
    with pytest.raises(DownloadError, match="not a public address") as caught:
        check_target(parse_url(url), frozenset())
    assert not caught.value.retryable
    assert "allowed_private_hosts" in str(caught.value)


@pytest.mark.scenario(37)
@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://8.8.8.8/v", "data:video/mp4,x", "/v.mp4", "", "http:///v"]
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(DownloadError, match="only http and https"):
        check_target(parse_url(url), frozenset())


def test_the_checked_address_is_the_one_to_connect_to() -> None:
    assert check_target(parse_url("https://8.8.8.8/v.mp4"), frozenset()).addresses == ("8.8.8.8",)


@pytest.mark.parametrize("allowed", ["localhost", "localhost:8080"])
def test_a_host_can_be_allowed_with_and_without_port(allowed: str) -> None:
    assert check_target(parse_url("http://localhost:8080/v.mp4"), frozenset({allowed})).addresses


def test_an_allowed_port_opens_no_other_port() -> None:
    with pytest.raises(DownloadError):
        check_target(parse_url("http://localhost:22/v.mp4"), frozenset({"localhost:8080"}))


def test_a_name_that_does_not_resolve_may_do_so_later() -> None:
    with pytest.raises(DownloadError, match="does not resolve") as caught:
        check_target(parse_url("http://nowhere.invalid/v.mp4"), frozenset())
    assert caught.value.retryable


class TestBehindAProxy:
    @pytest.fixture(autouse=True)
    def proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
        monkeypatch.setenv("no_proxy", "direct.invalid")

    def test_names_are_left_to_the_proxy(self) -> None:
        assert check_target(parse_url("https://cdn.invalid/v.mp4"), frozenset()).addresses == ()

    @pytest.mark.parametrize("host", ["10.0.0.1", "localhost", "[::1]"])
    def test_plain_private_addresses_are_refused_all_the_same(self, host: str) -> None:
        with pytest.raises(DownloadError, match="not a public address"):
            check_target(parse_url(f"https://{host}/v.mp4"), frozenset())

    def test_exceptions_are_resolved_here(self) -> None:
        with pytest.raises(DownloadError, match="does not resolve"):
            check_target(parse_url("https://direct.invalid/v.mp4"), frozenset())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@cdn.example:8443/a/b.mp4?Signature=s#frag", "https://cdn.example:8443/a/b.mp4"),
        ("/plain/path?really", "/plain/path?..."),
        ("http://[broken/?Signature=s", "http://[broken/?..."),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert without_query(url) == shown


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    without_query(text)
    with suppress(DownloadError):
        check_target(parse_url(text), frozenset())


@given(st.text())
def test_any_redirect_is_followed_or_refused(text: str) -> None:
    with suppress(DownloadError):
        check_target(parse_url(text, base=httpx.URL("http://127.0.0.1/a")), frozenset())


@given(st.text(min_size=1))
def test_any_host_is_fetched_or_refused(host: str) -> None:
    with suppress(DownloadError):
        check_target(parse_url(f"http://{host}/v.mp4"), frozenset())


INNER = st.one_of(
    st.ip_addresses(network=network)
    for network in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
FULL_WIDTH = str.maketrans("0123456789.", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff0e")


def within(network: str, ip: Any) -> str:
    return f"[{IPv6Address(int(IPv6Address(network)) | int(ip))}]"


def teredo(ip: Any) -> str:
    return f"[{IPv6Address(0x20010000 << 96 | (int(ip) ^ 0xFFFFFFFF))}]"


def short(ip: Any) -> str:
    first, rest = divmod(int(ip), 1 << 24)
    return f"{first}.{rest}"


SPELLINGS: dict[str, Callable[[Any], str]] = {
    "plain": str,
    "dot at the end": lambda ip: f"{ip}.",
    "decimal": lambda ip: str(int(ip)),
    "hexadecimal": lambda ip: hex(int(ip)),
    "octal": lambda ip: f"0{int(ip):o}",
    "hexadecimal parts": lambda ip: ".".join(hex(part) for part in ip.packed),
    "octal parts": lambda ip: ".".join(f"0{part:o}" for part in ip.packed),
    "two parts": short,
    "full width": lambda ip: str(ip).translate(FULL_WIDTH),
    "ideographic dots": lambda ip: str(ip).replace(".", "\u3002"),
    "escaped": lambda ip: "".join(f"%{ord(letter):02x}" for letter in str(ip)),
    "mapped": lambda ip: within("::ffff:0:0", ip),
    "mapped with dots": lambda ip: f"[::ffff:{ip}]",
    "compatible": lambda ip: f"[::{ip}]",
    "translated": lambda ip: within("::ffff:0:0:0", ip),
    "nat64": lambda ip: within("64:ff9b::", ip),
    "local nat64": lambda ip: within("64:ff9b:1::", ip),
    "6to4": lambda ip: f"[{IPv6Address(0x2002 << 112 | int(ip) << 80 | 1)}]",
    "teredo": teredo,
    "isatap": lambda ip: within("2001:4860::200:5efe:0:0", ip),
    "with a zone": lambda ip: f"[fe80::{int(ip):x}%25eth0]" if int(ip) < 1 << 16 else "[fe80::1%25eth0]",
    "with a user": lambda ip: f"cdn.example@{ip}",
    "with a backslash": lambda ip: f"cdn.example\\@{ip}",
}


@pytest.mark.parametrize("proxy", ["", "http://proxy.invalid:3128"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@given(ip=INNER)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_inner_address_is_refused_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, spelling: str, proxy: str, ip: Any
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(DownloadError) as caught:
        check_target(parse_url(f"http://{SPELLINGS[spelling](ip)}/v.mp4"), frozenset())
    assert not caught.value.retryable


@pytest.mark.parametrize("spelling", ["plain", "decimal", "mapped", "compatible", "translated", "nat64", "6to4"])
def test_a_public_address_is_fetched_in_the_same_spellings(spelling: str) -> None:
    host = SPELLINGS[spelling](IPv4Address("8.8.8.8"))
    assert check_target(parse_url(f"http://{host}/v.mp4"), frozenset()).addresses


@pytest.mark.parametrize(
    "address",
    [
        *("::", "::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1"),
        *("64:ff9b:1::808:808", "2001:0:7f00:1::", "192.88.99.1", "198.18.0.1", "203.0.113.1", "255.255.255.255"),
    ],
)
def test_reserved_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "127.1", "0", "[::1]", "%6cocalhost"])
def test_names_of_this_machine_are_known_without_being_resolved(host: str) -> None:
    with pytest.raises(DownloadError, match="not a public address"):
        check_target(parse_url(f"http://{host}/v.mp4"), frozenset())


def test_a_name_with_one_inner_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)
    with pytest.raises(DownloadError, match=r"10\.0\.0\.1 is not a public address"):
        check_target(parse_url("http://both.example/v.mp4"), frozenset())


@pytest.mark.parametrize(
    "host",
    ["a..b", f"{'a' * 70}.example", "xn--", "...", "\u24d8.\ud83d", f"\u00e9{'b' * 80}.example", "a:99999", "a:0"],
)
def test_what_is_no_name_is_refused_for_good(host: str) -> None:
    with pytest.raises(DownloadError) as caught:
        check_target(parse_url(f"http://{host}/v.mp4"), frozenset())
    assert not caught.value.retryable
