"""A local imitation of the Kling API over HTTP, for development and tests without money.

It shares no code with the client of this package: one misreading of the API cannot hide in both.
The names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_klingvideo.sandbox.app import create_app
    from airflow_provider_klingvideo.sandbox.server import SandboxServer
    from airflow_provider_klingvideo.sandbox.settings import SandboxSettings

_HOME_OF = {"SandboxServer": "server", "SandboxSettings": "settings", "create_app": "app"}

__all__ = ["SandboxServer", "SandboxSettings", "create_app"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
