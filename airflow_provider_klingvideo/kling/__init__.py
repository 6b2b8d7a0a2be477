"""The vendor's API: requests, prices, credentials, clients, errors; knows no Airflow.

The names are loaded when they are first used, so that DAG files which import the provider stay quick to parse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klingvideo._lazy import lazily

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling.auth import AccessKeyAuth, ApiKeyAuth
    from airflow_provider_klingvideo.kling.billing import ResourcePack, last_thirty_days, quota
    from airflow_provider_klingvideo.kling.capabilities import Generation, Registry, registry
    from airflow_provider_klingvideo.kling.client import AsyncKlingClient, KlingClient
    from airflow_provider_klingvideo.kling.errors import (
        AccountError,
        AmbiguousSubmissionError,
        AuthenticationError,
        ConcurrencyLimitError,
        ContentPolicyError,
        GenerationFailedError,
        InvalidRequestError,
        KlingError,
        NetworkError,
        PermissionDeniedError,
        RateLimitError,
        ServerError,
        TaskNotFoundError,
    )
    from airflow_provider_klingvideo.kling.faces import Face, FacesInVideo
    from airflow_provider_klingvideo.kling.operations import REGIONS, base_url_for
    from airflow_provider_klingvideo.kling.prices import Estimate, estimate
    from airflow_provider_klingvideo.kling.products import PRODUCTS
    from airflow_provider_klingvideo.kling.products.avatar import AvatarRequest
    from airflow_provider_klingvideo.kling.products.base import GenerationRequest, Product
    from airflow_provider_klingvideo.kling.products.effect import EffectRequest
    from airflow_provider_klingvideo.kling.products.image_to_video import ImageToVideoRequest
    from airflow_provider_klingvideo.kling.products.lip_sync import LipSyncRequest
    from airflow_provider_klingvideo.kling.products.lip_sync_text import LipSyncTextRequest
    from airflow_provider_klingvideo.kling.products.motion_control import MotionControlRequest
    from airflow_provider_klingvideo.kling.products.multi_elements import MultiElementsRequest
    from airflow_provider_klingvideo.kling.products.omni_video import OmniVideoRequest
    from airflow_provider_klingvideo.kling.products.text_to_video import TextToVideoRequest
    from airflow_provider_klingvideo.kling.requests import parse_request
    from airflow_provider_klingvideo.kling.rules import check_request
    from airflow_provider_klingvideo.kling.selection import SelectedFrame, SelectionPreview, SelectionSession
    from airflow_provider_klingvideo.kling.speech import Speech
    from airflow_provider_klingvideo.kling.tasks import Output, Task, TaskStatus, first_video

_HOMES = {
    "auth": ("AccessKeyAuth", "ApiKeyAuth"),
    "client": ("AsyncKlingClient", "KlingClient"),
    "errors": (
        "AccountError",
        "AmbiguousSubmissionError",
        "AuthenticationError",
        "ConcurrencyLimitError",
        "ContentPolicyError",
        "GenerationFailedError",
        "InvalidRequestError",
        "KlingError",
        "NetworkError",
        "PermissionDeniedError",
        "RateLimitError",
        "ServerError",
        "TaskNotFoundError",
    ),
    "operations": ("REGIONS", "base_url_for"),
    "prices": ("Estimate", "estimate"),
    "capabilities": ("Generation", "Registry", "registry"),
    "products": ("PRODUCTS",),
    "products.base": ("GenerationRequest", "Product"),
    "products.image_to_video": ("ImageToVideoRequest",),
    "products.text_to_video": ("TextToVideoRequest",),
    "faces": ("Face", "FacesInVideo"),
    "products.avatar": ("AvatarRequest",),
    "products.effect": ("EffectRequest",),
    "products.lip_sync": ("LipSyncRequest",),
    "products.lip_sync_text": ("LipSyncTextRequest",),
    "products.motion_control": ("MotionControlRequest",),
    "products.multi_elements": ("MultiElementsRequest",),
    "products.omni_video": ("OmniVideoRequest",),
    "selection": ("SelectedFrame", "SelectionPreview", "SelectionSession"),
    "requests": ("parse_request",),
    "rules": ("check_request",),
    "speech": ("Speech",),
    "tasks": ("Output", "Task", "TaskStatus", "first_video"),
    "billing": ("ResourcePack", "last_thirty_days", "quota"),
}
__all__ = [
    "PRODUCTS",
    "REGIONS",
    "AccessKeyAuth",
    "AccountError",
    "AmbiguousSubmissionError",
    "ApiKeyAuth",
    "AsyncKlingClient",
    "AuthenticationError",
    "AvatarRequest",
    "ConcurrencyLimitError",
    "ContentPolicyError",
    "EffectRequest",
    "Estimate",
    "Face",
    "FacesInVideo",
    "Generation",
    "GenerationFailedError",
    "GenerationRequest",
    "ImageToVideoRequest",
    "InvalidRequestError",
    "KlingClient",
    "KlingError",
    "LipSyncRequest",
    "LipSyncTextRequest",
    "MotionControlRequest",
    "MultiElementsRequest",
    "NetworkError",
    "OmniVideoRequest",
    "Output",
    "PermissionDeniedError",
    "Product",
    "RateLimitError",
    "Registry",
    "ResourcePack",
    "SelectedFrame",
    "SelectionPreview",
    "SelectionSession",
    "ServerError",
    "Speech",
    "Task",
    "TaskNotFoundError",
    "TaskStatus",
    "TextToVideoRequest",
    "base_url_for",
    "check_request",
    "estimate",
    "first_video",
    "last_thirty_days",
    "parse_request",
    "quota",
    "registry",
]


__getattr__ = lazily(__name__, _HOMES)
