"""Who may call (kling-api section 2.2)."""

from __future__ import annotations

import hmac

import jwt

from airflow_provider_klingvideo.sandbox.answers import AUTHENTICATION, Refusal
from airflow_provider_klingvideo.sandbox.settings import SandboxSettings

_JWT_PATHS = ("/v1/", "/account/")
_SCHEME = "bearer "


def authorise(settings: SandboxSettings, header: str | None, path: str) -> None:
    """Let a request pass, or not.

    :param header: the Authorization header.
    :raises Refusal: 1001 without a token, 1002 for an unknown one, 1003 and 1004 for one outside its time.
    """
    if not (header or "").strip():
        raise Refusal(1001)
    token = header[len(_SCHEME) :].strip() if header and header.lower().startswith(_SCHEME) else ""
    if hmac.compare_digest(token.encode(), settings.api_key.encode()):
        return
    if not path.startswith(_JWT_PATHS):
        raise Refusal(1002, AUTHENTICATION)
    _verify(settings, token)


def _verify(settings: SandboxSettings, token: str) -> None:
    try:
        jwt.decode(
            token,
            settings.secret_key,
            algorithms=["HS256"],
            issuer=settings.access_key,
            options={"require": ["iss", "exp"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise Refusal(1004) from error
    except jwt.ImmatureSignatureError as error:
        raise Refusal(1003) from error
    except jwt.InvalidTokenError as error:
        raise Refusal(1002) from error
