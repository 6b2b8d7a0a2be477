"""Signed parts of input addresses: records, rows and XComs carry them sealed, and only the connection's key opens them.

Whoever has a signed address can load the picture. What signs it (user and password, query, fragment) has to outlive the
process that reads the request, since another one orders; so it travels with the record, encrypted. The same address is
sealed in the same way each time, so that the same request stays the same one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_provider_klingvideo._json import read_json
from airflow_provider_klingvideo._text import trimmed, unquoted
from airflow_provider_klingvideo._urls import SignedAddress, signed_address, without_query
from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.storage.addresses import refuse_credentials
from airflow_provider_klingvideo.validation import fault_of_json, is_json_text
from airflow_provider_klingvideo.workflow.job.errors import InputError

SEALED = "?klingvideo-sealed="
_PURPOSE = b"klingvideo: signed parts of input addresses\0"
# A prompt is no address, and stands in the record beside the parameters.
NO_ADDRESS = frozenset({"prompt"})
SHORTEST_VALUE = 8
_WITHIN = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_SEVERAL = re.compile(r"\shttps?://", re.IGNORECASE)


def has_signed_parts(value: Any) -> bool:
    """Whether a request names an input by a signed address that is not sealed yet.

    :raises AddressError: the address of a store holds a password.
    """
    return any(_found(text) for text in _texts(value))


def has_sealed_parts(value: Any) -> bool:
    """Whether a request names an input by an address whose signed part is sealed."""
    return any(SEALED in text for text in _texts(value))


def secrets_of(value: Any) -> set[str]:
    """Return what no log may show of a request: the parts that sign its addresses, and the values in them."""
    found = [one for text in _texts(value) if (one := signed_address(unquoted(trimmed(text)))) and not _is_sealed(one)]
    return {secret for one in found for secret in one.secrets if len(secret) >= SHORTEST_VALUE}


class Seal:
    """Closes and opens the signed parts of addresses.

    :param key: a secret that all who work on a job have: the key of its connection.
    """

    def __init__(self, key: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        self._cipher = AESSIV(hashlib.sha512(_PURPOSE + key.encode()).digest())

    def sealed(self, value: Any) -> Any:
        """Return a request in which no address shows what signs it; what is sealed stays as it is.

        :raises AddressError: the address of a store holds a password.
        """
        return _replaced(value, self._close)

    def opened(self, value: Any) -> Any:
        """Return a request with its addresses as they were given.

        :raises InputError: an address was sealed with another key, or changed since.
        """
        return _replaced(value, self._open)

    def _close(self, text: str) -> str:
        address = _found(text)
        if address is None:
            return text
        secret = json.dumps([address.userinfo, address.tail]).encode()
        token = self._cipher.encrypt(secret, [address.shown.encode()])
        return f"{address.shown}{SEALED}{base64.urlsafe_b64encode(token).decode()}"

    def _open(self, text: str) -> str:
        from cryptography.exceptions import InvalidTag

        address = signed_address(text)
        if address is None or not _is_sealed(address):
            return text
        shown, token = address.shown, address.tail.removeprefix(SEALED)
        try:
            userinfo, tail = json.loads(self._cipher.decrypt(base64.urlsafe_b64decode(token), [shown.encode()]))
        except (InvalidTag, ValueError) as error:
            raise InputError(
                Fault(
                    "request",
                    f"the signed part of {without_query(text)!r} was sealed with another key than the connection's",
                    "the key with which the request was read",
                ),
                advice="Clear the job's first task (of a batch the one that reads the rows): it reads the address anew",
            ) from error
        scheme, _, rest = shown.partition("://")
        return f"{scheme}://{userinfo}{rest}{tail}"


def _found(text: str) -> SignedAddress | None:
    address = unquoted(trimmed(text))
    refuse_credentials(address)
    found = signed_address(address)
    return None if found is None or _is_sealed(found) else found


def _is_sealed(address: SignedAddress) -> bool:
    return address.tail.startswith(SEALED)


def _replaced(value: Any, replace: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {name: one if name in NO_ADDRESS else _replaced(one, replace) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(one, replace) for one in value]
    if is_json_text(value) and fault_of_json(value) is None:
        return _replaced_in_json(value, replace)
    return _replaced_in_text(value, replace) if isinstance(value, str) else value


def _replaced_in_text(text: str, replace: Callable[[str], str]) -> str:
    """What is no address as a whole (broken JSON, a link with words) is refused; the record of that is kept."""
    changed = text if _SEVERAL.search(trimmed(text)) else replace(text)
    return changed if changed != text else _WITHIN.sub(lambda found: replace(found[0]), text)


def _replaced_in_json(text: str, replace: Callable[[str], str]) -> str:
    """A cell or a template may give a list or an object as its text; where nothing is signed it stays as it was."""
    found = read_json(text)
    changed = _replaced(found, replace)
    return text if changed == found else json.dumps(changed, ensure_ascii=False)


def _texts(value: Any) -> Iterator[str]:
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    _replaced(value, note)
    yield from found
