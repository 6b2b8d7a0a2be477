"""Who may call (kling-api section 2.2)."""

from __future__ import annotations

import hmac
from typing import Any

import jwt

from airflow_provider_klingvideo.sandbox.account.answers import AUTHENTICATION, Refusal
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings

_JWT_PATHS = ("/v1/", "/account/")
_SCHEME = "bearer "


def authorise(settings: SandboxSettings, header: str | None, path: str, now: float) -> None:
    """Let a request pass, or not.

    :param header: the Authorization header.
    :param now: Kling's time, seconds since the epoch.
    :raises Refusal: 1001 without a token, 1002 for an unknown one, 1003 and 1004 for one outside its time.
    """
    if not (header or "").strip():
        raise Refusal(1001)
    token = header[len(_SCHEME) :].strip() if header and header.lower().startswith(_SCHEME) else ""
    if hmac.compare_digest(token.encode(), settings.api_key.encode()):
        return
    if not path.startswith(_JWT_PATHS):
        raise Refusal(1002, AUTHENTICATION)
    claims = _verified(settings, token)
    if claims["exp"] <= now:
        raise Refusal(1004)
    if claims.get("nbf", now) > now:
        raise Refusal(1003)


def _verified(settings: SandboxSettings, token: str) -> dict[str, Any]:
    """The claims of a token that this account signed; their times are judged by Kling's clock, not by this one."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            settings.secret_key,
            algorithms=["HS256"],
            issuer=settings.access_key,
            options={"require": ["iss", "exp"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError as error:
        raise Refusal(1002) from error
    if not all(isinstance(claims.get(name, 0), int | float) for name in ("exp", "nbf")):
        raise Refusal(1002)
    return claims
