"""Signed parts of input addresses: sealed wherever a request is kept, opened only where it is ordered."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo._urls import signed_address, without_queries
from airflow_provider_klingvideo.errors import quoted
from airflow_provider_klingvideo.storage.addresses import AddressError, is_web
from airflow_provider_klingvideo.workflow.inputs.sealing import Seal, has_sealed_parts, has_signed_parts, secrets_of
from airflow_provider_klingvideo.workflow.job.errors import InputError

SEAL = Seal("the-key")
SECRET = "S3CR3T-of-nobody"
SIGNED = [
    f"https://h/a.png?sig={SECRET}",
    f"https://h/a.png?v=1&X-Amz-Signature={SECRET}&x=2",
    f"HTTPS://h:8443/a.png?{SECRET}",
    f"https://ann:{SECRET}@h/a.png",
    f"https://{SECRET}@h/a.png",
    f"https://h/a.png#{SECRET}",
    f"https://h/a.png#access_token={SECRET}",
    f"https://ann:{SECRET}@h/a.png?sig={SECRET}#{SECRET}",
    f" 'https://h/a b.png?sig={SECRET}' \n",
    f"https://h?sig={SECRET}",
    f"https://h/a.png?sig={SECRET}\nx",
    f"http://[::1]:80/\u00fc.png?\u00fc={SECRET}",
]
PLAIN = [
    "https://h/a.png",
    "s3://c@bucket/a?b#c",
    "/tmp/a?b",
    "a fox? yes: https://h",
    "",
    "file:///a?b#c",
    "data:,x?y",
]


@pytest.mark.parametrize("address", SIGNED)
def test_a_signed_part_is_seen_nowhere_and_comes_back_byte_for_byte(address):
    request = {"prompt": "x", "first_frame": address, "reference_images": [{"url": address}], "duration": 5}
    sealed = SEAL.sealed(request)
    assert SECRET not in json.dumps(sealed)
    assert (has_signed_parts(request), has_signed_parts(sealed), has_sealed_parts(sealed)) == (True, False, True)
    assert (SEAL.sealed(request), SEAL.sealed(sealed)) == (sealed, sealed)
    assert is_web(sealed["first_frame"])
    opened = SEAL.opened(sealed)
    assert opened["first_frame"] == opened["reference_images"][0]["url"] == address.strip().strip("'")
    assert any(SECRET in secret for secret in secrets_of(request))
    assert secrets_of(sealed) == set()


@pytest.mark.parametrize("address", SIGNED)
def test_nor_in_a_list_or_an_object_that_is_given_as_its_text(address):
    request = {"prompt": "x", "reference_images": json.dumps([{"url": address, "\u00fc": 1}]), "shots": '[ {"a": 1} ]'}
    sealed = SEAL.sealed(request)
    assert SECRET not in json.dumps(sealed)
    assert (has_signed_parts(request), has_signed_parts(sealed), has_sealed_parts(sealed)) == (True, False, True)
    assert sealed["shots"] == request["shots"]
    assert json.loads(SEAL.opened(sealed)["reference_images"])[0]["url"] == address.strip().strip("'")
    assert any(SECRET in secret for secret in secrets_of(request))


@pytest.mark.parametrize(
    "text",
    [
        '[{{"url": "{}"',
        "[{{'url': '{}'}}]",
        '{{"url": "{}", "url": 1}}',
        "[img]({})",
        "<{}>",
        '=HYPERLINK("{}", "x")',
        "url: {}",
        "{} and {}",
    ],
)
@pytest.mark.parametrize("address", [one for one in SIGNED if " " not in one and "\n" not in one])
def test_nor_in_a_text_that_is_refused_since_it_is_no_address(address, text):
    given = text.format(address, address)
    request = {"prompt": "x", "first_frame": given, "elements": [given]}
    sealed = SEAL.sealed(request)
    assert SECRET not in json.dumps(sealed)
    assert (has_signed_parts(request), has_signed_parts(sealed), has_sealed_parts(sealed)) == (True, False, True)
    assert (SEAL.sealed(sealed), SEAL.opened(sealed)) == (sealed, request)
    assert any(SECRET in secret for secret in secrets_of(request))


@pytest.mark.parametrize(
    "address", ["h/a.png?sig=", "/tmp/a.png?sig=", '{"url": "https://h/a.png?sig=', "a#https://h#"]
)
def test_no_message_shows_what_may_sign_an_address(address):
    assert SECRET not in quoted({"a": [f"{address}{SECRET}"]})


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_not_signed_stays(text):
    request = {"prompt": f"https://h?{SECRET}", "first_frame": text, "elements": [1, None, True]}
    assert not has_signed_parts(request)
    assert SEAL.sealed(request) == SEAL.opened(request) == request


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_address_is_the_same_again(userinfo, path, tail):
    address = f"https://{userinfo}@h/{path}?{tail}".strip()
    if signed_address(address) is None:
        return
    request = {"first_frame": address}
    once = SEAL.opened(SEAL.sealed(request))
    assert SEAL.sealed(once) == SEAL.sealed(request)
    assert once["first_frame"] in address


def test_another_key_opens_nothing_and_says_what_to_do():
    with pytest.raises(InputError, match="was sealed with another key") as caught:
        Seal("another").opened(SEAL.sealed({"first_frame": SIGNED[0]}))
    assert (SECRET in str(caught.value), bool(caught.value.advice), bool(caught.value.faults)) == (False, True, True)


def test_a_sealed_part_serves_no_other_host():
    sealed = SEAL.sealed({"first_frame": SIGNED[0]})["first_frame"]
    with pytest.raises(InputError):
        SEAL.opened({"first_frame": sealed.replace("https://h/", "https://elsewhere/")})


@pytest.mark.parametrize(
    "address", [f"s3://AK:{SECRET}@b/a.png", f"SFTP://ann:{SECRET}@h/a.png", f"ftp://a:{SECRET}@h"]
)
def test_a_password_in_the_address_of_a_store_is_refused_before_it_is_kept(address):
    with pytest.raises(AddressError, match="CONNECTION@") as caught:
        SEAL.sealed({"first_frame": address})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("address", SIGNED[:8])
def test_words_of_others_about_an_address_do_not_show_it(address):
    assert SECRET not in without_queries(f"cannot load {address} today; see {address}")
