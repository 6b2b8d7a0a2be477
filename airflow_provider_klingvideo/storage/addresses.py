"""What a text names, decided at one place: a file on this machine, one in a store, a web address, or a file itself."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, unquote

from airflow_provider_klingvideo._text import trimmed, unquoted
from airflow_provider_klingvideo._urls import without_query
from airflow_provider_klingvideo.errors import Fault, KlingVideoError, quoted

# No path that a person writes is as long; base64 of the smallest legal picture is longer.
LONGEST_PATH = 1024
CONTENT_SCHEME = "data"
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/*)(.*)", re.DOTALL)
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_DISK_SCHEMES = frozenset({"file", "local"})
_WEB_SCHEMES = frozenset({"http", "https"})
_CREDENTIALS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://[^/@]*:[^/@]*@")
_HOST = re.compile(r"[^\s?#]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
LEGAL = "a path, file:///path, scheme://[connection@]bucket/key, or an http(s) address"


class AddressError(KlingVideoError):
    """A text names no file."""

    kind = "address"
    default_advice = "Correct the path or address; nothing was submitted"


def shown(text: str) -> str:
    """Return a path or an address for a message: in quotes, whole, without what signs it."""
    return repr(without_query(text)[:LONGEST_PATH])


class AddressKind(StrEnum):
    """Where a text leads."""

    DISK = "disk"
    STORE = "store"
    WEB = "web"
    CONTENT = "content"


@dataclass(frozen=True)
class Address:
    """What a text names.

    :param kind: where it leads.
    :param text: of a file on this machine its path, as it stands in the text; of all others the whole address, its
        scheme in lower case.
    :param given: the text as it came.
    :param is_uri: whether ``file:`` stands before the path.
    """

    kind: AddressKind
    text: str
    given: str
    is_uri: bool = False


def read_address(given: str) -> Address:
    """Tell what a text names, without a look at it. Blanks around it and a pair of quotes are no part of it.

    :param given: as a person typed it: on a command line, in a row, a request, a plan or a configuration.
    :raises AddressError: nothing, a path of Windows, or a scheme without its two slashes.
    """
    text = unquoted(trimmed(given))
    if is_content(text):
        return Address(AddressKind.CONTENT, text, given)
    if not text:
        raise AddressError(Fault("path", f"{quoted(given)} names no file", LEGAL))
    if os.name != "nt" and _WINDOWS.match(text):
        legal = "a path of this machine, such as /data/p.csv; ./ before a name that really begins so"
        raise AddressError(Fault("path", f"{shown(text)} is a path of Windows, and this is another system", legal))
    refuse_credentials(text)
    written = _SCHEME.fullmatch(text)
    return _with_scheme(written, given) if written else Address(AddressKind.DISK, text, given)


def _with_scheme(written: re.Match[str], given: str) -> Address:
    scheme, slashes, rest = written[1].lower(), written[2], written[3]
    if scheme in _DISK_SCHEMES:
        return Address(AddressKind.DISK, _path_of_uri(slashes, rest), given, is_uri=True)
    if not slashes:
        return Address(AddressKind.DISK, written[0], given)
    if len(slashes) == 1:
        raise AddressError(Fault("path", f"{shown(written[0])} has one slash behind its scheme", f"{scheme}://{rest}"))
    kind = AddressKind.WEB if scheme in _WEB_SCHEMES else AddressKind.STORE
    return Address(kind, f"{scheme}:{slashes}{rest}", given)


def _path_of_uri(slashes: str, rest: str) -> str:
    """Return the path: with one, two or three slashes the same one; two may be followed by ``.``, ``~`` or a host."""
    if len(slashes) == 2:
        if re.match(r"\.{1,2}(/|$)|~", rest):
            return rest
        rest = re.sub(r"^localhost(?=/)", "", rest, flags=re.IGNORECASE)
    return f"/{rest.lstrip('/')}" if slashes else rest


def refuse_credentials(text: str) -> None:
    """Refuse the address of a store that holds a password, which would stand wherever the address does.

    :raises AddressError: it does; the address is not shown.
    """
    written = _CREDENTIALS.match(text)
    if written and written[1].lower() not in _WEB_SCHEMES:
        legal = f"{written[1].lower()}://CONNECTION@..., with user and password in that Airflow connection"
        raise AddressError(
            Fault("path", f"a password stands in an address that begins with {written[1]}://", legal),
            advice="Add an Airflow connection for the store, and name it in the address; nothing was submitted",
        )


def is_web(text: str) -> bool:
    """Whether a text is a web address, which Kling can fetch itself."""
    return trimmed(unquoted(trimmed(text))).lower().startswith(("http://", "https://"))


def is_content(text: str) -> bool:
    """Whether a text is a file itself: base64, with ``data:`` before it or without."""
    return text[:5].lower() == f"{CONTENT_SCHEME}:" or (
        len(text) > LONGEST_PATH and _BASE64.fullmatch(text) is not None
    )


def web_address(text: str) -> str:
    """Return a web address as it is sent: blanks and letters of other languages escaped, all else byte for byte.

    :raises AddressError: it has no host, or a line break or another control character inside.
    """
    if _CONTROLS.search(text):
        raise AddressError(Fault("address", f"{shown(text)} has a line break inside", "one line"))
    scheme, _, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    if not _HOST.match(host):
        raise AddressError(Fault("address", f"{shown(text)} names no host", "https://HOST/PATH"))
    # A host of other letters is written as DNS has it.
    host = host if host.isascii() else host.encode("idna").decode()
    return f"{scheme}://{host}{slash}{quote(path, safe=_AS_IT_IS)}"


_AS_IT_IS = "".join(map(chr, range(0x21, 0x7F)))


def disk_path(address: Address) -> str:
    """Return the absolute path of a file on this machine: of what a text can mean, what is there.

    A name is looked for as it is written, then with ``%20`` and the like read as a URI means them, then with its
    letters composed otherwise (an umlaut is one character or two). What is not there yet is meant as a URI or a shell
    would mean it.
    """
    meant = list(dict.fromkeys(_meanings(address)))
    found = next((path for path in meant if os.path.lexists(path)), None)
    if found is None:
        found = next((there for path in meant if (there := _composed_otherwise(path)) is not None), meant[-1])
    return found


def _meanings(address: Address) -> Iterator[str]:
    """The paths that a text can mean, the last one where nothing is there."""
    # A name may begin or end with blanks and quotes.
    texts = [address.text] if address.text.startswith("~") else [_disk_part(address.given), address.text]
    for text in texts:
        yield _absolute(text)
    if address.is_uri:
        yield _absolute(unquote(address.text))


def _disk_part(given: str) -> str:
    written = _SCHEME.fullmatch(given.lstrip())
    return _path_of_uri(written[2], written[3]) if written and written[1].lower() in _DISK_SCHEMES else given


def _absolute(path: str) -> str:
    home = os.path.expanduser(path.replace("\0", "\u2400"))  # noqa: PTH111 - an unknown user is no error here
    return str(Path(home).absolute())


def _composed_otherwise(path: str) -> str | None:
    """Return the path of a file whose names differ in how letters with marks are composed."""
    found = Path("/")
    for name in Path(path).parts[1:]:
        found = found / name if (found / name).exists() else found / _sibling(found, name)
        if not os.path.lexists(found):
            return None
    return str(found)


def _sibling(folder: Path, name: str) -> str:
    try:
        names = [one.name for one in folder.iterdir()]
    except OSError:
        return name
    composed = unicodedata.normalize("NFC", name)
    return next((one for one in names if unicodedata.normalize("NFC", one) == composed), name)
