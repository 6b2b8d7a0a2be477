from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo._urls import without_query
from airflow_provider_klingvideo.media import DownloadError
from airflow_provider_klingvideo.media.fetch.guard import check_target, parse_url


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
        ("/plain/path?really", "/plain/path?really"),
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
