"""A local imitation of the Kling API over HTTP, for development and tests without money.

It shares no code with the client of this package: one misreading of the API cannot hide in both.
The names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_klingvideo._lazy import lazily

if TYPE_CHECKING:
    from airflow_provider_klingvideo.sandbox.app import create_app
    from airflow_provider_klingvideo.sandbox.server import SandboxServer
    from airflow_provider_klingvideo.sandbox.settings import SandboxSettings

_HOMES = {"server": ("SandboxServer",), "settings": ("SandboxSettings",), "app": ("create_app",)}

__all__ = ["SandboxServer", "SandboxSettings", "create_app"]


__getattr__ = lazily(__name__, _HOMES)
