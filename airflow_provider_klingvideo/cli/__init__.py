"""The console script ``klingvideo``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_klingvideo.cli.main import main

__all__ = ["main"]


def __getattr__(name: str) -> Any:
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_provider_klingvideo.cli.main import main

    # The import has bound the name to the submodule; from now on it is the function.
    globals()["main"] = main
    return main
