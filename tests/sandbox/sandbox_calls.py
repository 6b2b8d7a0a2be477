"""What the tests of the sandbox share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from airflow_provider_klingvideo.sandbox import SandboxServer

QUEUE_SECONDS = 2
GENERATION_SECONDS = 10


class Clock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.time = 1_795_000_000.0

    def __call__(self) -> float:
        return self.time

    def pass_(self, seconds: float) -> None:
        self.time += seconds

    def finish(self) -> None:
        """Let every task end."""
        self.pass_(QUEUE_SECONDS + GENERATION_SECONDS)


def client_of(server: SandboxServer, key: str = "sandbox-key") -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False)


Create = Callable[..., str]


Look = Callable[[str], dict[str, Any]]


Finished = Callable[[str, dict[str, Any]], dict[str, Any]]
"""The task object of a legacy path, once the task has ended."""
