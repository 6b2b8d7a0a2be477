"""The sandbox's own surface: the page, the ledger, rules, settings. It is no part of the imitated API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import HTMLResponse, Response

from airflow_provider_klingvideo.sandbox.drawing.sounds import sample_wav
from airflow_provider_klingvideo.sandbox.files.images import SAMPLES, sample_png
from airflow_provider_klingvideo.sandbox.openapi.document import document
from airflow_provider_klingvideo.sandbox.serving.routing import base_url, sandbox_of
from airflow_provider_klingvideo.sandbox.serving.rules import Rule
from airflow_provider_klingvideo.sandbox.settings import SettingsChange

router = APIRouter(prefix="/sandbox")


@router.get("")
def page() -> Response:
    """The page that shows it all."""
    return HTMLResponse(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


@router.get("/docs")
def docs() -> Response:
    """The imitated API as a page."""
    return HTMLResponse(Path(__file__).with_name("docs.html").read_text(encoding="utf-8"))


@router.get("/openapi.json")
async def openapi(request: Request) -> dict[str, Any]:
    """The imitated API as an OpenAPI document."""
    return document(base_url(request))


@router.get("/health")
async def health(request: Request) -> dict[str, Any]:
    """Whether it runs."""
    return {"status": "ok", "sandbox": True, "region": sandbox_of(request).settings.region}


@router.get("/ledger")
async def ledger(request: Request) -> dict[str, Any]:
    """Tasks, units, slots, counted requests."""
    return sandbox_of(request).ledger(base_url(request))


@router.get("/requests")
async def requests(request: Request) -> list[dict[str, Any]]:
    """The last requests, newest first."""
    return list(sandbox_of(request).requests.recent)


@router.get("/rules")
async def rules(request: Request) -> list[dict[str, Any]]:
    """The rules that stand."""
    return sandbox_of(request).rules.listing()


@router.post("/rules", status_code=201)
async def add_rule(request: Request, rule: Rule) -> dict[str, int]:
    """Add a rule."""
    return {"id": sandbox_of(request).rules.add(rule)}


@router.delete("/rules")
async def clear_rules(request: Request) -> dict[str, Any]:
    """Forget all rules."""
    sandbox_of(request).rules.clear()
    return {"rules": []}


@router.get("/settings")
async def settings(request: Request) -> dict[str, Any]:
    """The settings that can change."""
    return sandbox_of(request).account.settings()


@router.post("/settings")
async def change_settings(request: Request, change: SettingsChange) -> dict[str, Any]:
    """Change them."""
    account = sandbox_of(request).account
    account.change(change)
    return account.settings()


@router.post("/reset")
async def reset(request: Request) -> dict[str, Any]:
    """Forget tasks, rules, requests and clips."""
    sandbox_of(request).reset()
    return {"status": "ok"}


@router.get("/samples/{name}.png")
def sample(name: str) -> Response:
    """An image to try image-to-video with."""
    if name not in SAMPLES:
        raise HTTPException(404, f"SANDBOX: the samples are {', '.join(SAMPLES)}")
    return Response(sample_png(name), media_type="image/png")


@router.get("/samples/voice.wav")
def sample_voice() -> Response:
    """How the preset voices sound."""
    return Response(sample_wav(), media_type="audio/wav")
