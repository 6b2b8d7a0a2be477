"""Who sent a request that changes something: a page of this Airflow, or a page from elsewhere in the user's name."""

# No `from __future__ import annotations` here: FastAPI would take the request for a part of the query.

from urllib.parse import urlsplit

from fastapi import HTTPException, Request

HEADER = "X-Klingvideo"
"""Browsers let no foreign page send a header of its own; the cookie alone they would send."""


def require_own_page(request: Request) -> None:
    """Refuse a request without our header, and one that a browser says comes from another site."""
    sent = request.headers
    origin = sent.get("origin")
    is_foreign = sent.get("sec-fetch-site", "same-origin") != "same-origin" or (
        origin is not None and urlsplit(origin).netloc != request.url.netloc
    )
    if HEADER.lower() not in sent or is_foreign:
        raise HTTPException(403, f"Only a page of this Airflow may ask for this, with the header {HEADER}")
