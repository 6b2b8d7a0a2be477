"""The fields of a connection as a person types or pastes them, read as they were meant."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo._json import read_json
from airflow_provider_klingvideo._text import CLOSING, INVISIBLE, closest, spelled
from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.runtime.connections.faults import ConnectionSettingsError

if TYPE_CHECKING:
    import httpx
    from airflow.sdk import Connection

REGION, ACCESS_KEY, SECRET_KEY = "region", "access_key", "secret_key"
CONCURRENCY_LIMIT, MODEL_LIMITS = "concurrency_limit", "model_limits"
PRICES = "prices"
EXTRA_FIELDS = (REGION, ACCESS_KEY, SECRET_KEY, CONCURRENCY_LIMIT, MODEL_LIMITS, PRICES)
SCHEMES = ("http", "https")

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_BEARER = re.compile(r"(authorization\s*:\s*)?bearer[\s:]+", re.IGNORECASE)
_KEY = re.compile("[!-~]+")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):/+", re.IGNORECASE)
_FORM_PREFIX = "extra__klingai__"
_NO_HOST = re.compile(r"[\s\"'<>,;|%]")
_PORT = re.compile(r":([0-9]+)$")
LAST_PORT = 65535
LEGAL_HOST = "a host, for example gateway.example.org or http://gateway:8080"
_WHOLE = re.compile(r"[0-9]+(\.0+)?")


def typed(value: Any) -> str:
    """Return a text as it was meant: without blanks and quotes around it, and without what cannot be seen."""
    text = _INVISIBLE.sub("", "" if value is None else str(value)).strip()
    while len(text) > 1 and CLOSING.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def text_of(where: str, value: Any) -> str:
    """Read a field that holds a text; where JSON gives a list or a number, a key of it would be another one.

    :param where: the field.
    :raises ConnectionSettingsError: it is not a text; it is not shown, since it may be a key.
    """
    if not isinstance(value, str | None):
        raise ConnectionSettingsError(Fault(where, f"it is {_sort(value)}, not a text", "a text, in JSON with quotes"))
    return typed(value)


def _sort(value: Any) -> str:
    sorts = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return sorts.get(type(value), "something else")


def key(where: str, value: Any) -> str:
    """Read a key; ``Bearer`` before it, as the API's pages show it, is no part of it.

    :param where: the field.
    :raises ConnectionSettingsError: no key looks like that; its text is not shown.
    """
    text = text_of(where, value)
    while (bare := _BEARER.match(text)) is not None:
        text = typed(text[bare.end() :])
    if text and not _KEY.fullmatch(text):
        raise ConnectionSettingsError(
            Fault(where, "it has a blank or a letter inside that no key has", "letters, digits and signs of ASCII")
        )
    return text


def region(value: Any, regions: Mapping[str, str]) -> str:
    """Read a region, empty where none is given."""
    given = text_of(REGION, value)
    name = given.lower()
    if name and name not in regions:
        raise ConnectionSettingsError(
            Fault(REGION, f"region {quoted(given)} is unknown", "one of " + ", ".join(regions))
        )
    return name


def limit(where: str, value: Any) -> int | None:
    """Read how many tasks may run at once, None where nothing is given."""
    text = typed(value)
    if not text:
        return None
    if isinstance(value, bool) or not _WHOLE.fullmatch(text) or float(text) < 1:
        raise ConnectionSettingsError(
            Fault(where, f"the concurrency limit {quoted(value)} is not such a number", "a whole number of at least 1")
        )
    return int(float(text))


def model_limits(value: Any) -> dict[str, int]:
    """Read limits by model: an object, or JSON of one, as the form gives it."""
    given = typed(value) if isinstance(value, str) else value
    try:
        limits = read_json(given) if isinstance(given, str) and given else given or {}
    except (ValueError, RecursionError):
        limits = None
    if not isinstance(limits, dict):
        legal = 'a JSON object of numbers, for example {"kling-3.0": 5}'
        raise ConnectionSettingsError(Fault(MODEL_LIMITS, f"the limits by model are {quoted(value)}", legal))
    read: dict[str, int] = {}
    for name, one in limits.items():
        where = f"{MODEL_LIMITS}.{name}"
        model = spelled(typed(name), _models()) or typed(name).lower()
        number = limit(where, one)
        if number is not None and read.setdefault(model, number) != number:
            raise ConnectionSettingsError(Fault(where, f"{model} is given twice, with two numbers", "one number"))
    return read


def prices(value: Any) -> dict[str, Any]:
    """Read what the contract says of prices: an object, or JSON of one, as the form gives it."""
    from airflow_provider_klingvideo.kling.catalogue.price_book import parse_contract

    given = typed(value) if isinstance(value, str) else value
    try:
        read = read_json(given) if isinstance(given, str) and given else given or {}
        parse_contract(read, "")
    except (ValueError, RecursionError) as error:
        legal = 'a JSON object, for example {"rates": [{"pack": "video", "currency": "USD", "money": "0.12"}]}'
        raise ConnectionSettingsError(Fault(PRICES, f"the contract's prices cannot be read: {error}", legal)) from error
    return dict(read)


def _models() -> list[str]:
    from airflow_provider_klingvideo.kling.catalogue.capabilities import registry

    return sorted({can.model for can in registry().capabilities})


@dataclass
class Extra:
    """The extra fields of a connection.

    :param fields: those that are known and given, by name.
    :param strangers: faults about names that are not known.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    strangers: list[Fault] = field(default_factory=list)


def extra_of(text: Any) -> Extra:
    """Read the extra fields.

    :param text: JSON, which holds secrets and is not shown.
    :raises ConnectionSettingsError: it is no JSON object, or gives a field twice with different values.
    """
    found = Extra()
    for given, value in _object(text).items():
        name = typed(given).lower().replace("-", "_").replace(" ", "_").removeprefix(_FORM_PREFIX)
        if value is None or value == "":
            continue
        if name not in EXTRA_FIELDS:
            found.strangers.append(_stranger(given, name))
        elif found.fields.setdefault(name, value) != value:
            raise ConnectionSettingsError(Fault(f"extra.{name}", "it is given twice, with two values", "one value"))
    return found


def _stranger(given: str, name: str) -> Fault:
    what = f"{quoted(given)} is not a field and is ignored{did_you_mean(name, EXTRA_FIELDS)}"
    return Fault("extra", what, ", ".join(EXTRA_FIELDS))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about a name that is not known, empty where none of the known is like it."""
    meant = closest(name, known)
    return f"; did you mean {meant!r}?" if meant else ""


def _object(text: Any) -> dict[str, Any]:
    value = text
    try:
        # A URI and some secrets backends carry the JSON as a text within JSON.
        while isinstance(value, str):
            text = _INVISIBLE.sub("", value).strip()
            value = read_json(text) if text else {}
    except RecursionError:
        raise _no_object("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise _no_object(f"it is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise _no_object(f"it cannot be read: {error}") from None
    if not isinstance(value, dict | None):
        raise _no_object("it is JSON, but not an object")
    return value or {}


def _no_object(what: str) -> ConnectionSettingsError:
    return ConnectionSettingsError(Fault("extra", what, 'a JSON object, for example {"region": "singapore"}'))


@dataclass(frozen=True)
class Address:
    """Where the API answers.

    :param base_url: without a slash at its end, lower case as far as it goes, without the port that is usual anyway.
    :param region: whose own address it is, empty for any other one.
    """

    base_url: str
    region: str = ""


def address(connection: Connection, regions: Mapping[str, str]) -> Address | None:
    """Read host, scheme and port, each of which may stand in the host or in a field of its own.

    :param regions: the API's addresses by region.
    :returns: None where no host is given.
    :raises ConnectionSettingsError: it is not an address, or the fields contradict each other.
    """
    text = text_of("host", connection.host).replace("\\", "/")
    if not text:
        return None
    url = _url(text, _scheme(text, text_of("schema", connection.schema)), connection.port)
    own = next((name for name, one in regions.items() if one.partition("://")[2] == url.host), "")
    if own and url.port is None:
        return Address(regions[own], own)
    path = "/".join(filter(None, url.path.split("/")))
    return Address(str(url.copy_with(path=f"/{path}")).rstrip("/"))


def _scheme(text: str, schema: str) -> str:
    written = _SCHEME.match(text)
    given = [one for one in (written and written[1].lower(), schema.lower().rstrip(":/")) if one]
    for one in given:
        if one not in SCHEMES:
            raise ConnectionSettingsError(Fault("host", f"the scheme {quoted(one)} is not supported", "http or https"))
    if len(set(given)) > 1:
        raise ConnectionSettingsError(
            Fault("schema", f"it says {given[1]}, and the host says {given[0]}", "the scheme once")
        )
    return given[0] if given else "https"


def _url(text: str, scheme: str, port: Any) -> httpx.URL:
    import httpx

    rest = _SCHEME.sub("", text, count=1).lstrip("/")
    authority, slash, path = rest.partition("/")
    if authority.rstrip(":").lower() in SCHEMES:
        # `https://https://h`, `http//h`: the host would be called like a scheme.
        raise ConnectionSettingsError(Fault("host", f"{quoted(text)} has its scheme twice or without ://", LEGAL_HOST))
    if authority.count(":") > 1 and not authority.startswith("["):
        authority = f"[{authority}]"
    if set("@?#") & set(rest):
        # What stands there may be a password: it is not shown.
        raise ConnectionSettingsError(Fault("host", "it has more than a host, a port and a path", LEGAL_HOST))
    try:
        url = httpx.URL(f"{scheme}://{authority}{slash}{path}")
    except (httpx.InvalidURL, ValueError) as error:
        raise ConnectionSettingsError(Fault("host", f"{quoted(text)} is not an address", LEGAL_HOST)) from error
    host = url.host.rstrip(".")
    if not host or _NO_HOST.search(host):
        raise ConnectionSettingsError(Fault("host", f"{quoted(text)} is not an address", LEGAL_HOST))
    written = _PORT.search(authority)
    return url.copy_with(host=host, port=_port(written[1] if written else "", typed(port)) or url.port)


def _port(written: str, given: str) -> int | None:
    """Read the port, None where there is none.

    :param written: the one behind the host.
    :param given: the one in the field of its own.
    """
    for where, port in (("host", written), ("port", given)):
        if port and not (_WHOLE.fullmatch(port) and 0 < float(port) <= LAST_PORT):
            raise ConnectionSettingsError(Fault(where, f"{quoted(port)} is not a port", f"1 to {LAST_PORT}"))
    if written and given and float(written) != float(given):
        raise ConnectionSettingsError(Fault("port", f"it says {given}, and the host says {written}", "the port once"))
    return int(float(written or given)) if written or given else None


@dataclass
class Fields:
    """The fields of a connection, read; empty where nothing is given.

    :param faults: what no reader takes.
    :param strangers: names in extra that are no fields.
    """

    region: str = ""
    address: Address | None = None
    api_key: str = ""
    access_key: str = ""
    secret_key: str = ""
    concurrency_limit: int | None = None
    model_limits: Mapping[str, int] = field(default_factory=dict)
    prices: Mapping[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    strangers: list[Fault] = field(default_factory=list)


def read_fields(connection: Connection, regions: Mapping[str, str]) -> Fields:
    """Read all fields, and take note of all that cannot be read, so that a person sees everything at once.

    :param regions: the API's addresses by region.
    """
    read = Fields()
    given: Mapping[str, Any] = {}
    try:
        extra = extra_of(connection.extra)
        given, read.strangers = extra.fields, extra.strangers
    except ConnectionSettingsError as error:
        read.faults.extend(error.faults)
    readers: Mapping[str, Callable[[], Any]] = {
        "region": lambda: region(given.get(REGION), regions),
        "address": lambda: address(connection, regions),
        "api_key": lambda: key("API key", connection.password),
        "access_key": lambda: key(ACCESS_KEY, given.get(ACCESS_KEY)),
        "secret_key": lambda: key(SECRET_KEY, given.get(SECRET_KEY)),
        "concurrency_limit": lambda: limit(CONCURRENCY_LIMIT, given.get(CONCURRENCY_LIMIT)),
        "model_limits": lambda: model_limits(given.get(MODEL_LIMITS)),
        "prices": lambda: prices(given.get(PRICES)),
    }
    for name, reader in readers.items():
        try:
            setattr(read, name, reader())
        except ConnectionSettingsError as error:
            read.faults.extend(error.faults)
    return read


def contradictions(read: Fields) -> Iterator[Fault]:
    """Yield what is missing or contradictory in what several fields say together."""
    keys = "API key, access_key, secret_key"
    if bool(read.access_key) != bool(read.secret_key):
        missing = SECRET_KEY if read.access_key else ACCESS_KEY
        yield Fault(missing, "it is empty; an access key needs its secret key, and the other way round", "both or none")
    elif read.api_key and read.access_key:
        yield Fault(keys, "an API key stands beside an access key; which of them is meant is not told", "one of them")
    elif not read.api_key and not read.access_key:
        yield Fault(
            keys, "there is neither an API key nor an access key with its secret key", "an API key, or the pair"
        )
    at_home = read.address.region if read.address else ""
    if at_home and read.region and at_home != read.region:
        yield Fault(REGION, f"it says {read.region}, and the host is the address of {at_home}", "an empty host")


def unheeded(connection: Connection, read: Fields) -> Iterator[Fault]:
    """Yield what a connection says and nobody heeds."""
    if typed(connection.login):
        yield Fault("login", "it is ignored", "the API key as the password, or access_key and secret_key in extra")
    if not typed(connection.host) and (typed(connection.port) or typed(connection.schema)):
        yield Fault("port, schema", "they are ignored without a host", "a host, or empty fields")
    models = _models()
    for name in sorted(read.model_limits.keys() - set(models)):
        what = f"no such model is known{did_you_mean(name, models)}"
        yield Fault(f"{MODEL_LIMITS}.{name}", what, "a model that `klingvideo models` lists")
