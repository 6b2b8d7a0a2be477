"""Tells a task's callback address every change of its status (kling-api section 10)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

log = logging.getLogger(__name__)


def sign(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a callback after the Standard Webhooks scheme.

    :param secret: ``whsec_`` and the key in Base64.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


async def send_callback(client: httpx.AsyncClient, url: str, content: Mapping[str, Any], secret: str | None) -> None:
    """Send a callback once: what goes wrong is logged and forgotten."""
    body = json.dumps(content, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", "x-klingvideo-sandbox": "1"}
    if secret:
        message_id, timestamp = uuid.uuid4().hex, str(int(time.time()))
        headers |= {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(secret, message_id, timestamp, body),
        }
    try:
        response = await client.post(url, content=body, headers=headers)
        log.info("SANDBOX: callback answered with HTTP %d", response.status_code)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("SANDBOX: callback was not delivered: %s", type(error).__name__)
