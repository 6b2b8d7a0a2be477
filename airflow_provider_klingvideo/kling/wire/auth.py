"""The two kinds of credentials (kling-api section 2.2)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator

import httpx

from airflow_provider_klingvideo.kling.errors import AuthenticationError

LIFETIME_SECONDS = 1800
NOT_BEFORE_SECONDS = 5
# A token is not used in the last part of its life: a request may take that long.
MARGIN_SECONDS = 120
TOKEN_CODES = frozenset({1003, 1004})


class ApiKeyAuth(httpx.Auth):
    """An API key, which works on every path.

    :param key: the key, as Kling's console shows it once; blanks around it are dropped.
    :raises AuthenticationError: when it is empty or cannot stand in an HTTP header.
    """

    serves_new_family = True

    def __init__(self, key: str) -> None:
        self._key = _checked("API key", key)

    def __repr__(self) -> str:
        """Show no secret."""
        return "ApiKeyAuth(***)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


class AccessKeyAuth(httpx.Auth):
    """An access key with its secret key: signs tokens of half an hour, for legacy and account paths.

    A token that Kling calls expired or not yet valid is signed anew once and the request sent again: it was
    refused before anything was created.

    :param access_key: the public half.
    :param secret_key: the secret half.
    :param clock: seconds since the epoch.
    :raises AuthenticationError: when one of them is empty or has characters that no key has.
    """

    requires_response_body = True
    serves_new_family = False

    def __init__(self, access_key: str, secret_key: str, *, clock: Callable[[], float] = time.time) -> None:
        self._access_key = _checked("access key", access_key)
        self._secret_key = _checked("secret key", secret_key)
        self._clock = clock
        self._token = ""
        self._expires_at = 0.0

    def __repr__(self) -> str:
        """Show no secret."""
        return "AccessKeyAuth(***)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header; sign anew and send once more when Kling finds fault with the token's times."""
        request.headers["Authorization"] = f"Bearer {self._current_token()}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and _code_of(response) in TOKEN_CODES:
            self._expires_at = 0.0
            request.headers["Authorization"] = f"Bearer {self._current_token()}"
            yield request

    def _current_token(self) -> str:
        import jwt

        now = self._clock()
        if now > self._expires_at - MARGIN_SECONDS:
            expires_at = now + LIFETIME_SECONDS
            claims = {"iss": self._access_key, "exp": int(expires_at), "nbf": int(now) - NOT_BEFORE_SECONDS}
            # In this order: another thread that sees the new time must find the new token.
            self._token = jwt.encode(claims, self._secret_key, algorithm="HS256")
            self._expires_at = expires_at
        return self._token


def _checked(name: str, key: str) -> str:
    """Drop the blanks that copying adds; refuse what HTTP libraries would refuse by showing it."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise AuthenticationError(f"The {name} is empty or has characters that no key has")
    return key


def _code_of(response: httpx.Response) -> int | None:
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, int) else None


Auth = ApiKeyAuth | AccessKeyAuth
